/** Codecs of what holds no fields: numbers, texts, bytes. record-format.md §1. */
import type { Uuid } from "../base/ids.js";
import type { Kind } from "./field.js";
import { ProtocolError, type Reader } from "./reader.js";
import { UnsupportedError, type Writer } from "./writer.js";

export interface Codec {
  read(reader: Reader): unknown;
  write(writer: Writer, value: unknown): void;
  /** The least bytes that a value takes, 1 or more but for an empty struct: counts are judged against it before anything is allocated. */
  readonly least: number;
  /** More than a number once it is read. */
  readonly heavy: boolean;
}

export interface Version {
  readonly number: number;
  readonly flexible: boolean;
  /** Drops any value that it has no field for, ignorable or not. */
  readonly lossy: boolean;
}

type NumberKind = Exclude<Kind["is"], "string" | "bytes" | "records" | "array" | "struct">;

// The casts below say what the declaration said: the type of a field's value comes from the same `Kind`.
const NUMBERS: { readonly [is in NumberKind]: Codec } = {
  bool: { least: 1, heavy: false, read: (r) => r.int8() !== 0, write: (w, v) => w.int8(v === true ? 1 : 0) },
  int8: { least: 1, heavy: false, read: (r) => r.int8(), write: (w, v) => w.int8(v as number) },
  int16: { least: 2, heavy: false, read: (r) => r.int16(), write: (w, v) => w.int16(v as number) },
  uint16: { least: 2, heavy: false, read: (r) => r.uint16(), write: (w, v) => w.uint16(v as number) },
  int32: { least: 4, heavy: false, read: (r) => r.int32(), write: (w, v) => w.int32(v as number) },
  uint32: { least: 4, heavy: false, read: (r) => r.uint32(), write: (w, v) => w.uint32(v as number) },
  int64: { least: 8, heavy: false, read: (r) => r.int64(), write: (w, v) => w.int64(v as bigint) },
  float64: { least: 8, heavy: false, read: (r) => r.float64(), write: (w, v) => w.float64(v as number) },
  uuid: { least: 16, heavy: false, read: (r) => r.uuid(), write: (w, v) => w.uuid(v as Uuid) },
};

export function numberCodec(is: NumberKind): Codec {
  return NUMBERS[is];
}

export function stringCodec({ flexible }: Version, mayBeNull: boolean, path: string): Codec {
  const isNull = (value: unknown) => value === null && refuseNull(mayBeNull, path);
  return {
    least: flexible ? 1 : 2,
    heavy: true,
    read(reader) {
      const count = flexible ? reader.uvarint() - 1 : reader.int16();
      return count < 0 ? readNull(mayBeNull, path) : reader.string(count);
    },
    write: flexible
      ? (writer, value) => (isNull(value) ? writer.uvarint(0) : writer.compactString(value as string))
      : (writer, value) => (isNull(value) ? writer.int16(-1) : writer.string(value as string)),
  };
}

/** Bytes and records alike: views when read; when written one piece or, for records, several. */
export function byteCodec({ flexible }: Version, mayBeNull: boolean, path: string): Codec {
  const length = (writer: Writer, count: number) => (flexible ? writer.uvarint(count + 1) : writer.int32(count));
  return {
    least: flexible ? 1 : 4,
    heavy: true,
    read(reader) {
      const count = flexible ? reader.uvarint() - 1 : reader.int32();
      return count < 0 ? readNull(mayBeNull, path) : reader.view(count);
    },
    write(writer, input) {
      if (input === null) {
        refuseNull(mayBeNull, path);
        length(writer, -1);
        return;
      }
      const value = input as Uint8Array | readonly Uint8Array[];
      if (value instanceof Uint8Array) {
        length(writer, value.length);
        writer.raw(value);
        return;
      }
      let bytes = 0;
      for (const part of value) bytes += part.length;
      length(writer, bytes);
      for (const part of value) writer.raw(part);
    },
  };
}

export function readNull(mayBeNull: boolean, path: string): null {
  if (!mayBeNull) throw new ProtocolError(`${path}: null where the protocol has none`);
  return null;
}

export function refuseNull(mayBeNull: boolean, path: string): true {
  if (!mayBeNull) throw new UnsupportedError(`${path} cannot be null`);
  return true;
}

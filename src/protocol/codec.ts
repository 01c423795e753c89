/** Turns a declaration into a reader and a writer for one version: a tree of closures, made once for each version that is used. */
import { assert } from "../base/assert.js";
import type { Uuid } from "../base/ids.js";
import { emptyStruct, type AnyField, type Fields } from "./field.js";
import { ProtocolError, type Reader } from "./reader.js";
import { Writer, type Encoded } from "./writer.js";

export interface Codec {
  read(reader: Reader): unknown;
  write(writer: Writer, value: unknown): void;
  /** The least bytes that a value takes: counts are judged against it before anything is allocated. */
  readonly least: number;
}

interface Version {
  readonly number: number;
  readonly flexible: boolean;
}

type Values = { readonly [name: string]: unknown };

export function compileStruct(fields: Fields, version: Version): Codec {
  const present = Object.entries(fields).filter(([, field]) => field.since <= version.number && version.number <= field.until);
  const isTagged = (field: AnyField) => field.tag !== null && field.taggedSince <= version.number && version.flexible;
  const plain = present.filter(([, field]) => !isTagged(field)).map(([name, field]) => ({ name, fallback: field.fallback, codec: compileField(field, version, false) }));
  const tags = present
    .filter(([, field]) => isTagged(field))
    .map(([name, field]) => ({ name, tag: field.tag ?? 0, fallback: field.fallback, codec: compileField(field, version, true), field }))
    .sort((a, b) => a.tag - b.tag);
  const byTag = new Map(tags.map((one) => [one.tag, one]));
  const blank = emptyStruct(fields);
  const { flexible } = version;

  return {
    least: plain.reduce((sum, one) => sum + one.codec.least, 0) + (flexible ? 1 : 0),
    read(reader) {
      const value: { [name: string]: unknown } = { ...blank };
      for (const one of plain) value[one.name] = one.codec.read(reader);
      if (!flexible) return value;
      const count = reader.uvarint();
      if (count * 2 > reader.remaining) throw new ProtocolError(`${count} tagged fields cannot fit into ${reader.remaining} bytes`);
      for (let i = 0; i < count; i++) {
        const tag = reader.uvarint();
        const size = reader.uvarint();
        const known = byTag.get(tag);
        if (known === undefined) reader.take(size);
        else value[known.name] = known.codec.read(reader); // its size is not enforced, as in Kafka
      }
      return value;
    },
    write(writer, input) {
      const value = input as Values;
      for (const one of plain) one.codec.write(writer, value[one.name] === undefined ? one.fallback : value[one.name]);
      if (!flexible) return;
      const set = tags.filter((one) => value[one.name] !== undefined && !sameValue(value[one.name], one.fallback, one.field));
      writer.uvarint(set.length);
      for (const one of set) {
        const inner = new Writer();
        one.codec.write(inner, value[one.name]);
        const encoded: Encoded = inner.finish();
        writer.uvarint(one.tag);
        writer.uvarint(encoded.bytes);
        writer.append(encoded);
      }
    },
  };
}

/** Is a tagged field at its default? Missing members of an input struct count as their own defaults. */
function sameValue(value: unknown, fallback: unknown, field: AnyField): boolean {
  if (value === fallback) return true;
  if (value === null || fallback === null) return false;
  switch (field.kind.is) {
    case "array":
      return (value as readonly unknown[]).length === 0 && (fallback as readonly unknown[]).length === 0;
    case "bytes":
      return (value as Uint8Array).length === 0 && (fallback as Uint8Array).length === 0;
    case "struct": {
      const given = value as Values;
      return Object.entries(field.kind.fields).every(([name, inner]) => given[name] === undefined || sameValue(given[name], inner.fallback, inner));
    }
    default:
      return false;
  }
}

function compileField(field: AnyField, version: Version, inTag: boolean): Codec {
  const mayBeNull = field.nullSince <= version.number;
  const { kind } = field;
  switch (kind.is) {
    case "bool":
      return { least: 1, read: (r) => r.int8() !== 0, write: (w, v) => w.int8(v === true ? 1 : 0) };
    case "int8":
      return { least: 1, read: (r) => r.int8(), write: (w, v) => w.int8(v as number) };
    case "int16":
      return { least: 2, read: (r) => r.int16(), write: (w, v) => w.int16(v as number) };
    case "uint16":
      return { least: 2, read: (r) => r.uint16(), write: (w, v) => w.uint16(v as number) };
    case "int32":
      return { least: 4, read: (r) => r.int32(), write: (w, v) => w.int32(v as number) };
    case "uint32":
      return { least: 4, read: (r) => r.uint32(), write: (w, v) => w.uint32(v as number) };
    case "int64":
      return { least: 8, read: (r) => r.int64(), write: (w, v) => w.int64(v as bigint) };
    case "float64":
      return { least: 8, read: (r) => r.float64(), write: (w, v) => w.float64(v as number) };
    case "uuid":
      return { least: 16, read: (r) => r.uuid(), write: (w, v) => w.uuid(v as Uuid) };
    case "string":
      return sized(version.flexible ? COMPACT : SHORT, mayBeNull, {
        read: (r, count) => r.text(count),
        write: (w, v, put) => {
          const count = Buffer.byteLength(v as string, "utf8");
          put(count);
          w.text(v as string, count);
        },
      });
    case "bytes":
    case "records":
      return sized(version.flexible ? COMPACT : LONG, mayBeNull, {
        read: (r, count) => r.view(count),
        write: (w, v, put) => {
          const parts = Array.isArray(v) ? (v as readonly Uint8Array[]) : [v as Uint8Array];
          put(parts.reduce((sum, part) => sum + part.length, 0));
          for (const part of parts) w.raw(part);
        },
      });
    case "array": {
      const of = compileField(kind.of, version, false);
      const least = Math.max(1, of.least);
      return sized(version.flexible ? COMPACT : LONG, mayBeNull, {
        read: (r, count) => {
          if (count * least > r.remaining) throw new ProtocolError(`${count} elements cannot fit into ${r.remaining} bytes`);
          const list: unknown[] = [];
          for (let i = 0; i < count; i++) list.push(of.read(r));
          return list;
        },
        write: (w, v, put) => {
          const list = v as readonly unknown[];
          put(list.length);
          for (const one of list) of.write(w, one);
        },
      });
    }
    case "struct": {
      const inner = compileStruct(kind.fields, version);
      return mayBeNull ? markedStruct(inner, inTag) : inner;
    }
  }
}

/** A nullable struct has a marker before it: -1 or 1 as int8, in a tagged field 0 or 1 as uvarint. */
function markedStruct(inner: Codec, inTag: boolean): Codec {
  return {
    least: 1,
    read: (r) => ((inTag ? r.uvarint() === 0 : r.int8() < 0) ? null : inner.read(r)),
    write: (w, v) => {
      if (inTag) w.uvarint(v === null ? 0 : 1);
      else w.int8(v === null ? -1 : 1);
      if (v !== null) inner.write(w, v);
    },
  };
}

interface Length {
  readonly least: number;
  get(reader: Reader): number; // below 0: null
  put(writer: Writer, count: number): void; // -1: null
}

const SHORT: Length = { least: 2, get: (r) => r.int16(), put: (w, n) => w.int16(n) };
const LONG: Length = { least: 4, get: (r) => r.int32(), put: (w, n) => w.int32(n) };
const COMPACT: Length = { least: 1, get: (r) => r.uvarint() - 1, put: (w, n) => w.uvarint(n + 1) };

interface Content {
  read(reader: Reader, count: number): unknown;
  write(writer: Writer, value: unknown, put: (count: number) => void): void;
}

function sized(length: Length, mayBeNull: boolean, content: Content): Codec {
  return {
    least: length.least,
    read(reader) {
      const count = length.get(reader);
      if (count >= 0) return content.read(reader, count);
      if (!mayBeNull) throw new ProtocolError("null where the protocol has no null");
      return null;
    },
    write(writer, value) {
      if (value === null) {
        assert(mayBeNull, "null can be written only where this version has it");
        length.put(writer, -1);
      } else content.write(writer, value, (count) => length.put(writer, count));
    },
  };
}

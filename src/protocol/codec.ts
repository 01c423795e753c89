/**
 * Turns a declaration into a reader and a writer for one version: a tree of closures, made once for each version that is used, that allocates
 * nothing but the values it reads.
 */
import { byteCodec, numberCodec, readNull, refuseNull, stringCodec, type Codec, type Version } from "./primitives.js";
import { sameValue, type AnyField, type Fields } from "./field.js";
import type { Reader } from "./reader.js";
import { UnsupportedError, Writer } from "./writer.js";

export type { Codec } from "./primitives.js";

type Values = { readonly [name: string]: unknown };

/** A field as one version has it; without a codec where it does not. */
interface Member {
  readonly name: string;
  readonly field: AnyField;
  readonly fallback: unknown;
  readonly codec: Codec | null;
}

interface Tag extends Member {
  readonly tag: number;
  readonly codec: Codec;
}

/** @param path  where this is in which message, for errors */
export function compileStruct(fields: Fields, version: Version, path: string): Codec {
  const members: Member[] = [];
  const tags: Tag[] = [];
  const absent: Member[] = []; // and not to be lost
  for (const [name, field] of Object.entries(fields)) {
    const { fallback } = field;
    const codec = has(field, version) ? compileField(field, version, `${path} ${name}`) : null;
    if (codec !== null && field.tag !== null && isTagged(field, version)) {
      tags.push({ name, field, fallback, codec, tag: field.tag });
      members.push({ name, field, fallback, codec: null });
      continue;
    }
    members.push({ name, field, fallback, codec });
    if (codec === null && !field.ignorable && !version.lossy) absent.push({ name, field, fallback, codec });
  }
  tags.sort((a, b) => a.tag - b.tag);
  const byTag = new Map(tags.map((one) => [one.tag, one]));
  const plain = members.filter((one) => one.codec !== null);
  const { flexible } = version;

  return {
    least: plain.reduce((sum, one) => sum + (one.codec?.least ?? 0), 0) + (flexible ? 1 : 0),
    heavy: true,
    read(reader) {
      // Every member is set in the order of the declaration, so that all versions give objects of one shape.
      const value: { [name: string]: unknown } = {};
      for (let i = 0; i < members.length; i++) {
        const one = members[i] as Member; // i is below the length
        value[one.name] = one.codec === null ? one.fallback : one.codec.read(reader);
      }
      if (flexible) readTags(reader, byTag, value);
      return value;
    },
    write(writer, input) {
      const value = input as Values;
      for (let i = 0; i < plain.length; i++) {
        const one = plain[i] as Member; // i is below the length
        const given = value[one.name];
        one.codec?.write(writer, given === undefined ? one.fallback : given);
      }
      for (let i = 0; i < absent.length; i++) refuseLoss(absent[i] as Member, value, path);
      if (flexible) writeTags(writer, tags, value);
    },
  };
}

function has(field: AnyField, version: Version): boolean {
  return field.since <= version.number && version.number <= field.until;
}

function isTagged(field: AnyField, version: Version): boolean {
  return field.tag !== null && version.flexible && field.taggedSince <= version.number;
}

function refuseLoss(one: Member, value: Values, path: string): void {
  const given = value[one.name];
  if (given === undefined || sameValue(given, one.field)) return;
  throw new UnsupportedError(`${path} has no ${one.name}, whose value must not be lost`);
}

function readTags(reader: Reader, byTag: ReadonlyMap<number, Tag>, value: { [name: string]: unknown }): void {
  const count = reader.uvarint();
  if (count === 0) return;
  reader.judgeCount(count, 2, true);
  for (let i = 0; i < count; i++) {
    const tag = reader.uvarint();
    const bytes = reader.uvarint();
    const known = byTag.get(tag);
    if (known === undefined) reader.take(bytes);
    else value[known.name] = known.codec.read(reader); // its size is not enforced, as in Kafka
  }
}

function writeTags(writer: Writer, tags: readonly Tag[], value: Values): void {
  let count = 0;
  for (let i = 0; i < tags.length; i++) if (isSet(tags[i] as Tag, value)) count++;
  writer.uvarint(count);
  if (count === 0) return;
  for (const one of tags) {
    if (!isSet(one, value)) continue;
    const inner = new Writer();
    one.codec.write(inner, value[one.name]);
    const encoded = inner.finish();
    writer.uvarint(one.tag);
    writer.uvarint(encoded.bytes);
    writer.append(encoded);
  }
}

function isSet(one: Tag, value: Values): boolean {
  const given = value[one.name];
  return given !== undefined && !sameValue(given, one.field);
}

function compileField(field: AnyField, version: Version, path: string): Codec {
  const mayBeNull = field.nullSince <= version.number;
  const { kind } = field;
  switch (kind.is) {
    case "string":
      return stringCodec(version, mayBeNull, path);
    case "bytes":
    case "records":
      return byteCodec(version, mayBeNull, path);
    case "array":
      return arrayCodec(compileField(kind.of, version, path), version, mayBeNull, path);
    case "struct": {
      const inner = compileStruct(kind.fields, version, path);
      return mayBeNull ? markedStruct(inner, isTagged(field, version)) : inner;
    }
    default:
      return numberCodec(kind.is);
  }
}

function arrayCodec(of: Codec, { flexible }: Version, mayBeNull: boolean, path: string): Codec {
  return {
    least: flexible ? 1 : 4,
    heavy: true,
    read(reader) {
      const count = flexible ? reader.uvarint() - 1 : reader.int32();
      if (count < 0) return readNull(mayBeNull, path);
      reader.judgeCount(count, of.least, of.heavy);
      const list: unknown[] = [];
      for (let i = 0; i < count; i++) list.push(of.read(reader));
      return list;
    },
    write(writer, value) {
      if (value === null) refuseNull(mayBeNull, path);
      const list = value as readonly unknown[] | null;
      const count = list === null ? -1 : list.length;
      if (flexible) writer.uvarint(count + 1);
      else writer.int32(count);
      for (let i = 0; i < count; i++) of.write(writer, list?.[i]);
    },
  };
}

/** A nullable struct has a marker before it: -1 or 1 as int8, in a tagged field 0 or 1 as uvarint. */
function markedStruct(inner: Codec, inTag: boolean): Codec {
  return {
    least: 1,
    heavy: true,
    read: (reader) => ((inTag ? reader.uvarint() === 0 : reader.int8() < 0) ? null : inner.read(reader)),
    write(writer, value) {
      if (inTag) writer.uvarint(value === null ? 0 : 1);
      else writer.int8(value === null ? -1 : 1);
      if (value !== null) inner.write(writer, value);
    },
  };
}

/** Kafka's vectors as values of ours: JSON as its converter prints it, turned into what a decoder returns or an encoder takes, by the declaration. */
import { expect } from "vitest";
import type { AnyField, Fields } from "../../src/protocol/field.js";
import type { Message } from "../../src/protocol/schema.js";
import { uuid } from "../../src/base/ids.js";

export type Json = { readonly [name: string]: unknown };
export type AnyMessage = Message<unknown, unknown>;

/** The union of all messages as one type that decodes and encodes anything: tests hand it values that they built by the declaration. */
export function anyMessage(message: Message<unknown, never>): AnyMessage {
  return message as AnyMessage;
}

/** What a decoder must return for `json`: members that are left out are at their defaults. */
export function decoded(fields: Fields, json: Json): { [name: string]: unknown } {
  return convertStruct(fields, json, true);
}

/** What an encoder is given for `json`: members that are left out stay out. */
export function input(fields: Fields, json: Json): { [name: string]: unknown } {
  return convertStruct(fields, json, false);
}

function convertStruct(fields: Fields, json: Json, fill: boolean): { [name: string]: unknown } {
  for (const name of Object.keys(json)) expect(Object.keys(fields), "every member of the JSON is declared").toContain(name);
  const value: { [name: string]: unknown } = {};
  for (const [name, field] of Object.entries(fields)) {
    if (name in json) value[name] = convert(field, json[name], fill);
    else if (fill) value[name] = field.fallback;
  }
  return value;
}

function convert(field: AnyField, json: unknown, fill: boolean): unknown {
  if (json === null) return null;
  switch (field.kind.is) {
    case "int64":
      return BigInt(json as number | string);
    case "uuid":
      return uuid(json as string);
    case "bytes":
    case "records":
      return Buffer.from(json as string, "base64");
    case "array": {
      const { of } = field.kind;
      return (json as readonly unknown[]).map((one) => convert(of, one, fill));
    }
    case "struct":
      return convertStruct(field.kind.fields, json as Json, fill);
    default:
      return json; // numbers, booleans and texts are themselves
  }
}

/** Buffers and plain views hold the same bytes but are not equal to an assertion. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
  return value;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

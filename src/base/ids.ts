/** Numbers and names that mean something. Each brand has one checked maker. */
import { assert } from "./assert.js";

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Position of a record in a partition, from 0 up. */
export type Offset = Brand<number, "Offset">;
/** Reign of a partition's leader, from 0 up; -1 where unknown. */
export type Epoch = Brand<number, "Epoch">;
/** A node of the cluster, `node.id`, from 0 up. */
export type NodeId = Brand<number, "NodeId">;
/** Kafka's text form of a uuid: URL-safe base64 without padding, 22 characters. */
export type Uuid = Brand<string, "Uuid">;

export function offset(n: number): Offset {
  assert(Number.isSafeInteger(n) && n >= 0, `an offset is a safe integer from 0 up, not ${n}`);
  return n as Offset;
}

export function epoch(n: number): Epoch {
  assert(Number.isInteger(n) && n >= -1 && n <= 0x7fffffff, `an epoch is an int32 from -1 up, not ${n}`);
  return n as Epoch;
}

export function nodeId(n: number): NodeId {
  assert(Number.isInteger(n) && n >= 0 && n <= 0x7fffffff, `a node id is an int32 from 0 up, not ${n}`);
  return n as NodeId;
}

/** All zero bytes: no id. */
export const NO_UUID = "AAAAAAAAAAAAAAAAAAAAAA" as Uuid;

export function uuid(text: string): Uuid {
  assert(/^[A-Za-z0-9_-]{22}$/.test(text), `a uuid is 22 characters of URL-safe base64, not ${text}`);
  return text as Uuid;
}

/** @param bytes 16 bytes, most significant half first */
export function uuidFromBytes(bytes: Uint8Array): Uuid {
  assert(bytes.length === 16, "a uuid is 16 bytes");
  return Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("base64url") as Uuid;
}

export function uuidToBytes(id: Uuid): Uint8Array {
  return Buffer.from(id, "base64url");
}

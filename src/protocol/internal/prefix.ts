/**
 * Records of internal topics begin with two bytes that choose the layout: a key with its record type, a value with its version. So do the bytes
 * that consumers send through their group.
 */
import { joined, ProtocolError, Reader, Writer, type Message } from "../schema.js";

/** Key types of `__consumer_offsets`. The other ones, up to 23, belong to the consumer, share and streams protocols; their keys say so by the type alone. */
export const OFFSET_COMMIT_KEY = 1;
export const LEGACY_OFFSET_COMMIT_KEY = 0;
export const GROUP_METADATA_KEY = 2;
/** Key type of `__transaction_state`. */
export const TRANSACTION_LOG_KEY = 0;

/** @throws ProtocolError for fewer than two bytes */
export function prefixOf(bytes: Uint8Array): number {
  return new Reader(bytes).int16();
}

/** A key's fields, after its type. Keys have one version, 0. @throws ProtocolError */
export function decodeKey<T, In>(message: Message<T, In>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  reader.int16();
  return message.read(reader, 0);
}

export function encodeKey<T, In>(message: Message<T, In>, type: number, value: In): Uint8Array {
  return encodePrefixed(message, type, 0, value);
}

/**
 * A value, or anything else with its version in front.
 * @param above  what a version above those that we know means: damage in our own topics, a newer client with more fields at the end in a group's bytes
 * @throws ProtocolError
 */
export function decodeVersioned<T, In>(message: Message<T, In>, bytes: Uint8Array, above: "refuse" | "read-last"): T {
  const reader = new Reader(bytes);
  const version = reader.int16();
  const [, last] = message.versions;
  const known = above === "read-last" ? Math.min(version, last) : version;
  if (!message.speaks(known)) throw new ProtocolError(`version ${version} of a record that has versions up to ${last}`);
  return message.read(reader, known);
}

export function encodeVersioned<T, In>(message: Message<T, In>, version: number, value: In): Uint8Array {
  return encodePrefixed(message, version, version, value);
}

function encodePrefixed<T, In>(message: Message<T, In>, prefix: number, version: number, value: In): Uint8Array {
  const writer = new Writer();
  writer.int16(prefix);
  message.write(writer, value, version);
  return joined(writer.finish());
}

/**
 * The records of `__consumer_offsets` that classic groups write, byte for byte as Kafka 4.3 does: commits as value version 4 (version 1 where an
 * old client asked for an expiry), groups as version 3. Every older version is read. Written by hand rather than by declaration, because a
 * coordinator reads millions of them before it may serve; tests hold it against the golden vectors.
 */
import { NO_UUID, type Uuid } from "../../base/ids.js";
import { joined, Reader, Writer } from "../../protocol/schema.js";
import type { GroupValue, MemberValue } from "./group.js";
import type { Committed } from "./offsets.js";

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export type OffsetValue = Omit<Committed, "at">;

export type GroupRecord =
  | { readonly kind: "offset"; readonly group: string; readonly topic: string; readonly partition: number; readonly value: Committed | null }
  | { readonly kind: "group"; readonly group: string; readonly value: GroupValue | null }
  /** Of the consumer, share and streams protocols. */
  | { readonly kind: "other"; readonly type: number };

const LEGACY_OFFSET = 0;
const OFFSET = 1;
const GROUP = 2;
const OFFSET_VERSION = 4;
const OFFSET_VERSION_WITH_EXPIRY = 1;
const OFFSET_FLEXIBLE_SINCE = 4;
const OFFSET_VERSION_MAX = 4;
const GROUP_VERSION = 3;
const GROUP_FLEXIBLE_SINCE = 4;
const GROUP_VERSION_MAX = 4;

/**
 * Nothing of the bytes is kept.
 * @param at offset of the record
 * @throws ProtocolError on bytes that are neither a known record nor a newer kind
 */
export function decodeRecord(key: Uint8Array, value: Uint8Array | null, at = -1): GroupRecord {
  const reader = new Reader(key);
  const type = reader.int16();
  switch (type) {
    case LEGACY_OFFSET:
    case OFFSET: {
      const group = text(reader);
      const topic = text(reader);
      const partition = reader.int32();
      return { kind: "offset", group, topic, partition, value: value === null ? null : decodeOffset(value, at) };
    }
    case GROUP: {
      const group = text(reader);
      return { kind: "group", group, value: value === null ? null : decodeGroup(value) };
    }
    default:
      return { kind: "other", type };
  }
}

export function offsetRecord(group: string, topic: string, partition: number, value: OffsetValue | null): KeyValue {
  const key = new Writer(64);
  key.int16(OFFSET);
  writeText(key, group, false);
  writeText(key, topic, false);
  key.int32(partition);
  return { key: joined(key.finish()), value: value === null ? null : encodeOffset(value) };
}

export function groupRecord(group: string, value: GroupValue | null): KeyValue {
  const key = new Writer(64);
  key.int16(GROUP);
  writeText(key, group, false);
  return { key: joined(key.finish()), value: value === null ? null : encodeGroup(value) };
}

function decodeOffset(bytes: Uint8Array, at: number): Committed {
  const reader = new Reader(bytes);
  const version = Math.min(reader.int16(), OFFSET_VERSION_MAX);
  const flexible = version >= OFFSET_FLEXIBLE_SINCE;
  const offset = reader.int64();
  const leaderEpoch = version >= 3 ? reader.int32() : -1;
  const metadata = text(reader, flexible);
  const commitMs = Number(reader.int64());
  const expireMs = version === OFFSET_VERSION_WITH_EXPIRY ? Number(reader.int64()) : -1;
  let topicId: Uuid | null = null;
  if (flexible) {
    readTags(reader, (tag) => {
      if (tag !== 0) return false;
      const id = reader.uuid();
      topicId = id === NO_UUID ? null : id;
      return true;
    });
  }
  return { offset, leaderEpoch, metadata, commitMs, expireMs, topicId, at };
}

function encodeOffset(value: OffsetValue): Uint8Array {
  const writer = new Writer(64);
  const expires = value.expireMs >= 0;
  writer.int16(expires ? OFFSET_VERSION_WITH_EXPIRY : OFFSET_VERSION);
  writer.int64(value.offset);
  if (expires) {
    writeText(writer, value.metadata, false);
    writer.int64(BigInt(value.commitMs));
    writer.int64(BigInt(value.expireMs));
    return joined(writer.finish());
  }
  writer.int32(value.leaderEpoch);
  writeText(writer, value.metadata, true);
  writer.int64(BigInt(value.commitMs));
  if (value.topicId === null) writer.uvarint(0);
  else {
    writer.uvarint(1);
    writer.uvarint(0);
    writer.uvarint(16);
    writer.uuid(value.topicId);
  }
  return joined(writer.finish());
}

function decodeGroup(bytes: Uint8Array): GroupValue {
  const reader = new Reader(bytes);
  const version = Math.min(reader.int16(), GROUP_VERSION_MAX);
  const flexible = version >= GROUP_FLEXIBLE_SINCE;
  const protocolType = text(reader, flexible);
  const generation = reader.int32();
  const protocol = nullableText(reader, flexible);
  const leader = nullableText(reader, flexible);
  const currentStateTimestamp = version >= 2 ? Number(reader.int64()) : -1;
  const count = flexible ? reader.uvarint() - 1 : reader.int32();
  const members: MemberValue[] = [];
  for (let i = 0; i < count; i++) {
    const memberId = text(reader, flexible);
    const groupInstanceId = version >= 3 ? nullableText(reader, flexible) : null;
    const clientId = text(reader, flexible);
    const clientHost = text(reader, flexible);
    const rebalanceTimeout = version >= 1 ? reader.int32() : -1;
    const sessionTimeout = reader.int32();
    const subscription = blob(reader, flexible);
    const assignment = blob(reader, flexible);
    if (flexible) readTags(reader, () => false);
    members.push({ memberId, groupInstanceId, clientId, clientHost, rebalanceTimeout, sessionTimeout, subscription, assignment });
  }
  return { protocolType, generation, protocol, leader, currentStateTimestamp, members };
}

function encodeGroup(value: GroupValue): Uint8Array {
  const writer = new Writer();
  writer.int16(GROUP_VERSION);
  writeText(writer, value.protocolType, false);
  writer.int32(value.generation);
  writeNullableText(writer, value.protocol);
  writeNullableText(writer, value.leader);
  writer.int64(BigInt(value.currentStateTimestamp));
  writer.int32(value.members.length);
  for (const member of value.members) {
    writeText(writer, member.memberId, false);
    writeNullableText(writer, member.groupInstanceId);
    writeText(writer, member.clientId, false);
    writeText(writer, member.clientHost, false);
    writer.int32(member.rebalanceTimeout);
    writer.int32(member.sessionTimeout);
    writeBlob(writer, member.subscription);
    writeBlob(writer, member.assignment);
  }
  return joined(writer.finish());
}

function text(reader: Reader, flexible = false): string {
  return reader.text(flexible ? reader.uvarint() - 1 : reader.int16());
}

function nullableText(reader: Reader, flexible: boolean): string | null {
  const bytes = flexible ? reader.uvarint() - 1 : reader.int16();
  return bytes < 0 ? null : reader.text(bytes);
}

/** A copy: what is read is lent. */
function blob(reader: Reader, flexible: boolean): Uint8Array {
  return Buffer.from(reader.view(flexible ? reader.uvarint() - 1 : reader.int32()));
}

function readTags(reader: Reader, known: (tag: number) => boolean): void {
  const count = reader.uvarint();
  for (let i = 0; i < count; i++) {
    const tag = reader.uvarint();
    const bytes = reader.uvarint();
    if (!known(tag)) reader.take(bytes);
  }
}

function writeText(writer: Writer, value: string, flexible: boolean): void {
  const bytes = Buffer.byteLength(value, "utf8");
  if (flexible) writer.uvarint(bytes + 1);
  else writer.int16(bytes);
  writer.text(value, bytes);
}

function writeNullableText(writer: Writer, value: string | null): void {
  if (value === null) writer.int16(-1);
  else writeText(writer, value, false);
}

function writeBlob(writer: Writer, value: Uint8Array): void {
  writer.int32(value.length);
  writer.raw(value);
}

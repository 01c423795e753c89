/** Records inside other bytes, byte for byte as Apache Kafka 4.3.1 writes them. */
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.js";
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from "../../src/protocol/internal/consumer-protocol.js";
import * as control from "../../src/protocol/internal/control-records.js";
import { GroupMetadataKey, GroupMetadataValue } from "../../src/protocol/internal/group-metadata.js";
import { OffsetCommitKey, OffsetCommitValue } from "../../src/protocol/internal/offset-commit.js";
import { decodeKey, decodeVersioned, encodeKey, encodeVersioned, GROUP_METADATA_KEY, LEGACY_OFFSET_COMMIT_KEY, OFFSET_COMMIT_KEY, prefixOf, TRANSACTION_LOG_KEY } from "../../src/protocol/internal/prefix.js";
import { ProducerSnapshot } from "../../src/protocol/internal/producer-snapshot.js";
import { TransactionLogKey, TransactionLogValue } from "../../src/protocol/internal/transaction-log.js";
import { ProtocolError } from "../../src/protocol/schema.js";
import { goldenLines } from "../golden.js";
import { anyMessage, decoded, hex, input, plain, type AnyMessage, type Json } from "./vectors.js";

interface Vector {
  readonly name: string;
  readonly part?: "key" | "value";
  readonly type?: number;
  readonly version: number;
  readonly case: string;
  readonly json: Json;
  readonly hex: string;
}

const KEYS: { readonly [name: string]: { readonly message: AnyMessage; readonly type: number } } = {
  OffsetCommitKey: { message: anyMessage(OffsetCommitKey), type: OFFSET_COMMIT_KEY },
  LegacyOffsetCommitKey: { message: anyMessage(OffsetCommitKey), type: LEGACY_OFFSET_COMMIT_KEY },
  GroupMetadataKey: { message: anyMessage(GroupMetadataKey), type: GROUP_METADATA_KEY },
  TransactionLogKey: { message: anyMessage(TransactionLogKey), type: TRANSACTION_LOG_KEY },
};

const VERSIONED: { readonly [name: string]: AnyMessage } = {
  OffsetCommitValue: anyMessage(OffsetCommitValue),
  LegacyOffsetCommitValue: anyMessage(OffsetCommitValue),
  GroupMetadataValue: anyMessage(GroupMetadataValue),
  TransactionLogValue: anyMessage(TransactionLogValue),
  ConsumerProtocolSubscription: anyMessage(ConsumerProtocolSubscription),
  ConsumerProtocolAssignment: anyMessage(ConsumerProtocolAssignment),
  ProducerSnapshot: anyMessage(ProducerSnapshot),
  EndTxnMarker: anyMessage(control.EndTxnMarker),
  ControlRecordTypeSchema: anyMessage(control.ControlRecordTypeSchema),
};

/** They carry their version as a field, so there is no prefix. */
const BARE: { readonly [name: string]: AnyMessage } = {
  LeaderChangeMessage: anyMessage(control.LeaderChangeMessage),
  SnapshotHeaderRecord: anyMessage(control.SnapshotHeaderRecord),
  SnapshotFooterRecord: anyMessage(control.SnapshotFooterRecord),
  KRaftVersionRecord: anyMessage(control.KRaftVersionRecord),
  VotersRecord: anyMessage(control.VotersRecord),
};

interface Codec {
  readonly message: AnyMessage;
  decode(bytes: Uint8Array): unknown;
  encode(value: unknown): Uint8Array;
}

function codecOf(name: string, version: number): Codec | null {
  const key = KEYS[name];
  if (key !== undefined) return { message: key.message, decode: (bytes) => decodeKey(key.message, bytes), encode: (value) => encodeKey(key.message, key.type, value) };
  const versioned = VERSIONED[name];
  if (versioned !== undefined) return { message: versioned, decode: (bytes) => decodeVersioned(versioned, bytes, "refuse"), encode: (value) => encodeVersioned(versioned, version, value) };
  const bare = BARE[name];
  return bare === undefined ? null : { message: bare, decode: (bytes) => bare.decode(bytes, version), encode: (value) => bare.toBytes(value, version) };
}

describe.each(["consumer-offsets", "transaction-state", "consumer-protocol", "control-records", "version-prefixed", "producer-snapshot"])("%s", (file) => {
  const vectors = goldenLines<Vector>(`internal/${file}.ndjson`);
  const ours = vectors.filter((one) => codecOf(one.name, one.version) !== null);

  test.each([...new Set(ours.map((one) => one.name))])("%s", (name) => {
    for (const one of ours.filter((vector) => vector.name === name)) {
      const codec = codecOf(name, one.version);
      if (codec === null) continue;
      const bytes = Buffer.from(one.hex, "hex");
      const value = codec.decode(bytes);
      expect(plain(value), one.case).toEqual(plain(decoded(codec.message.fields, one.json)));
      if (one.case === "unknown-tags") continue;
      expect(hex(codec.encode(value)), `${one.case}, written again`).toBe(one.hex);
      expect(hex(codec.encode(input(codec.message.fields, one.json))), `${one.case}, from JSON alone`).toBe(one.hex);
    }
  });

  test("every prefix is refused", () => {
    for (const one of ours) {
      const bytes = Buffer.from(one.hex, "hex");
      for (let end = 0; end < bytes.length; end++) expect(() => codecOf(one.name, one.version)?.decode(bytes.subarray(0, end))).toThrow(ProtocolError);
    }
  });
});

test("keys of the consumer, share and streams protocols are known by their type", () => {
  const mine = new Set([OFFSET_COMMIT_KEY, LEGACY_OFFSET_COMMIT_KEY, GROUP_METADATA_KEY]);
  const keys = goldenLines<Vector>("internal/consumer-offsets.ndjson").filter((one) => one.part === "key");
  expect(keys.length).toBeGreaterThan(0);
  for (const one of keys) {
    expect(prefixOf(Buffer.from(one.hex, "hex"))).toBe(one.type);
    expect(mine.has(one.type ?? -1), one.name).toBe(one.name in KEYS);
  }
});

test("keys and values as Kafka's coordinators write them", () => {
  interface Written {
    readonly name: string;
    readonly keyRecord: string;
    readonly key: Json;
    readonly keyHex: string;
    readonly valueVersion: number | null;
    readonly value: Json | null;
    readonly valueHex: string | null;
  }
  const written = goldenLines<Written>("internal/as-written.ndjson").filter((one) => one.keyRecord in KEYS);
  expect(written.length).toBeGreaterThan(0);
  for (const one of written) {
    const key = codecOf(one.keyRecord, 0);
    expect(hex(key?.encode(input(key.message.fields, one.key)) ?? new Uint8Array()), one.name).toBe(one.keyHex);
    if (one.value === null || one.valueVersion === null) continue;
    const value = codecOf(one.keyRecord.replace("Key", "Value"), one.valueVersion);
    expect(hex(value?.encode(input(value.message.fields, one.value)) ?? new Uint8Array()), one.name).toBe(one.valueHex);
  }
});

test("control keys of every kind", () => {
  for (const one of goldenLines<Vector>("internal/control-records.ndjson").filter((vector) => vector.name.startsWith("ControlRecordKey."))) {
    const { type } = decodeVersioned(control.ControlRecordTypeSchema, Buffer.from(one.hex, "hex"), "refuse");
    expect(type).toBe(one.json["type"]);
    expect(hex(encodeVersioned(control.ControlRecordTypeSchema, 0, { type }))).toBe(one.hex);
  }
});

test("a producer snapshot's checksum covers what follows it", () => {
  for (const one of goldenLines<Vector>("internal/producer-snapshot.ndjson")) {
    const bytes = Buffer.from(one.hex, "hex");
    expect(crc32c(bytes.subarray(6))).toBe(decodeVersioned(ProducerSnapshot, bytes, "refuse").crc);
  }
});

test("a newer client's subscription is read as far as we know it, a newer record of our own is damage", () => {
  const newest = encodeVersioned(ConsumerProtocolSubscription, 3, { topics: ["a"], rackId: "r" });
  const newer = Buffer.concat([newest, Buffer.of(1, 2, 3)]);
  newer.writeInt16BE(4, 0);
  expect(decodeVersioned(ConsumerProtocolSubscription, newer, "read-last")).toMatchObject({ topics: ["a"], rackId: "r" });
  expect(() => decodeVersioned(ConsumerProtocolSubscription, newer, "refuse")).toThrow(ProtocolError);
  newer.writeInt16BE(-1, 0);
  expect(() => decodeVersioned(ConsumerProtocolSubscription, newer, "read-last")).toThrow(ProtocolError);
});

/** Records of the offsets topic, byte for byte as Kafka writes them. */
import { describe, expect, test } from "vitest";
import { uuid } from "../../src/base/ids.js";
import { decodeRecord, groupRecord, offsetRecord } from "../../src/coordinator/group/group-records.js";
import { GroupMachine } from "../../src/coordinator/group/group-machine.js";
import { coordinatorPartition, javaHash } from "../../src/protocol/hashes.js";
import { subscribedTopics } from "../../src/coordinator/group/subscription.js";
import { readBatchHeader, splitBatches } from "../../src/records/batch.js";
import { readRecords } from "../../src/records/record.js";
import { goldenFile, goldenLines } from "../golden.js";
import { GroupSim } from "./sim.js";

interface AsWritten {
  readonly name: string;
  readonly keyRecord: string;
  readonly valueVersion: number | null;
  readonly key: { readonly group: string; readonly topic: string; readonly partition: number };
  readonly value: { readonly offset: number | string; readonly leaderEpoch?: number; readonly metadata: string; readonly commitTimestamp: number; readonly expireTimestamp?: number; readonly topicId?: string } | null;
  readonly keyHex: string;
  readonly valueHex: string | null;
}

const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString("hex"));
const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, "hex"));

const written = goldenLines<AsWritten>("internal/as-written.ndjson");

describe("records as Kafka's coordinator makes them", () => {
  test.each(written.filter((line) => line.keyRecord === "OffsetCommitKey"))("$name", (line) => {
    const { value } = line;
    const made = offsetRecord(line.key.group, line.key.topic, line.key.partition, value === null ? null : {
      offset: BigInt(value.offset), leaderEpoch: value.leaderEpoch ?? -1, metadata: value.metadata, commitMs: value.commitTimestamp,
      expireMs: value.expireTimestamp ?? -1, topicId: value.topicId === undefined ? null : uuid(value.topicId),
    });
    expect(hex(made.key)).toBe(line.keyHex);
    expect(hex(made.value)).toBe(line.valueHex);
    const read = decodeRecord(made.key, made.value);
    expect(read).toMatchObject({ kind: "offset", group: line.key.group, topic: line.key.topic, partition: line.key.partition });
    if (read.kind === "offset" && read.value !== null) expect(hex(offsetRecord(read.group, read.topic, read.partition, read.value).value)).toBe(line.valueHex);
  });

  test("a group's tombstone", () => {
    const line = written.find((one) => one.name === "group-tombstone");
    expect(hex(groupRecord(line?.key.group ?? "", null).key)).toBe(line?.keyHex);
  });

  test("kinds of other protocols are recognised and left alone", () => {
    for (const line of written.filter((one) => one.name.startsWith("consumer-group") || one.name.startsWith("share-group"))) {
      expect(decodeRecord(Buffer.from(line.keyHex, "hex"), bytes(line.valueHex)).kind).toBe("other");
    }
  });
});

interface Vector {
  readonly name: string;
  readonly part: "key" | "value";
  readonly type: number;
  readonly version: number;
  readonly case: string;
  readonly hex: string;
  readonly json: { readonly [name: string]: unknown };
}

describe("every version that Kafka ever wrote is read", () => {
  const vectors = goldenLines<Vector>("internal/consumer-offsets.ndjson");
  const key = { 0: "0000000167000174000000ff", 1: "0001000167000174000000ff", 2: "0002000167" };

  test.each(vectors.filter((line) => line.part === "value" && line.type <= 1))("$name v$version $case", (line) => {
    const read = decodeRecord(Buffer.from(key[line.type as 0 | 1], "hex"), Buffer.from(line.hex, "hex"));
    if (read.kind !== "offset" || read.value === null) throw new Error("not an offset");
    expect(read.value.offset).toBe(BigInt(line.json["offset"] as string | number));
    expect(read.value.metadata).toBe(line.json["metadata"]);
    expect(read.value.leaderEpoch).toBe(line.json["leaderEpoch"] ?? -1);
    expect(read.value.topicId).toBe(line.json["topicId"] ?? null);
    if (line.case !== "edge") expect(read.value.commitMs).toBe(line.json["commitTimestamp"]);
    if (line.case !== "edge") expect(read.value.expireMs).toBe(line.json["expireTimestamp"] ?? -1);
  });

  test.each(vectors.filter((line) => line.part === "value" && line.type === 2))("$name v$version $case", (line) => {
    const read = decodeRecord(Buffer.from(key[2], "hex"), Buffer.from(line.hex, "hex"));
    if (read.kind !== "group" || read.value === null) throw new Error("not a group");
    const members = line.json["members"] as readonly { readonly [name: string]: unknown }[];
    expect(read.value).toMatchObject({ protocolType: line.json["protocolType"], generation: line.json["generation"], protocol: line.json["protocol"], leader: line.json["leader"] });
    expect(read.value.members.map((member) => ({ ...member, subscription: Buffer.from(member.subscription).toString("base64"), assignment: Buffer.from(member.assignment).toString("base64") })))
      .toEqual(members.map((member) => ({ groupInstanceId: null, rebalanceTimeout: -1, ...member })));
    if (line.version === 3) expect(hex(groupRecord("g", read.value).value)?.length).toBe(line.hex.length);
    if (line.version === 3 && line.case !== "edge") expect(hex(groupRecord("g", read.value).value)).toBe(line.hex);
  });
});

test("topics of a consumer's subscription, in each version", () => {
  const lines = goldenLines<Vector>("internal/consumer-protocol.ndjson").filter((line) => line.name === "ConsumerProtocolSubscription");
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) expect(subscribedTopics(Buffer.from(line.hex, "hex"))).toEqual(line.json["topics"]);
  for (const line of lines) for (let cut = 0; cut < 6; cut++) expect(subscribedTopics(Buffer.from(line.hex, "hex").subarray(0, cut))).toBeNull();
});

test("a group id leads to the partition that Kafka would choose", () => {
  const hashes = JSON.parse(goldenFile("hashes.json").toString("utf8")) as { readonly coordinator: readonly { readonly id: string; readonly javaHashCode: number; readonly partitionOf1: number; readonly partitionOf7: number; readonly partitionOf50: number }[] };
  for (const line of hashes.coordinator) {
    expect(javaHash(line.id)).toBe(line.javaHashCode);
    expect([1, 7, 50].map((n) => coordinatorPartition(line.id, n))).toEqual([line.partitionOf1, line.partitionOf7, line.partitionOf50]);
  }
});

test("a partition that a real broker wrote is read: its classic group, and what its transaction committed", () => {
  const machine = new GroupMachine(new GroupSim().world(), { membersMax: 10, initialDelayMs: 0 });
  const log = goldenFile("disk/broker/__consumer_offsets-0/00000000000000000000.log");
  for (const span of splitBatches(log).spans) {
    const batch = log.subarray(span.position, span.position + span.bytes);
    const header = readBatchHeader(batch);
    for (const record of readRecords(batch)) {
      if (record.key === null) continue;
      if (header.control) {
        expect(machine.readOffset("classic-group", "orders", 0)).toMatchObject({ value: { offset: 5n, metadata: "half way" }, open: true });
        machine.replayMarker(header.producerId, "commit");
      } else machine.replay({ offset: record.offset, key: record.key, value: record.value }, header.transactional ? header.producerId : null);
    }
  }
  expect(machine.inspect().skipped).toBe(0);
  expect(machine.readOffset("classic-group", "orders", 0)).toMatchObject({ value: { offset: 7n, at: 15 }, open: false });
  expect(machine.readOffset("classic-group", "orders", 1)).toMatchObject({ value: { offset: 3n } });
  expect(machine.readOffset("modern-group", "orders", 0).value).toBeNull();
  const group = machine.find("classic-group")?.group;
  expect(group).toMatchObject({ state: "Stable", generation: 1, protocolType: "consumer", protocolName: "range" });
  expect([...(group?.subscribed ?? [])]).toEqual(["orders"]);
  expect([...(group?.statics ?? [])].map(([instance, member]) => member.startsWith(instance))).toEqual([true]);
});

/** What Kafka wrote, our log reads, and writes again byte for byte. */
import { beforeAll, describe, expect, test } from "vitest";
import { epoch, offset, uuid } from "../../src/base/ids.js";
import { HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS, decodeCheckpoint, encodeCheckpoint } from "../../src/log/checkpoints.js";
import { Epochs } from "../../src/log/epochs.js";
import { readMetaProperties } from "../../src/log/meta-properties.js";
import { decodePartitionMetadata, encodePartitionMetadata } from "../../src/log/names.js";
import { OffsetIndex } from "../../src/log/offset-index.js";
import { decodeSnapshot, encodeSnapshot } from "../../src/log/producer-snapshot.js";
import { TimeIndex } from "../../src/log/time-index.js";
import { decodeAborted, encodeAborted } from "../../src/log/transactions.js";
import { readBatchHeader, splitBatches } from "../../src/records/batch.js";
import { initCodecs } from "../../src/records/codecs.js";
import { readRecords } from "../../src/records/record.js";
import { goldenFile, goldenList } from "../golden.js";
import { MemoryDisk } from "./memory-disk.js";
import { Incarnation, NOW, SETTINGS, readAll } from "./world.js";

interface ExpectedProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly lastTimestamp: number;
  readonly currentTxnFirstOffset: number | null;
  readonly batches: readonly { readonly lastSeq: number; readonly lastOffset: number; readonly offsetDelta: number; readonly timestamp: number }[];
}

interface ExpectedFile {
  readonly sizeInBytes: number;
  readonly entries?: readonly { readonly offset?: number; readonly position?: number; readonly timestamp?: number }[];
  readonly producers?: readonly ExpectedProducer[];
  readonly batches?: readonly {
    readonly position: number;
    readonly baseOffset: number;
    readonly lastOffset: number;
    readonly partitionLeaderEpoch: number;
    readonly crc: number;
    readonly records: readonly { readonly offset: number; readonly timestamp: number; readonly key: string | null; readonly value: string | null; readonly headers: readonly unknown[] }[];
  }[];
}

interface Expected {
  readonly topicId?: string;
  readonly logStartOffset?: number;
  readonly logEndOffset?: number;
  readonly lastStableOffset?: number;
  readonly abortedTransactionsFromZero?: readonly { readonly producerId: number; readonly firstOffset: number }[];
  readonly files: { readonly [name: string]: ExpectedFile };
}

const PARTITIONS = [
  { folder: "disk/txn-0", topic: "txn", partition: 0, interval: 120 },
  { folder: "disk/broker/orders-0", topic: "orders", partition: 0, interval: 4096 },
  { folder: "disk/broker/orders-1", topic: "orders", partition: 1, interval: 4096 },
  { folder: "disk/broker/orders-2", topic: "orders", partition: 2, interval: 4096 },
  { folder: "disk/broker/__consumer_offsets-0", topic: "__consumer_offsets", partition: 0, interval: 4096 },
  { folder: "disk/broker/__transaction_state-0", topic: "__transaction_state", partition: 0, interval: 4096 },
  { folder: "disk/broker/__share_group_state-0", topic: "__share_group_state", partition: 0, interval: 4096 },
] as const;

beforeAll(() => initCodecs());

const expectedOf = (folder: string): Expected => {
  const read = JSON.parse(goldenFile(`${folder}.expected.json`).toString("utf8")) as Expected | Expected["files"];
  // The broker's partitions list their files at the top.
  return "files" in read && typeof read.files === "object" && !("sizeInBytes" in read.files) ? (read as Expected) : { files: read as Expected["files"] };
};

async function opened(which: (typeof PARTITIONS)[number], names: (name: string) => boolean) {
  const disk = new MemoryDisk();
  const key = `${which.topic}-${which.partition}`;
  for (const name of goldenList(which.folder)) if (names(name)) disk.put(`data/${key}/${name}`, goldenFile(`${which.folder}/${name}`));
  const topicId = uuid(decodePartitionMetadata(goldenFile(`${which.folder}/partition.metadata`)) ?? "");
  const life = new Incarnation(disk);
  const directory = await life.open();
  const log = await directory.openLog({ topic: which.topic, partition: which.partition, topicId, settings: { ...SETTINGS, indexIntervalBytes: which.interval }, durable: true });
  return { disk, directory, log, folder: `data/${key}` };
}

describe.each(PARTITIONS)("$folder", (which) => {
  test("is read with every batch and record", async () => {
    const { log } = await opened(which, () => true);
    const expected = expectedOf(which.folder);
    const batches = Object.entries(expected.files).filter(([name]) => name.endsWith(".log")).flatMap(([, file]) => file.batches ?? []);
    const bytes = readAll(log);
    const found = splitBatches(bytes).spans.map((span) => bytes.subarray(span.position, span.position + span.bytes));
    expect(found.map((one) => readBatchHeader(one)).map((one) => [one.baseOffset, one.lastOffset, one.leaderEpoch, one.crc])).toEqual(
      batches.map((one) => [one.baseOffset, one.lastOffset, one.partitionLeaderEpoch, one.crc]),
    );
    const base64 = (part: Uint8Array | null) => (part === null ? null : Buffer.from(part).toString("base64"));
    const records = found.flatMap((one) => readRecords(one)).map((one) => [one.offset, one.timestamp, base64(one.key), base64(one.value), one.headers.length]);
    expect(records).toEqual(batches.flatMap((one) => one.records).map((one) => [one.offset, one.timestamp, one.key, one.value, one.headers.length]));
    expect(log.recovery).toEqual({ clean: false, cutBytes: 0, lostBelowDurable: false, damagedAt: null });
  });

  test("has its derived files rebuilt from the batches alone, byte for byte", async () => {
    const { log, directory, disk, folder } = await opened(which, (name) => /\.log$|metadata$/.test(name));
    await log.close();
    await directory.close(1n);
    for (const name of goldenList(which.folder)) {
      const golden = goldenFile(`${which.folder}/${name}`);
      if (/(index|metadata)$/.test(name)) expect(disk.file(`${folder}/${name}`).toString("hex"), name).toBe(golden.toString("hex"));
      // A reign that left no batch is in Kafka's file alone, and our log of no batch knows of none.
      if (name === "leader-epoch-checkpoint" && log.end > log.start) expect(disk.file(`${folder}/${name}`).toString()).toBe(golden.toString());
      if (name === `${String(log.end).padStart(20, "0")}.snapshot`) {
        const entries = (bytes: Uint8Array) => new Map([...(decodeSnapshot(bytes, NOW)?.entries() ?? [])].map(([id, one]) => [id, { ...one, batches: one.batches.map((batch) => batch.lastOffset) }]));
        expect(entries(disk.file(`${folder}/${name}`))).toEqual(entries(golden));
      }
    }
  });

  test("has index, snapshot, epoch and transaction files that come out of our codecs as they went in", () => {
    for (const [name, expected] of Object.entries(expectedOf(which.folder).files)) {
      const golden = goldenFile(`${which.folder}/${name}`);
      const base = Number.parseInt(name, 10);
      if (name.endsWith(".index")) {
        const index = OffsetIndex.decode(base, golden);
        expect(Array.from({ length: index.count }, (_, i) => index.entry(i))).toEqual(expected.entries);
        expect(index.encode().equals(golden)).toBe(true);
      } else if (name.endsWith(".timeindex")) {
        const index = TimeIndex.decode(base, golden);
        expect(Array.from({ length: index.count }, (_, i) => ({ timestamp: index.entry(i).timestampMs, offset: index.entry(i).offset }))).toEqual(expected.entries);
        expect(index.encode().equals(golden)).toBe(true);
      } else if (name.endsWith(".txnindex")) {
        expect(encodeAborted(decodeAborted(golden)).equals(golden)).toBe(true);
      } else if (name.endsWith(".snapshot")) {
        const producers = decodeSnapshot(golden, NOW);
        expect(producers).not.toBeNull();
        if (producers === null) continue;
        expect(encodeSnapshot(producers).equals(golden)).toBe(true);
        for (const one of expected.producers ?? []) {
          expect(producers.get(BigInt(one.producerId))).toMatchObject({
            epoch: one.producerEpoch,
            coordinatorEpoch: one.coordinatorEpoch,
            lastTimestampMs: one.lastTimestamp,
            openSince: one.currentTxnFirstOffset,
            batches: one.batches.map((batch) => ({ lastSequence: batch.lastSeq, lastOffset: batch.lastOffset, offsetDelta: batch.offsetDelta, timestampMs: batch.timestamp })),
          });
        }
      } else if (name === "leader-epoch-checkpoint") {
        expect(Epochs.decode(golden)?.encode().equals(golden)).toBe(true);
      } else if (name === "partition.metadata") {
        expect(encodePartitionMetadata(decodePartitionMetadata(golden) ?? "").equals(golden)).toBe(true);
      }
    }
  });
});

test("txn-0: start, end, last stable offset, aborted transactions and epochs are Kafka's", async () => {
  const { log } = await opened(PARTITIONS[0], () => true);
  const expected = expectedOf("disk/txn-0");
  expect([log.start, log.end, log.firstUnstable]).toEqual([expected.logStartOffset, expected.logEndOffset, expected.lastStableOffset]);
  expect(log.abortedIn(offset(0), log.end).map((one) => ({ producerId: Number(one.producerId), firstOffset: one.firstOffset }))).toEqual(
    expected.abortedTransactionsFromZero?.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })),
  );
  expect(log.abortedIn(offset(23), offset(26))).toEqual([]);
  expect(log.inspect().epochs).toEqual([{ epoch: 0, start: 0 }, { epoch: 3, start: 17 }, { epoch: 5, start: 30 }, { epoch: 6, start: 45 }]);
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((one) => log.endOfEpoch(epoch(one)))).toEqual([
    { epoch: 0, end: 17 }, { epoch: 0, end: 17 }, { epoch: 0, end: 17 }, { epoch: 3, end: 30 }, { epoch: 3, end: 30 }, { epoch: 5, end: 45 }, { epoch: 6, end: 47 }, { epoch: -1, end: -1 },
  ]);
});

test("checkpoints of a directory come out as they went in", () => {
  for (const folder of ["disk/checkpoints", "disk/broker"]) {
    for (const name of [RECOVERY_POINTS, HIGH_WATERMARKS, LOG_STARTS]) {
      const golden = goldenFile(`${folder}/${name}`);
      const read = decodeCheckpoint(golden);
      expect(read === null ? null : encodeCheckpoint(read).toString()).toBe(golden.toString());
    }
  }
  expect(decodeCheckpoint(goldenFile(`disk/checkpoints/${RECOVERY_POINTS}`))?.get("b.with-dots_1-1")).toBe(57213);
  expect(decodeCheckpoint(Buffer.from("0\n2\na 0 1\n"))).toBeNull();
});

test("Kafka's meta.properties is read", async () => {
  const disk = new MemoryDisk();
  disk.put("data/meta.properties", goldenFile("disk/broker/meta.properties"));
  expect(await readMetaProperties(new Incarnation(disk).view, "data")).toEqual({ clusterId: "Z29sZGVuLXZlY3RvcnMtMQ", nodeId: 1, directoryId: "jGi-wmXSRt6fO2UxX6R8lw" });
});

test("Kafka's vectors of producer snapshots are read", () => {
  const lines = goldenFile("internal/producer-snapshot.ndjson").toString("utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as { readonly hex: string; readonly json: { readonly producerEntries: readonly { readonly producerId: number; readonly epoch: number; readonly lastSequence: number }[] } });
  for (const line of lines) {
    const read = decodeSnapshot(Buffer.from(line.hex, "hex"), NOW);
    expect(read === null ? null : [...read.entries()].map(([id, one]) => [Number(id), one.epoch, one.batches[0]?.lastSequence])).toEqual(line.json.producerEntries.map((one) => [one.producerId, one.epoch, one.lastSequence]));
  }
});

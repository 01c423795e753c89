/** Batches that Kafka made: we read what it wrote, and write the same bytes where nothing is compressed. */
import { beforeAll, describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/base/bytes.js";
import { isIntact, readBatchHeader, splitBatches, stampAttributes } from "../../src/records/batch.js";
import { initCodecs } from "../../src/records/codecs.js";
import { endMarker, leaderChange, readControlRecord } from "../../src/records/control.js";
import { readRecords } from "../../src/records/record.js";
import { goldenLines } from "../golden.js";
import { asGolden, build, expectedHeader, goldenBatches, listed } from "./golden-batches.js";

beforeAll(initCodecs);

const FILES = ["v2-none", "v2-gzip", "v2-snappy", "v2-lz4", "v2-zstd", "v2-special", "v2-control"];

describe.each(FILES)("%s", (file) => {
  test.each(goldenBatches(file).map((line) => [line.name, line] as const))("%s: headers and records read as listed", (_, line) => {
    const bytes = fromHex(line.hex);
    const { spans, end } = splitBatches(bytes);
    expect(end).toEqual({ at: bytes.length, reason: "end" });
    expect(spans.map((span) => readBatchHeader(bytes, span.position))).toEqual(line.batches.map(expectedHeader));
    for (const [i, span] of spans.entries()) {
      expect(isIntact(bytes, span.position, span.bytes)).toBe(true);
      const batch = line.batches[i];
      expect(asGolden(readRecords(bytes.subarray(span.position, span.position + span.bytes)))).toEqual(batch === undefined ? null : listed(batch));
    }
  });
});

test.each(["v2-none", "v2-special", "v2-control"].flatMap((file) => goldenBatches(file).map((line) => [line.name, line] as const)))("%s is built byte for byte", (_, line) => {
  const made = line.batches.map((batch) => {
    // Under append time the records' own timestamps are hidden behind it: they are the base timestamp's, as the golden builder set them.
    if (batch.timestampType !== "LogAppendTime" && batch.recordCount > 0) return build(batch);
    if (batch.recordCount > 0) return buildHidden(line.hex, batch);
    const empty = build(batch);
    stampAttributes(empty, { attributes: batch.attributes, maxTimestamp: Number(batch.maxTimestamp) });
    return empty;
  });
  expect(toHex(Buffer.concat(made))).toBe(line.hex);
});

function buildHidden(hex: string, batch: Parameters<typeof build>[0]): Uint8Array {
  const bytes = fromHex(hex);
  stampAttributes(bytes, { attributes: batch.attributes & ~8, maxTimestamp: Number(batch.maxTimestamp) });
  return build(batch, readRecords(bytes).map((record) => record.timestamp));
}

describe("control records", () => {
  const lines = goldenBatches("v2-control").flatMap((line) => line.batches.map((batch, i) => ({ name: line.name, hex: line.hex, batch, i }))).filter(({ batch }) => batch.control);

  test.each(lines.map((line) => [line.name, line] as const))("%s says what is listed", (_, { hex, batch, i }) => {
    const bytes = fromHex(hex);
    const span = splitBatches(bytes).spans[i];
    const record = readRecords(bytes.subarray(span?.position ?? 0))[0];
    const wanted = batch.records[0]?.controlRecord;
    expect(record === undefined ? null : readControlRecord(record)).toEqual({ type: wanted?.type.toLowerCase().replaceAll("_", "-"), coordinatorEpoch: wanted?.value.coordinatorEpoch ?? null });
  });

  test.each(["commit-marker", "abort-marker"])("%s is built byte for byte", (name) => {
    const line = goldenBatches("v2-control").find((one) => one.name === name);
    const batch = line?.batches[0];
    if (batch === undefined) throw new Error(`${name} is not in the golden files`);
    const marker = endMarker(name === "commit-marker" ? "commit" : "abort", { id: BigInt(batch.producerId), epoch: batch.producerEpoch }, {
      coordinatorEpoch: batch.records[0]?.controlRecord?.value.coordinatorEpoch ?? -1,
      timestamp: Number(batch.maxTimestamp),
      baseOffset: Number(batch.baseOffset),
      leaderEpoch: batch.partitionLeaderEpoch,
    });
    expect(toHex(marker)).toBe(line?.hex);
  });

  test("leader-change is built byte for byte", () => {
    const line = goldenBatches("v2-control").find((one) => one.name === "leader-change");
    const batch = line?.batches[0];
    const value = batch?.records[0]?.controlRecord?.value as { leaderId: number; voters: { voterId: number }[]; grantingVoters: { voterId: number }[] } | undefined; // as the file has it
    if (batch === undefined || value === undefined) throw new Error("leader-change is not in the golden files");
    const change = { leaderId: value.leaderId, voters: value.voters.map((v) => v.voterId), grantingVoters: value.grantingVoters.map((v) => v.voterId) };
    expect(toHex(leaderChange(change, { timestamp: Number(batch.maxTimestamp), baseOffset: Number(batch.baseOffset), leaderEpoch: batch.partitionLeaderEpoch }))).toBe(line?.hex);
  });

  test("a type that came after us is unknown, and so is a key cut short", () => {
    expect(readControlRecord({ key: Uint8Array.of(0, 0, 0, 99), value: null })).toEqual({ type: "unknown", coordinatorEpoch: null });
    expect(readControlRecord({ key: Uint8Array.of(0, 0, 0), value: null })).toEqual({ type: "unknown", coordinatorEpoch: null });
    expect(readControlRecord({ key: null, value: null })).toEqual({ type: "unknown", coordinatorEpoch: null });
  });
});

interface CorruptLine {
  readonly name: string;
  readonly fails: "batches" | "crc" | "records" | null;
  readonly batchesRead: number;
  readonly recordsRead: number;
  readonly hex: string;
}

test.each(goldenLines<CorruptLine>("records/corrupt.ndjson").map((line) => [line.name, line] as const))("corrupt, %s: noticed where Kafka notices it", (_, line) => {
  const bytes = fromHex(line.hex);
  const { spans, end } = splitBatches(bytes);
  if (line.fails === "batches") return expect(["bad-length", "bad-magic"]).toContain(end.reason);
  expect(["end", "incomplete"]).toContain(end.reason);
  expect(spans).toHaveLength(line.batchesRead);
  for (const span of spans) {
    expect(isIntact(bytes, span.position, span.bytes)).toBe(line.fails !== "crc");
    const read = () => readRecords(bytes.subarray(span.position, span.position + span.bytes));
    if (line.fails === "records") expect(read).toThrow(expect.objectContaining({ name: expect.stringMatching(/^(RecordFault|CodecError)$/) as string }));
    else if (line.fails === null) expect(read()).toHaveLength(line.recordsRead);
  }
});

describe("varints in a record", () => {
  interface VarintLine {
    readonly varint?: string;
    readonly varlong?: string;
    readonly value?: string;
    readonly bytes?: string;
    readonly varintError?: string;
    readonly varlongError?: string;
  }
  const lines = goldenLines<VarintLine>("records/varints.ndjson");
  const longs = lines.flatMap((line) => (line.bytes !== undefined ? [{ hex: line.bytes, value: line.varlong ?? null }] : line.varlong !== undefined ? [{ hex: line.varlong, value: line.value ?? null }] : []));
  const ints = lines.flatMap((line) => (line.bytes !== undefined ? [{ hex: line.bytes, value: line.varint ?? null }] : line.varint !== undefined ? [{ hex: line.varint, value: line.value ?? null }] : []));

  /** One record whose timestamp delta or offset delta is the varint under test; null where it does not parse. */
  function read(part: "timestamp" | "offset", hex: string): { timestamp: number; offset: number } | null {
    const body = Buffer.concat([Buffer.of(0), part === "timestamp" ? fromHex(hex) : Buffer.of(0), part === "offset" ? fromHex(hex) : Buffer.of(0), Buffer.of(1, 1, 0)]);
    const batch = Buffer.concat([Buffer.alloc(61), Buffer.of(body.length * 2), body]);
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt8(2, 16);
    batch.writeInt32BE(1, 57);
    try {
      const record = readRecords(batch)[0];
      return record === undefined ? null : { timestamp: record.timestamp, offset: record.offset };
    } catch {
      return null;
    }
  }

  test.each(longs.map(({ hex, value }) => [hex, value] as const))("long %s is %s", (hex, value) => {
    const got = read("timestamp", hex)?.timestamp ?? null;
    expect(got === null ? null : got + 0).toBe(value === null ? null : Number(value)); // exact within ±2^53, the nearest double beyond
  });
  test.each(ints.map(({ hex, value }) => [hex, value] as const))("int %s is %s", (hex, value) => expect(read("offset", hex)?.offset ?? null).toBe(value === null ? null : Number(value)));
});

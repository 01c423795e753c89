/** Views of batches and records: splitting, stamping, and the strictness of the cursor. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { toHex } from "../../src/base/bytes.js";
import { baseOffsetAt, CODECS, isIntact, lastOffsetAt, leaderEpochAt, magicAt, maxTimestampAt, readBatchHeader, sizeAt, splitBatches, stampBase, stampTime } from "../../src/records/batch.js";
import { buildBatch, type NewRecord } from "../../src/records/builder.js";
import { initCodecs } from "../../src/records/codecs.js";
import { eachRecord, readRecords, RecordCursor, RecordFault } from "../../src/records/record.js";

beforeAll(initCodecs);

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
const newRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: bytesOrNull,
  value: bytesOrNull,
  timestamp: fc.integer({ min: -1, max: 2 ** 45 }),
  headers: fc.array(fc.record({ key: fc.string({ unit: "grapheme", maxLength: 8 }), value: bytesOrNull }), { maxLength: 3 }),
});
const plain = (bytes: Uint8Array | null) => (bytes === null ? null : toHex(bytes));

test.each(CODECS)("what is built with %s is read back", (codec) => {
  fc.assert(
    fc.property(fc.array(newRecord, { minLength: 1, maxLength: 20 }), fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: -1, max: 2 ** 31 - 1 }), (records, baseOffset, leaderEpoch) => {
      const batch = buildBatch(records, { codec, baseOffset, leaderEpoch });
      expect(isIntact(batch, 0, batch.length)).toBe(true);
      expect(readBatchHeader(batch)).toMatchObject({ baseOffset, leaderEpoch, lastOffset: baseOffset + records.length - 1, recordCount: records.length, maxTimestamp: Math.max(-1, ...records.map((r) => r.timestamp)) });
      const read = readRecords(batch).map((r) => ({ ...r, key: plain(r.key), value: plain(r.value), headers: r.headers.map((h) => [h.key, plain(h.value)]) }));
      expect(read).toEqual(records.map((r, i) => ({ offset: baseOffset + i, timestamp: r.timestamp, key: plain(r.key), value: plain(r.value), headers: (r.headers ?? []).map((h) => [h.key, plain(h.value)]) })));
    }),
    { numRuns: 40 },
  );
});

const one = (value: string, options = {}) => buildBatch([{ key: null, value: Buffer.from(value), timestamp: 5 }], options);

describe("splitting", () => {
  const run = Buffer.concat([one("a"), one("bc", { baseOffset: 1 }), one("def", { baseOffset: 2 })]);
  const ends = [0, one("a").length, one("a").length + one("bc").length, run.length];

  test("gives the whole batches before any cut, and says where it stopped and why", () => {
    for (let bytes = 0; bytes <= run.length; bytes++) {
      const whole = ends.filter((end) => end > 0 && end <= bytes);
      const { spans, end } = splitBatches(run.subarray(0, bytes));
      expect(spans.map((span) => span.position + span.bytes)).toEqual(whole);
      expect(end).toEqual({ at: whole.at(-1) ?? 0, reason: ends.includes(bytes) ? "end" : "incomplete" });
    }
  });
  test("stops at damage, even when the damaged batch is not all there", () => {
    for (const [at, byte, reason] of [[8, 0xff, "bad-length"], [11, 48, "bad-length"], [16, 1, "bad-magic"], [16, 3, "bad-magic"]] as const) {
      const bad = Buffer.from(run);
      bad[(ends[1] ?? 0) + at] = byte;
      for (const cut of [bad, bad.subarray(0, (ends[1] ?? 0) + 20)]) expect(splitBatches(cut)).toEqual({ spans: [{ position: 0, bytes: ends[1] }], end: { at: ends[1], reason } });
    }
  });
  test("single fields are those of the header", () => {
    const at = ends[2] ?? 0;
    const header = readBatchHeader(run, at);
    const bytes = new Uint8Array(run); // and of memory that is no Buffer
    expect([baseOffsetAt(bytes, at), sizeAt(bytes, at), leaderEpochAt(bytes, at), lastOffsetAt(bytes, at), maxTimestampAt(bytes, at), magicAt(bytes, at)]).toEqual([header.baseOffset, header.bytes, header.leaderEpoch, header.lastOffset, header.maxTimestamp, header.magic]);
  });
});

describe("stamping", () => {
  test("base offset and leader epoch leave the checksum as it is", () => {
    const two = Buffer.concat([one("a"), one("b")]);
    const at = one("a").length;
    const before = readBatchHeader(two, at);
    for (const offset of [0, 1, 2 ** 31, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER]) {
      stampBase(two, at, { offset, epoch: 9 });
      expect(readBatchHeader(two, at)).toEqual({ ...before, baseOffset: offset, lastOffset: offset, leaderEpoch: 9 });
      expect(isIntact(two, at, before.bytes)).toBe(true);
    }
    expect(toHex(two.subarray(0, at))).toBe(toHex(one("a")));
    expect(() => stampBase(two, at, { offset: -1, epoch: 0 })).toThrow();
  });
  test("time sets or clears bit 3 and renews the checksum; more than one batch is a bug", () => {
    const batch = Buffer.from(one("a"));
    stampTime(batch, { maxTimestamp: 77, logAppendTime: true });
    expect(readRecords(batch)[0]?.timestamp).toBe(77);
    stampTime(batch, { maxTimestamp: 5, logAppendTime: false });
    expect(toHex(batch)).toBe(toHex(one("a")));
    expect(() => stampTime(Buffer.concat([batch, batch]), { maxTimestamp: 1, logAppendTime: true })).toThrow(/one batch/);
  });
});

describe("the cursor", () => {
  /** Bodies without their lengths; a length may be given instead. */
  const section = (...bodies: readonly string[]) => Buffer.concat(bodies.map((hex) => Buffer.concat([Buffer.of(hex.length), Buffer.from(hex, "hex")])));
  const walk = (bytes: Uint8Array, count: number) => {
    const cursor = new RecordCursor(bytes, count);
    let records = 0;
    while (cursor.next()) records++;
    return records;
  };

  test("takes what is well formed", () => {
    expect(walk(section("0000000261026200"), 1)).toBe(1);
    expect(walk(section("0000000101" + "00", "0000020101" + "00"), 2)).toBe(2);
    expect(walk(section("0000000101" + "04" + "0001" + "02610262"), 1)).toBe(1); // headers ""=null and a=b
    expect(walk(new Uint8Array(0), 0)).toBe(0);
  });
  test.each([
    ["a key length of -2", section("00000003" + "01" + "00"), 1],
    ["a value length of -2", section("00000001" + "03" + "00"), 1],
    ["a header without a key", section("0000000101" + "02" + "01" + "01"), 1],
    ["a header value length of -2", section("0000000101" + "02" + "00" + "03"), 1],
    ["a header count below 0", section("0000000101" + "01"), 1],
    ["more headers than can be", section("0000000101" + "04" + "0001"), 1],
    ["a key beyond the record", section("00000006" + "61" + "01" + "00"), 1],
    ["a key beyond the section", section("0000007e" + "61"), 1],
    ["a body shorter than its length", Buffer.concat([Buffer.of(14), Buffer.from("000000010100", "hex"), Buffer.of(0)]), 1],
    ["a length beyond the section", Buffer.concat([Buffer.of(16), Buffer.from("000000010100", "hex")]), 1],
    ["a negative length", Buffer.from("01000000010100", "hex"), 1],
    ["fewer records than counted", section("000000010100"), 2],
    ["more records than counted", section("000000010100", "000002010100"), 1],
    ["a count below 0", section("000000010100"), -1],
    ["nothing where one is counted", new Uint8Array(0), 1],
  ])("refuses %s", (_, bytes, count) => expect(() => walk(bytes, count)).toThrow(RecordFault));

  test("says which record is wrong", () => {
    expect(() => walk(section("000000010100", "000002010300"), 2)).toThrow(expect.objectContaining({ index: 1, code: "corrupt-record" }));
  });
  test("a section cut anywhere is refused", () => {
    const whole = section("0000000261026200", "0000020101" + "04" + "0001" + "02610262");
    for (let bytes = 0; bytes < whole.length; bytes++) expect(() => walk(whole.subarray(0, bytes), 2)).toThrow(RecordFault);
  });
  test("records are made one at a time: damage behind those asked for stays unseen", () => {
    const batch = Buffer.from(buildBatch([0, 1, 2].map((timestamp) => ({ key: null, value: Buffer.from("v"), timestamp }))));
    batch[batch.length - 1] = 99; // the last header count
    const records = eachRecord(batch);
    expect([records.next().value?.offset, records.next().value?.offset]).toEqual([0, 1]);
    expect(() => records.next()).toThrow(RecordFault);
  });
});

describe("the builder", () => {
  test("a batch without records says which offsets it stands for", () => {
    expect(() => buildBatch([])).toThrow(/which offsets/);
    expect(readRecords(buildBatch([], { lastOffsetDelta: 4, codec: "gzip" }))).toEqual([]);
  });
  test("no record lies beyond the last offset, and timestamps are whole numbers", () => {
    expect(() => buildBatch([{ key: null, value: null, timestamp: 0, offsetDelta: 5 }], { lastOffsetDelta: 4 })).toThrow(/last offset/);
    expect(() => buildBatch([{ key: null, value: null, timestamp: 0 }, { key: null, value: null, timestamp: 0.5 }])).toThrow();
    expect(() => buildBatch([{ key: null, value: null, timestamp: 0 }, { key: null, value: null, timestamp: 2 ** 53 }])).toThrow();
  });
});

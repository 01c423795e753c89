/** The leader's check: Kafka's own answers to odd batches, each rule below, at and above its limit, and what accepted batches become. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/base/bytes.js";
import { errorCode, errorName } from "../../src/protocol/errors.js";
import { decodeRequestHeader } from "../../src/protocol/frame.js";
import { ProduceRequest } from "../../src/protocol/messages/00-produce.js";
import { CODECS, isIntact, readBatchHeader, stampAttributes, type CodecName } from "../../src/records/batch.js";
import { assembleBatch, buildBatch, type BatchOptions, type NewRecord } from "../../src/records/builder.js";
import { compress, initCodecs } from "../../src/records/codecs.js";
import { endMarker } from "../../src/records/control.js";
import { readRecords } from "../../src/records/record.js";
import { isHeavy, judgeProduce, OFFLOAD_FROM_BYTES, validateProduce, type ProduceRules, type Validated } from "../../src/records/validate.js";
import { readVerdict, validateAnywhere, validateJob, VALIDATE_JOB, writeVerdict } from "../../src/records/validate-job.js";
import { goldenLines } from "../golden.js";
import { goldenBatches } from "./golden-batches.js";

beforeAll(initCodecs);

const NOW = 1_750_000_000_000;
const HOUR_MS = 3_600_000;
const RULES: ProduceRules = { maxMessageBytes: 1_048_588, compacted: false, logAppendTime: false, timestampBeforeMaxMs: Number(2n ** 63n - 1n), timestampAfterMaxMs: HOUR_MS, nowMs: NOW, compression: "producer", produceVersion: 9, transactional: false };
const PRODUCER = { id: 7n, epoch: 0, sequence: 0 };
const record = (i: number, more: Partial<NewRecord> = {}): NewRecord => ({ key: Buffer.from(`k${i}`), value: Buffer.from(`v${i}`), timestamp: NOW + i, ...more });
const three = (options: BatchOptions = {}) => buildBatch([record(0), record(1), record(2)], options);
const rules = (more: Partial<ProduceRules>): ProduceRules => ({ ...RULES, ...more });
const error = (bytes: Uint8Array, more: Partial<ProduceRules> = {}) => {
  const checked = validateProduce(bytes, rules(more));
  return checked.ok ? "NONE" : checked.error;
};
function accepted(checked: Validated): { readonly batch: Uint8Array; readonly header: ReturnType<typeof readBatchHeader> } {
  if (!checked.ok) throw new Error(`refused: ${checked.error}, ${checked.message}`);
  expect(isIntact(checked.batch, 0, checked.batch.length)).toBe(true);
  expect(readBatchHeader(checked.batch)).toEqual(checked.header);
  return checked;
}
const changed = (batch: Uint8Array, at: number, bytes: readonly number[], checksum: "again" | "stale" = "again") => {
  const copy = Buffer.from(batch);
  copy.set(bytes, at);
  if (checksum === "again") {
    const header = readBatchHeader(copy);
    stampAttributes(copy, { attributes: header.attributes, maxTimestamp: header.maxTimestamp });
  }
  return copy;
};

describe("a real broker's answers", () => {
  interface HostileLine {
    readonly group: string;
    readonly name: string;
    readonly hex: string;
    readonly kafka: { readonly response?: readonly { readonly json: { readonly responses: readonly { readonly partitionResponses: readonly { readonly errorCode: number; readonly logStartOffset?: number }[] }[] } }[] };
  }
  // Answered before or after the batch itself is looked at: topics, acks, transactions, and the state of producers.
  const ELSEWHERE = /^(acks|unknown|illegal|partition|zero-topic|to-|transactional-unknown|idempotent-(gap|old|new-epoch-seq)|records-null|no-topics)/;
  const cases = goldenLines<HostileLine>("hostile.ndjson").flatMap((line) => {
    if (line.group !== "produce" || ELSEWHERE.test(line.name)) return [];
    const code = line.kafka.response?.[0]?.json.responses[0]?.partitionResponses[0]?.errorCode;
    return code === undefined ? [] : [[line.name, errorName(code), line.hex] as const];
  });

  test("are there", () => expect(cases.length).toBeGreaterThan(40));
  test.each(cases)("%s: %s", (_, wanted, hex) => {
    const frame = fromHex(hex).subarray(4);
    const head = decodeRequestHeader(frame);
    const request = ProduceRequest.decode(frame.subarray(head.bytes), head.apiVersion);
    const topic = request.topicData[0];
    const records = topic?.partitionData[0]?.records;
    if (topic === undefined || records === undefined || records === null) throw new Error("the golden request has no records");
    const checked = validateProduce(Buffer.from(records), rules({
      maxMessageBytes: topic.name === "small" ? 200 : 1_048_588,
      compacted: topic.name === "compacted",
      nowMs: Date.UTC(2026, 0, 1),
      produceVersion: head.apiVersion,
      transactional: request.transactionalId !== null,
    }));
    expect(checked.ok ? "NONE" : checked.error).toBe(wanted);
    if (checked.ok) accepted(checked);
  });
});

test.each(["legacy-v0", "legacy-v1"].flatMap((file) => goldenBatches(file).map((line) => [line.name, line.hex] as const)))("%s is refused: formats 0 and 1 are gone", (_, hex) => expect(error(fromHex(hex))).toBe("INVALID_RECORD"));

describe("what came", () => {
  test("nothing, or less than a header: INVALID_RECORD", () => {
    for (const bytes of [0, 1, 11, 12, 16, 17, 60]) expect(error(three().subarray(0, bytes))).toBe("INVALID_RECORD");
  });
  test("a batch cut anywhere is INVALID_RECORD", () => {
    const batch = three();
    for (let bytes = 0; bytes < batch.length; bytes++) expect(error(batch.subarray(0, bytes))).toBe("INVALID_RECORD");
  });
  test("garbage after the batch is neither refused nor stored, as long as it is no batch", () => {
    const batch = three();
    for (let extra = 1; extra < 17; extra++) expect(accepted(validateProduce(Buffer.concat([batch, batch.subarray(0, extra)]), RULES)).batch).toHaveLength(batch.length);
    expect(accepted(validateProduce(Buffer.concat([batch, batch.subarray(0, batch.length - 1)]), RULES)).batch).toHaveLength(batch.length);
    expect(error(Buffer.concat([batch, batch]))).toBe("INVALID_RECORD");
    expect(error(Buffer.concat([batch, Buffer.alloc(20)]))).toBe("CORRUPT_MESSAGE"); // a length of 0
  });
  test.each([[-1, "CORRUPT_MESSAGE"], [0, "CORRUPT_MESSAGE"], [13, "CORRUPT_MESSAGE"], [48, "CORRUPT_MESSAGE"], [0x7fffffff, "INVALID_RECORD"]])("a length of %i: %s", (length, wanted) => {
    const batch = Buffer.from(three());
    batch.writeInt32BE(length, 8);
    expect(error(batch.subarray(0, Math.max(61, Math.min(batch.length, 12 + length))))).toBe(wanted);
  });
  test("any flipped bit behind the checksum is CORRUPT_MESSAGE", () => {
    const batch = three();
    fc.assert(fc.property(fc.integer({ min: 17 * 8, max: batch.length * 8 - 1 }), (bit) => {
      const copy = Buffer.from(batch);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // The transactional bit and zstd are asked about first, as Kafka does it.
      return error(copy, { transactional: true }) === "CORRUPT_MESSAGE";
    }), { numRuns: 300 });
  });
  test("no bytes make it throw, and what it accepts is whole", () => {
    const seeds = CODECS.map((codec) => three({ codec, producer: PRODUCER }));
    fc.assert(fc.property(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), fc.boolean(), (seed, edits, again) => {
      const copy = Buffer.from(seed);
      for (const [at, byte] of edits) copy[again ? 21 + (at % (copy.length - 21)) : at % copy.length] = byte;
      if (again) {
        const header = readBatchHeader(copy);
        if (Number.isSafeInteger(header.maxTimestamp)) stampAttributes(copy, { attributes: header.attributes, maxTimestamp: header.maxTimestamp });
      }
      const checked = validateProduce(copy, rules({ timestampAfterMaxMs: Number(2n ** 63n - 1n) }));
      if (!checked.ok) return true;
      const { header, batch } = accepted(checked);
      const records = readRecords(batch);
      return records.every((one, i) => one.offset === i) && records.length === header.recordCount && (header.logAppendTime || Math.max(-1, ...records.map((one) => one.timestamp)) === header.maxTimestamp);
    }), { numRuns: 2000 });
  });
});

describe("sizes", () => {
  test("max.message.bytes: below, at, above", () => {
    const batch = three();
    expect([1, 0, -1].map((more) => error(three(), { maxMessageBytes: batch.length + more }))).toEqual(["NONE", "NONE", "MESSAGE_TOO_LARGE"]);
  });
  test("holds again for a batch made again", () => {
    const many = Array.from({ length: 50 }, (_, i) => record(i, { value: Buffer.alloc(100) }));
    const packed = buildBatch(many, { codec: "gzip" });
    expect(error(packed, { compression: "none", maxMessageBytes: packed.length })).toBe("MESSAGE_TOO_LARGE");
  });
  test.each(["gzip", "snappy", "lz4", "zstd"] as const)("a %s bomb is MESSAGE_TOO_LARGE", (codec) => {
    const bomb = buildBatch([record(0, { value: Buffer.alloc(2 * 1024 * 1024) })], { codec });
    expect(error(bomb, { maxMessageBytes: Math.max(bomb.length, 4_000) })).toBe(bomb.length * 64 >= 2.1 * 1024 * 1024 ? "NONE" : "MESSAGE_TOO_LARGE");
  });
});

describe("the header", () => {
  test.each<[string, Uint8Array, string]>([
    ["a base offset", three({ baseOffset: 1 }), "INVALID_RECORD"],
    ["no records", buildBatch([], { lastOffsetDelta: 0 }), "INVALID_RECORD"],
    ["a last offset beyond the count", three({ lastOffsetDelta: 3 }), "INVALID_RECORD"],
    ["a transaction's marker", endMarker("commit", { id: 7n, epoch: 0 }, { coordinatorEpoch: 0, timestamp: NOW }), "INVALID_RECORD"],
    ["a control batch", three({ control: true }), "INVALID_RECORD"],
    ["a producer id without sequence", three({ producer: { ...PRODUCER, sequence: -1 } }), "INVALID_RECORD"],
    ["a producer id without epoch", three({ producer: { ...PRODUCER, epoch: -1 } }), "INVALID_RECORD"],
    ["a producer id below -1", three({ producer: { ...PRODUCER, id: -2n } }), "INVALID_RECORD"],
    ["a transaction of nobody", three({ transactional: true }), "INVALID_RECORD"],
    ["an idempotent producer", three({ producer: PRODUCER }), "NONE"],
    ["a transactional producer", three({ producer: PRODUCER, transactional: true }), "NONE"],
    ["codec 5", changed(three(), 22, [5]), "UNKNOWN_SERVER_ERROR"],
    ["codec 7", changed(three(), 22, [7]), "UNKNOWN_SERVER_ERROR"],
  ])("%s", (_, batch, wanted) => expect(error(Buffer.from(batch), { transactional: true })).toBe(wanted));

  test("a transactional batch needs a request with a transactional id", () => expect(error(three({ producer: PRODUCER, transactional: true }))).toBe("TRANSACTIONAL_ID_AUTHORIZATION_FAILED"));
  test("zstd needs Produce 7", () => expect([6, 7].map((produceVersion) => error(three({ codec: "zstd" }), { produceVersion }))).toEqual(["UNSUPPORTED_COMPRESSION_TYPE", "NONE"]));
});

describe("records", () => {
  test("a compacted topic takes no null key, and says which", () => {
    const batch = buildBatch([record(0), record(1, { key: null }), record(2, { key: new Uint8Array(0) }), record(3, { key: null })]);
    expect(validateProduce(batch, rules({ compacted: true }))).toMatchObject({ ok: false, error: "INVALID_RECORD", recordErrors: [{ index: 1 }, { index: 3 }] });
    expect(error(batch)).toBe("NONE");
  });
  test("timestamps: at the bounds and beyond; -1 is none", () => {
    const at = (timestamp: number) => error(buildBatch([record(0), record(1, { timestamp })]), { timestampBeforeMaxMs: 1000 });
    expect([NOW - 1000, NOW - 1001, NOW + HOUR_MS, NOW + HOUR_MS + 1, -1, 0, -2].map(at)).toEqual(["NONE", "INVALID_TIMESTAMP", "NONE", "INVALID_TIMESTAMP", "NONE", "INVALID_TIMESTAMP", "INVALID_TIMESTAMP"]);
  });
  test("one wrong timestamp gives the whole batch its code, even after a null key", () => {
    const batch = buildBatch([record(0, { key: null }), record(1, { timestamp: NOW + 2 * HOUR_MS })]);
    expect(validateProduce(batch, rules({ compacted: true }))).toMatchObject({ error: "INVALID_TIMESTAMP", recordErrors: [{ index: 0 }, { index: 1 }] });
  });
  test("timestamps that no number holds exactly are refused", () => {
    for (const base of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n) - 1n]) {
      const batch = Buffer.from(three());
      batch.writeBigInt64BE(base, 27);
      stampAttributes(batch, { attributes: 0, maxTimestamp: NOW });
      expect(error(batch, { timestampAfterMaxMs: Number(2n ** 63n - 1n) })).toBe("INVALID_TIMESTAMP");
    }
  });
  test("at most a hundred errors are listed", () => {
    const checked = validateProduce(buildBatch(Array.from({ length: 150 }, (_, i) => record(i, { key: null }))), rules({ compacted: true }));
    expect(checked.ok ? 0 : checked.recordErrors.length).toBe(100);
  });
});

describe("what an accepted batch becomes", () => {
  test.each(CODECS)("%s: the same bytes, in the caller's memory", (codec) => {
    const sent = Buffer.from(three({ codec, producer: PRODUCER }));
    const before = toHex(sent);
    const { batch } = accepted(validateProduce(sent, RULES));
    expect(toHex(batch)).toBe(before);
    expect(batch.buffer).toBe(sent.buffer);
  });
  test("a wrong largest timestamp is set right, with a new checksum", () => {
    for (const codec of CODECS) {
      const sent = Buffer.from(three({ codec }));
      stampAttributes(sent, { attributes: CODECS.indexOf(codec), maxTimestamp: NOW + 99_999 });
      expect(accepted(validateProduce(sent, RULES)).header.maxTimestamp).toBe(NOW + 2);
    }
  });
  test("append time: bit 3, the broker's clock, and the records' own deltas stay", () => {
    for (const codec of CODECS) {
      const { batch, header } = accepted(validateProduce(Buffer.from(three({ codec })), rules({ logAppendTime: true, nowMs: NOW + 5000 })));
      expect(header).toMatchObject({ logAppendTime: true, maxTimestamp: NOW + 5000, baseTimestamp: NOW });
      expect(readRecords(batch).map((one) => one.timestamp)).toEqual([NOW + 5000, NOW + 5000, NOW + 5000]);
    }
  });
  test("a client's append time is refused on a topic that sets it, and where it is no time; else its bit is taken away", () => {
    expect(error(three({ logAppendTime: NOW }), { logAppendTime: true })).toBe("INVALID_TIMESTAMP");
    expect(error(three({ logAppendTime: -1 }))).toBe("INVALID_TIMESTAMP");
    expect(error(three({ logAppendTime: NOW + 2 * HOUR_MS }))).toBe("INVALID_TIMESTAMP");
    expect(accepted(validateProduce(three({ logAppendTime: NOW + 77 }), RULES)).header).toMatchObject({ logAppendTime: false, maxTimestamp: NOW + 2 });
  });
  test("bits that are not the client's are cleared", () => {
    const sent = Buffer.from(three());
    stampAttributes(sent, { attributes: 0x7f40, maxTimestamp: NOW + 2 });
    expect(accepted(validateProduce(sent, RULES)).header).toMatchObject({ attributes: 0, deleteHorizon: false });
  });

  const all: readonly CodecName[] = CODECS;
  test.each(all.flatMap((from) => all.map((to) => [from, to] as const)))("%s to %s keeps every record and the producer", (from, to) => {
    const sent = three({ codec: from, producer: { id: 2n ** 40n, epoch: 3, sequence: 2147483647 }, transactional: true });
    const { batch, header } = accepted(validateProduce(Buffer.from(sent), rules({ compression: to, transactional: true })));
    expect(CODECS[header.codec]).toBe(to);
    expect(readRecords(batch)).toEqual(readRecords(sent));
    expect(header).toMatchObject({ producerId: 2n ** 40n, producerEpoch: 3, baseSequence: 2147483647, transactional: true, maxTimestamp: NOW + 2, lastOffsetDelta: 2 });
  });
  test("offsets within a batch that are not 0, 1, 2 are counted anew, and nothing else of a record changes", () => {
    // attributes | timestamp delta | offset delta | key | value | headers: attributes that mean nothing and a header key that is no UTF-8 must survive.
    const section = (bodies: readonly string[]) => Buffer.concat(bodies.map((hex) => Buffer.concat([Buffer.of(hex.length), fromHex(hex)]))); // half the digits, twice for zigzag
    const plain = section(["ff 00 0a 026b 0276 02 06fffefd 01", "01 0c 0e 01 01 00"].map((hex) => hex.replaceAll(" ", "")));
    const again = section(["ff 00 00 026b 0276 02 06fffefd 01", "01 0c 02 01 01 00"].map((hex) => hex.replaceAll(" ", "")));
    for (const codec of CODECS) {
      const sent = assembleBatch(compress(codec, plain), { baseOffset: 0, leaderEpoch: -1, attributes: CODECS.indexOf(codec), lastOffsetDelta: 1, baseTimestamp: NOW, maxTimestamp: NOW + 6, producerId: -1n, producerEpoch: -1, baseSequence: -1, recordCount: 2 });
      const { batch, header } = accepted(validateProduce(Buffer.from(sent), RULES));
      expect(toHex(batch)).toBe(toHex(assembleBatch(compress(codec, again), { ...header, baseOffset: 0 })));
    }
  });
});

describe("in another thread", () => {
  const world = (seen: string[]) => ({
    offload: async (job: string, input: Uint8Array, parameters: Parameters<typeof validateJob>[1]) => {
      seen.push(job);
      return new Uint8Array(await validateJob(new Uint8Array(input), structuredClone(parameters)));
    },
  });
  const big = (codec: CodecName) => buildBatch(Array.from({ length: 400 }, (_, i) => record(i, { value: Buffer.from(Array.from({ length: 600 }, (_, j) => (i * 2654435761 + j * 40503 * (j + i)) >>> 7)) })), { codec });

  test("a verdict survives the way there and back", () => {
    for (const [bytes, more] of [[three(), {}], [three(), { logAppendTime: true }], [three(), { compression: "gzip" as const }], [three({ baseOffset: 2 }), {}], [buildBatch([record(0, { key: null })]), { compacted: true }]] as const) {
      const verdict = judgeProduce(bytes, rules(more));
      const back = readVerdict(writeVerdict(verdict));
      expect({ ...back, rebuilt: back.ok && back.rebuilt ? toHex(back.rebuilt) : null }).toEqual({ ...verdict, rebuilt: verdict.ok && verdict.rebuilt ? toHex(verdict.rebuilt) : null });
    }
  });

  test.each(["gzip", "snappy", "lz4", "zstd"] as const)("large %s batches go there and end as they would here", async (codec) => {
    for (const more of [{}, { logAppendTime: true }, { compression: "lz4" as const }, { compacted: true, maxMessageBytes: 100 }]) {
      const seen: string[] = [];
      const sent = big(codec);
      expect(isHeavy(sent)).toBe(true);
      const there = await validateAnywhere(world(seen), Buffer.from(sent), rules(more));
      const here = validateProduce(Buffer.from(sent), rules(more));
      const plain = (checked: Validated) => (checked.ok ? { ...checked, batch: toHex(checked.batch) } : checked);
      expect(plain(there)).toEqual(plain(here));
      expect(seen).toEqual([VALIDATE_JOB]);
    }
  });

  test("plain ones and small ones stay", async () => {
    const seen: string[] = [];
    for (const batch of [big("none"), three({ codec: "gzip" })]) accepted(await validateAnywhere(world(seen), Buffer.from(batch), RULES));
    expect(seen).toEqual([]);
    expect(isHeavy(big("none"), rules({ compression: "zstd" }))).toBe(true);
    expect([0, 1].map((more) => isHeavy(changed(Buffer.alloc(61 + OFFLOAD_FROM_BYTES + more), 22, [1], "stale")))).toEqual([false, true]);
  });
});

test("error names used here exist", () => expect(errorCode("INVALID_RECORD")).toBe(87));

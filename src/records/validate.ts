/**
 * What a leader checks before it appends what a client sent for one partition: record-format.md §4, behaviours.md §17. Each batch is walked once. The
 * bytes stay as they came unless the topic forces another codec, offsets inside have gaps, or the clock of the broker is to be used.
 */
import type { ErrorName } from "../protocol/errors.js";
import { asBuffer, CODECS, HEADER_BYTES, isIntact, LOG_OVERHEAD_BYTES, MAGIC, readBatchHeader, sizeAt, stampTime, type BatchHeader, type CodecName } from "./batch.js";
import { buildBatch } from "./builder.js";
import { CodecError } from "./codecs.js";
import { Cursor, readRecords, RecordFault, recordsSection } from "./record.js";

export interface ProduceRules {
  readonly maxMessageBytes: number;
  readonly compacted: boolean;
  readonly logAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly nowMs: number;
  readonly compression: "producer" | CodecName;
  readonly produceVersion: number;
  readonly transactional: boolean; // the request names a transactional id
}

export type Validated =
  /** `batch` is the caller's bytes, or new ones where they had to be made again. */
  | { readonly ok: true; readonly batch: Uint8Array; readonly header: BatchHeader }
  | { readonly ok: false; readonly error: ErrorName; readonly message: string; readonly recordErrors: readonly { readonly index: number; readonly message: string }[] };

/** What comes out of a compressed batch is bounded by this many times the largest batch allowed. */
const EXPANSION_MAX = 64;
const RECORD_ERRORS_MAX = 100;
/** Above this size a compressed batch is checked off the thread. */
export const OFFLOAD_FROM_BYTES = 64 * 1024;

/** Is the check dear enough to leave the thread? */
export function isHeavy(bytes: Uint8Array): boolean {
  return bytes.length > OFFLOAD_FROM_BYTES + HEADER_BYTES && (asBuffer(bytes).readInt16BE(21) & 7) !== 0;
}

export function validateProduce(bytes: Uint8Array, rules: ProduceRules): Validated {
  const b = asBuffer(bytes);
  if (b.length < LOG_OVERHEAD_BYTES) return refuse("INVALID_RECORD", "no record batch");
  const size = sizeAt(b);
  if (size < HEADER_BYTES) return refuse(size < LOG_OVERHEAD_BYTES + 14 ? "INVALID_RECORD" : "CORRUPT_MESSAGE", "a batch smaller than its header");
  if (size > b.length) return refuse("INVALID_RECORD", "the batch is cut short");
  if (b[16] !== MAGIC) return (b[16] ?? 0) < MAGIC ? refuse("INVALID_RECORD", "message formats 0 and 1 are gone since Kafka 4.0: use a client that writes format 2") : refuse("CORRUPT_MESSAGE", "an unknown message format");
  if (b.length - size >= LOG_OVERHEAD_BYTES + 5 && sizeAt(b, size) <= b.length - size) return refuse("INVALID_RECORD", "one batch for each partition, more were sent");

  const batch = b.subarray(0, size); // a few bytes of garbage after it are not stored
  const header = readBatchHeader(batch);
  if (size > rules.maxMessageBytes) return refuse("MESSAGE_TOO_LARGE", `the batch has ${size} bytes, max.message.bytes allows ${rules.maxMessageBytes}`);
  if (!isIntact(batch, 0, size)) return refuse("CORRUPT_MESSAGE", "the batch's checksum is wrong");
  const wrong = checkHeader(header, rules);
  if (wrong !== null) return wrong;

  try {
    const section = recordsSection(batch, header, Math.max(rules.maxMessageBytes * EXPANSION_MAX, 1 << 20));
    const walk = walkRecords(section, header, rules);
    if (walk.error !== null) return walk.error;
    return settle(batch, header, rules, walk);
  } catch (error) {
    if (error instanceof CodecError) {
      if (error.code === "too-large") return refuse("MESSAGE_TOO_LARGE", error.message);
      return refuse("UNKNOWN_SERVER_ERROR", error.message); // what Kafka answers to bytes that do not decompress
    }
    if (error instanceof RecordFault) return refuse("INVALID_RECORD", error.message, error.index);
    throw error;
  }
}

function checkHeader(header: BatchHeader, rules: ProduceRules): Validated | null {
  if (header.baseOffset !== 0) return refuse("INVALID_RECORD", "the base offset is the broker's to give: send 0");
  if (header.recordCount <= 0 || header.recordCount !== header.lastOffsetDelta + 1) return refuse("INVALID_RECORD", "record count and last offset disagree");
  if (header.control) return refuse("INVALID_RECORD", "control batches are the broker's to write");
  if (header.producerId !== -1n && header.baseSequence < 0) return refuse("INVALID_RECORD", "a producer id without a sequence");
  if (header.codec >= CODECS.length) return refuse("UNKNOWN_SERVER_ERROR", `codec ${header.codec} does not exist`);
  if (CODECS[header.codec] === "zstd" && rules.produceVersion < 7) return refuse("UNSUPPORTED_COMPRESSION_TYPE", "zstd needs Produce version 7");
  if (header.logAppendTime && rules.logAppendTime) return refuse("INVALID_TIMESTAMP", "the append time is the broker's to give");
  return null;
}

interface Walk {
  readonly error: Validated | null;
  readonly maxTimestamp: number;
  readonly gapless: boolean;
}

/** One pass over the records, without an object for each. @throws RecordFault */
function walkRecords(section: Buffer, header: BatchHeader, rules: ProduceRules): Walk {
  const cursor = new Cursor(section, 0, section.length);
  const wrong: { index: number; message: string }[] = [];
  let wrongTime = false;
  let maxTimestamp = -1;
  let gapless = true;
  const earliest = rules.nowMs - rules.timestampBeforeMaxMs;
  const latest = rules.nowMs + rules.timestampAfterMaxMs;
  const note = (index: number, message: string) => {
    if (wrong.length < RECORD_ERRORS_MAX) wrong.push({ index, message });
  };
  for (let i = 0; i < header.recordCount; i++) {
    cursor.index = i;
    const length = cursor.varint();
    const end = cursor.at + length;
    if (length < 0 || end > cursor.end) cursor.fail("a record's length runs out of the batch");
    cursor.byte();
    const timestamp = header.baseTimestamp + cursor.varlong();
    if (cursor.varint() !== i) gapless = false;
    const key = cursor.varint();
    if (key < -1) cursor.fail("a length below -1");
    if (key >= 0) cursor.take(key);
    else if (rules.compacted) note(i, "a compacted topic takes no record without a key");
    const value = cursor.varint();
    if (value < -1) cursor.fail("a length below -1");
    if (value >= 0) cursor.take(value);
    skipHeaders(cursor, end);
    if (cursor.at !== end) cursor.fail("a record's length disagrees with its content");
    if (!rules.logAppendTime && timestamp !== -1 && (timestamp < earliest || timestamp > latest)) {
      wrongTime = true;
      note(i, `timestamp ${timestamp} is out of the range that message.timestamp.before.max.ms and after.max.ms allow`);
    }
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
  }
  if (cursor.at !== section.length) cursor.fail("bytes after the last record");
  const first = wrong[0];
  const error: Validated | null = first === undefined ? null : { ok: false, error: wrongTime ? "INVALID_TIMESTAMP" : "INVALID_RECORD", message: first.message, recordErrors: wrong };
  return { error, maxTimestamp, gapless };
}

function skipHeaders(cursor: Cursor, end: number): void {
  const count = cursor.varint();
  if (count < 0 || count > (end - cursor.at) / 2) cursor.fail("a header count that cannot be");
  for (let i = 0; i < count; i++) {
    const key = cursor.varint();
    if (key < 0) cursor.fail("a header without a key");
    cursor.take(key);
    const value = cursor.varint();
    if (value >= 0) cursor.take(value);
    else if (value < -1) cursor.fail("a length below -1");
  }
}

/** Makes the batch what the topic wants it to be; untouched where nothing differs. */
function settle(batch: Buffer, header: BatchHeader, rules: ProduceRules, walk: Walk): Validated {
  const wanted = rules.compression === "producer" ? header.codec : CODECS.indexOf(rules.compression);
  if (wanted !== header.codec || !walk.gapless) {
    const rebuilt = buildBatch(
      readRecords(batch).map((record) => ({ key: record.key, value: record.value, timestamp: record.timestamp, headers: record.headers })),
      {
        codec: CODECS[wanted] ?? "none",
        producer: { id: header.producerId, epoch: header.producerEpoch, sequence: header.baseSequence },
        transactional: header.transactional,
        ...(rules.logAppendTime ? { logAppendTime: rules.nowMs } : {}),
      },
    );
    if (rebuilt.length > rules.maxMessageBytes) return refuse("MESSAGE_TOO_LARGE", `rebuilt for the topic, the batch has ${rebuilt.length} bytes`);
    return { ok: true, batch: rebuilt, header: readBatchHeader(rebuilt) };
  }
  if (rules.logAppendTime) stampTime(batch, { maxTimestamp: rules.nowMs, logAppendTime: true });
  else if (header.maxTimestamp !== walk.maxTimestamp && !header.logAppendTime) stampTime(batch, { maxTimestamp: walk.maxTimestamp, logAppendTime: false });
  else return { ok: true, batch, header };
  return { ok: true, batch, header: readBatchHeader(batch) };
}

function refuse(error: ErrorName, message: string, index?: number): Validated {
  return { ok: false, error, message, recordErrors: index === undefined ? [] : [{ index, message }] };
}

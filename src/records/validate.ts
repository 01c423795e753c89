/**
 * What a leader checks before it appends what a client sent for one partition: record-format.md §4, behaviours.md §17. The batch is walked once; what
 * comes of that is a verdict: refused, or accepted as it is, with two header fields to stamp, or made again. To judge touches nothing, so it may happen
 * in another thread (validate-job.ts); the verdict is then carried out here.
 */
import type { ErrorName } from "../protocol/errors.js";
import { asBuffer, CODECS, HEADER_BYTES, isIntact, LOG_OVERHEAD_BYTES, MAGIC, readBatchHeader, sizeAt, stampAttributes, type BatchHeader, type CodecName } from "./batch.js";
import { CodecError } from "./codecs.js";
import { rebuild } from "./rebuild.js";
import { RecordCursor, RecordFault, recordsSection } from "./record.js";

export interface ProduceRules {
  /** Topic setting max.message.bytes. */
  readonly maxMessageBytes: number;
  /** cleanup.policy contains compact: each record needs a key. */
  readonly compacted: boolean;
  /** message.timestamp.type is LogAppendTime. */
  readonly logAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly nowMs: number;
  /** compression.type: keep the producer's, or force one. */
  readonly compression: "producer" | CodecName;
  readonly produceVersion: number;
  /** The request names a transactional id. */
  readonly transactional: boolean;
}

export interface RecordError {
  /** The record's place in the batch. */
  readonly index: number;
  readonly message: string;
}

export interface Refused {
  readonly ok: false;
  readonly error: ErrorName;
  readonly message: string;
  /** For Produce 8 and later (KIP-467). At most 100 of them. */
  readonly recordErrors: readonly RecordError[];
}

/** `batch` is the caller's memory without what came after the batch, stamped in place where need was, or new bytes where it had to be made again. */
export type Validated = { readonly ok: true; readonly batch: Uint8Array; readonly header: BatchHeader } | Refused;

export interface Accepted {
  readonly ok: true;
  /** How many of the bytes sent are the batch; a few bytes of garbage after it are not stored. */
  readonly bytes: number;
  /** Header fields to set, or null when they are right. */
  readonly stamp: { readonly attributes: number; readonly maxTimestamp: number } | null;
  /** The batch made again, or null when the bytes sent will do. */
  readonly rebuilt: Uint8Array | null;
}

export type Verdict = Accepted | Refused;

/** What comes out of a compressed batch is bounded by this many times the largest batch allowed, and by what a node can bear. */
const EXPANSION_MAX = 64;
const DECOMPRESSED_LEAST_BYTES = 1024 * 1024;
const DECOMPRESSED_MOST_BYTES = 256 * 1024 * 1024;
const RECORD_ERRORS_MAX = 100;
/** Above this size a compressed batch is checked off the thread. */
export const OFFLOAD_FROM_BYTES = 64 * 1024;
/** Shortest length field that Kafka's reader takes for that of a batch or message of any format. */
const LENGTH_LEAST = 14;
const UP_TO_MAGIC_BYTES = 17;
/** Codec and transactional bit are the client's to set; the rest is ours or unused. */
const CLIENT_ATTRIBUTES = 0b10111;

/** Is the check dear enough to leave the thread? */
export function isHeavy(bytes: Uint8Array, rules?: Pick<ProduceRules, "compression">): boolean {
  if (bytes.length <= OFFLOAD_FROM_BYTES + HEADER_BYTES) return false;
  const codec = asBuffer(bytes).readInt16BE(21) & 7;
  return codec !== 0 || (rules !== undefined && rules.compression !== "producer" && rules.compression !== "none");
}

/** Judges, and carries out the verdict at once. */
export function validateProduce(bytes: Uint8Array, rules: ProduceRules): Validated {
  return settle(bytes, judgeProduce(bytes, rules));
}

/** Carries out a verdict on the bytes that it was passed on. */
export function settle(bytes: Uint8Array, verdict: Verdict): Validated {
  if (!verdict.ok) return verdict;
  const batch = verdict.rebuilt ?? asBuffer(bytes).subarray(0, verdict.bytes);
  if (verdict.stamp !== null) stampAttributes(batch, verdict.stamp);
  return { ok: true, batch, header: readBatchHeader(batch) };
}

/** Decides what to do with one partition's records of a Produce request. Changes nothing. */
export function judgeProduce(bytes: Uint8Array, rules: ProduceRules): Verdict {
  const b = asBuffer(bytes);
  const first = nextSize(b, 0);
  if (typeof first !== "number") return first ?? refuse("INVALID_RECORD", "no whole record batch");
  if ((b[16] as number) < MAGIC) return refuse("INVALID_RECORD", "message formats 0 and 1 are gone since Kafka 4.0: use a client that writes format 2");
  const second = nextSize(b, first);
  if (typeof second === "number") return refuse("INVALID_RECORD", "one batch for each partition, more were sent");
  if (second !== null) return second;
  if (first < HEADER_BYTES) return refuse("CORRUPT_MESSAGE", "a batch smaller than its header");

  const batch = b.subarray(0, first);
  const header = readBatchHeader(batch);
  if (header.transactional && !rules.transactional) return refuse("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "a transactional batch in a request without a transactional id");
  if (CODECS[header.codec] === "zstd" && rules.produceVersion < 7) return refuse("UNSUPPORTED_COMPRESSION_TYPE", "zstd needs Produce version 7");
  if (header.baseOffset !== 0) return refuse("INVALID_RECORD", "the base offset is the broker's to give: send 0");
  if (first > rules.maxMessageBytes) return refuse("MESSAGE_TOO_LARGE", `the batch has ${first} bytes, max.message.bytes allows ${rules.maxMessageBytes}`);
  if (!isIntact(batch, 0, first)) return refuse("CORRUPT_MESSAGE", "the batch's checksum is wrong");
  return checkHeader(header, rules) ?? judgeRecords(batch, header, rules);
}

/** Size of the batch or message at `at`; null where nothing whole is left. Kafka splits in this order, and what it cannot read it calls corrupt. */
function nextSize(b: Buffer, at: number): number | null | Refused {
  const left = b.length - at;
  if (left < LOG_OVERHEAD_BYTES) return null;
  const size = sizeAt(b, at);
  if (size < LOG_OVERHEAD_BYTES + LENGTH_LEAST) return refuse("CORRUPT_MESSAGE", `a batch length of ${size - LOG_OVERHEAD_BYTES}`);
  if (left < UP_TO_MAGIC_BYTES) return null;
  const magic = b.readInt8(at + UP_TO_MAGIC_BYTES - 1);
  if (magic < 0 || magic > MAGIC) return refuse("CORRUPT_MESSAGE", `there is no message format ${magic}`);
  return left < size ? null : size;
}

function checkHeader(header: BatchHeader, rules: ProduceRules): Refused | null {
  if (header.recordCount <= 0 || header.recordCount !== header.lastOffsetDelta + 1) return refuse("INVALID_RECORD", "record count and last offset disagree");
  if (header.control) return refuse("INVALID_RECORD", "control batches are the broker's to write");
  if (header.producerId < -1n || (header.producerId >= 0n && (header.producerEpoch < 0 || header.baseSequence < 0))) return refuse("INVALID_RECORD", "a producer needs an id, an epoch and a sequence");
  if (header.transactional && header.producerId < 0n) return refuse("INVALID_RECORD", "a transactional batch without a producer id");
  if (header.codec >= CODECS.length) return refuse("UNKNOWN_SERVER_ERROR", `codec ${header.codec} does not exist`);
  if (header.logAppendTime && (rules.logAppendTime || header.maxTimestamp === -1)) return refuse("INVALID_TIMESTAMP", "the append time is the broker's to give");
  return null;
}

function judgeRecords(batch: Buffer, header: BatchHeader, rules: ProduceRules): Verdict {
  try {
    const section = recordsSection(batch, header, decompressedMaxBytes(rules));
    const walk = walkRecords(section, header, rules);
    if (walk.refused !== null) return walk.refused;
    const codec = rules.compression === "producer" ? header.codec : CODECS.indexOf(rules.compression);
    const attributes = (header.attributes & CLIENT_ATTRIBUTES & ~7) | codec | (rules.logAppendTime ? 8 : 0);
    const maxTimestamp = rules.logAppendTime ? rules.nowMs : walk.maxTimestamp;
    if (codec === header.codec && walk.gapless) {
      const right = attributes === header.attributes && maxTimestamp === header.maxTimestamp;
      return { ok: true, bytes: batch.length, stamp: right ? null : { attributes, maxTimestamp }, rebuilt: null };
    }
    const rebuilt = rebuild(section, header, { codec: CODECS[codec] ?? "none", gapless: walk.gapless, attributes, maxTimestamp });
    if (rebuilt.length > rules.maxMessageBytes) return refuse("MESSAGE_TOO_LARGE", `made again for the topic, the batch has ${rebuilt.length} bytes; max.message.bytes allows ${rules.maxMessageBytes}`);
    return { ok: true, bytes: batch.length, stamp: null, rebuilt };
  } catch (error) {
    if (error instanceof RecordFault) return refuse("INVALID_RECORD", error.message, [{ index: error.index, message: error.message }]);
    if (!(error instanceof CodecError)) throw error;
    // Kafka answers -1 to bytes that do not decompress. A bomb it would try to hold; here it is a batch too large.
    return refuse(error.code === "too-large" ? "MESSAGE_TOO_LARGE" : "UNKNOWN_SERVER_ERROR", error.message);
  }
}

function decompressedMaxBytes(rules: ProduceRules): number {
  return Math.max(DECOMPRESSED_LEAST_BYTES, Math.min(DECOMPRESSED_MOST_BYTES, rules.maxMessageBytes * EXPANSION_MAX));
}

interface Walk {
  readonly refused: Refused | null;
  readonly maxTimestamp: number;
  /** Offsets within the batch are 0, 1, 2 … */
  readonly gapless: boolean;
}

/** One pass over the records, without an object for each. Timestamps beyond ±2^53 are refused, for we could not say what they are. @throws RecordFault */
function walkRecords(section: Uint8Array, header: BatchHeader, rules: ProduceRules): Walk {
  const cursor = new RecordCursor(section, header.recordCount);
  const errors: RecordError[] = [];
  const earliest = Math.max(Number.MIN_SAFE_INTEGER, rules.logAppendTime ? -Infinity : rules.nowMs - rules.timestampBeforeMaxMs);
  const latest = Math.min(Number.MAX_SAFE_INTEGER, rules.logAppendTime ? Infinity : rules.nowMs + rules.timestampAfterMaxMs);
  let wrongTime = false;
  let maxTimestamp = -1;
  let gapless = true;
  const note = (message: string) => {
    if (errors.length < RECORD_ERRORS_MAX) errors.push({ index: cursor.index, message });
  };
  const noteTime = (timestamp: number) => {
    wrongTime = true;
    note(`timestamp ${timestamp} is not between ${earliest} and ${latest}, which message.timestamp.before.max.ms and message.timestamp.after.max.ms allow`);
  };
  // On a topic with create time, a batch that claims its append time is checked by that too; its bit is then taken away.
  const claimed = header.logAppendTime && (header.maxTimestamp < earliest || header.maxTimestamp > latest);
  while (cursor.next()) {
    if (cursor.offsetDelta !== cursor.index) gapless = false;
    if (cursor.keyBytes < 0 && rules.compacted) note("a compacted topic takes no record without a key");
    const timestamp = header.baseTimestamp + cursor.timestampDelta;
    if (claimed) noteTime(header.maxTimestamp);
    else if ((timestamp < earliest || timestamp > latest) && timestamp !== -1) noteTime(timestamp);
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
  }
  const first = errors[0];
  const refused = first === undefined ? null : refuse(wrongTime ? "INVALID_TIMESTAMP" : "INVALID_RECORD", first.message, errors);
  return { refused, maxTimestamp, gapless };
}

function refuse(error: ErrorName, message: string, recordErrors: readonly RecordError[] = []): Refused {
  return { ok: false, error, message, recordErrors };
}

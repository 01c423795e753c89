/**
 * The door of `records/`: a record batch of format 2 is bytes that are checked once and passed on as they are. Its header can be read and stamped where
 * it lies; the records behind it are one section, compressed as a whole or plain.
 *
 *   0         8        12      16    17    21           23          27             35            43          51     53        57      61
 *   | base    | length | epoch | mag | crc | attributes | last      | base         | max         | producer  | its  | base    | record | records …
 *   | offset  |        |       | ic  |     |            | delta     | timestamp    | timestamp   | id        | epoch| sequence| count  |
 *   └─ the leader stamps these ──┘         └─ what the checksum covers ───────────────────────────────────────────────────────────────────▶
 *
 * record.ts reads the section, builder.ts makes batches, validate.ts is the leader's check of what clients send, codecs.ts compresses.
 */
import { assert } from "../base/assert.js";
import { crc32c } from "../base/crc32c.js";

export const HEADER_BYTES = 61;
/** Size field and what stands before it. */
export const LOG_OVERHEAD_BYTES = 12;
export const MAGIC = 2;

const LENGTH = 8;
const EPOCH = 12;
const MAGIC_AT = 16;
const CRC = 17;
const ATTRIBUTES = 21;
const LAST_DELTA = 23;
const BASE_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
const PRODUCER_ID = 43;
const PRODUCER_EPOCH = 51;
const BASE_SEQUENCE = 53;
const COUNT = 57;

export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type CodecName = (typeof CODECS)[number];

export interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Whole size, the length field and what stands before it included. */
  readonly bytes: number;
  readonly leaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly attributes: number;
  /** Bits 0-2; CODECS has their names, 5-7 have none. */
  readonly codec: number;
  readonly logAppendTime: boolean;
  readonly transactional: boolean;
  readonly control: boolean;
  /** The base timestamp field holds a delete horizon; record timestamps count from it all the same. KIP-534. */
  readonly deleteHorizon: boolean;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** The same memory; what is a Buffer already costs nothing, unlike the one in base/. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * A big-endian int64 as a number: exact within ±2^53. Beyond it is off by a little but never comes back inside, so who trusts nobody asks for a safe
 * integer and loses nothing: no offset of ours lies there, and validate.ts refuses such timestamps.
 */
function int64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4);
}

/** The header at `position`; its 61 bytes must be there. */
export function readBatchHeader(bytes: Uint8Array, position = 0): BatchHeader {
  const b = asBuffer(bytes);
  const attributes = b.readInt16BE(position + ATTRIBUTES);
  const baseOffset = int64(b, position);
  const lastOffsetDelta = b.readInt32BE(position + LAST_DELTA);
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    bytes: LOG_OVERHEAD_BYTES + b.readInt32BE(position + LENGTH),
    leaderEpoch: b.readInt32BE(position + EPOCH),
    magic: b.readInt8(position + MAGIC_AT),
    crc: b.readUInt32BE(position + CRC),
    attributes,
    codec: attributes & 7,
    logAppendTime: (attributes & 8) !== 0,
    transactional: (attributes & 16) !== 0,
    control: (attributes & 32) !== 0,
    deleteHorizon: (attributes & 64) !== 0,
    lastOffsetDelta,
    baseTimestamp: int64(b, position + BASE_TIMESTAMP),
    maxTimestamp: int64(b, position + MAX_TIMESTAMP),
    producerId: b.readBigInt64BE(position + PRODUCER_ID),
    producerEpoch: b.readInt16BE(position + PRODUCER_EPOCH),
    baseSequence: b.readInt32BE(position + BASE_SEQUENCE),
    recordCount: b.readInt32BE(position + COUNT),
  };
}

export const baseOffsetAt = (bytes: Uint8Array, position = 0): number => int64(asBuffer(bytes), position);
export const sizeAt = (bytes: Uint8Array, position = 0): number => LOG_OVERHEAD_BYTES + asBuffer(bytes).readInt32BE(position + LENGTH);
export const leaderEpochAt = (bytes: Uint8Array, position = 0): number => asBuffer(bytes).readInt32BE(position + EPOCH);
export const lastOffsetAt = (bytes: Uint8Array, position = 0): number => baseOffsetAt(bytes, position) + asBuffer(bytes).readInt32BE(position + LAST_DELTA);
export const maxTimestampAt = (bytes: Uint8Array, position = 0): number => int64(asBuffer(bytes), position + MAX_TIMESTAMP);
export const magicAt = (bytes: Uint8Array, position = 0): number => asBuffer(bytes).readInt8(position + MAGIC_AT);

/** Base offset and leader epoch lie before what the checksum covers, so a leader may set them in place. */
export function stampBase(bytes: Uint8Array, position: number, stamp: { readonly offset: number; readonly epoch: number }): void {
  const b = asBuffer(bytes);
  assert(Number.isSafeInteger(stamp.offset) && stamp.offset >= 0, "a base offset is a safe integer from 0 up");
  b.writeInt32BE(Math.floor(stamp.offset / 2 ** 32), position);
  b.writeUInt32BE(stamp.offset % 2 ** 32, position + 4);
  b.writeInt32BE(stamp.epoch, position + EPOCH);
}

/** Sets the largest timestamp, bit 3 to whether the broker's clock made it, and the new checksum. `batch` is one batch, whole and alone. */
export function stampTime(batch: Uint8Array, stamp: { readonly maxTimestamp: number; readonly logAppendTime: boolean }): void {
  const attributes = asBuffer(batch).readInt16BE(ATTRIBUTES);
  stampAttributes(batch, { attributes: stamp.logAppendTime ? attributes | 8 : attributes & ~8, maxTimestamp: stamp.maxTimestamp });
}

/** Sets both fields and the new checksum. `batch` is one batch, whole and alone. */
export function stampAttributes(batch: Uint8Array, stamp: { readonly attributes: number; readonly maxTimestamp: number }): void {
  const b = asBuffer(batch);
  assert(sizeAt(b) === b.length, "the checksum covers one batch, to its end");
  b.writeInt16BE(stamp.attributes, ATTRIBUTES);
  b.writeBigInt64BE(BigInt(stamp.maxTimestamp), MAX_TIMESTAMP);
  b.writeUInt32BE(crc32c(b.subarray(ATTRIBUTES)), CRC);
}

/** Does the checksum agree? `bytes` holds the whole batch at `position`. */
export function isIntact(bytes: Uint8Array, position: number, size: number): boolean {
  const b = asBuffer(bytes);
  return crc32c(b.subarray(position + ATTRIBUTES, position + size)) === b.readUInt32BE(position + CRC);
}

/** Where one batch lies in a run of batches. */
export interface BatchSpan {
  readonly position: number;
  readonly bytes: number;
}

export type SplitEnd = { readonly at: number; readonly reason: "end" | "incomplete" | "bad-length" | "bad-magic" };

/**
 * Whole batches in order, without checksums. Stops before a tail that is cut short ("incomplete") or that cannot be a batch.
 */
export function splitBatches(bytes: Uint8Array): { readonly spans: readonly BatchSpan[]; readonly end: SplitEnd } {
  const b = asBuffer(bytes);
  const spans: BatchSpan[] = [];
  let at = 0;
  for (;;) {
    const left = b.length - at;
    if (left === 0) return { spans, end: { at, reason: "end" } };
    if (left < LOG_OVERHEAD_BYTES) return { spans, end: { at, reason: "incomplete" } };
    const size = sizeAt(b, at);
    if (size < HEADER_BYTES) return { spans, end: { at, reason: "bad-length" } };
    if (left >= MAGIC_AT + 1 && b[at + MAGIC_AT] !== MAGIC) return { spans, end: { at, reason: "bad-magic" } };
    if (left < size) return { spans, end: { at, reason: "incomplete" } };
    spans.push({ position: at, bytes: size });
    at += size;
  }
}

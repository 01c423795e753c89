/** Finds records by time: the time index says where to begin, batch headers which batch, and only that batch is opened. */
import { epoch, offset } from "../base/ids.js";
import { HEADER_BYTES, type BatchHeader } from "../records/batch.js";
import { readRecords } from "../records/record.js";
import type { BufferPool } from "../base/buffer-pool.js";
import type { IndexFiles } from "./index-files.js";
import type { TimestampHit } from "./partition-log.js";
import type { ReadableLog } from "./read-plan.js";
import { scanBatches } from "./scan.js";
import type { Segment } from "./segment.js";

export interface TimestampTools {
  readonly indexes: IndexFiles;
  readonly buffers: BufferPool;
}

/** First record at or after the log's start and below `upTo` that is not earlier than `timestampMs`. */
export async function findTimestamp(log: ReadableLog, tools: TimestampTools, timestampMs: number, upTo: number): Promise<TimestampHit | null> {
  for (const segment of [...log.segments]) {
    if (segment.base >= upTo) return null;
    const max = tools.indexes.maxOf(segment, log.indexIntervalBytes);
    if (max === null || max.timestampMs < timestampMs) continue;
    const hit = await findInSegment(log, tools, segment, upTo, (header) => header.maxTimestamp >= timestampMs, timestampMs);
    if (hit !== null) return hit;
  }
  return null;
}

/** First record that has the largest timestamp of all below `upTo`. */
export async function findMaxTimestamp(log: ReadableLog, tools: TimestampTools, upTo: number): Promise<TimestampHit | null> {
  let best: { readonly segment: Segment; readonly timestampMs: number } | null = null;
  for (const segment of [...log.segments]) {
    if (segment.base >= upTo) break;
    let timestampMs = tools.indexes.maxOf(segment, log.indexIntervalBytes)?.timestampMs ?? -1;
    if (segment.next > upTo || segment.base < log.start) timestampMs = await maxBetween(log, tools, segment, upTo);
    if (timestampMs >= 0 && timestampMs > (best?.timestampMs ?? -1)) best = { segment, timestampMs };
  }
  if (best === null) return null;
  const wanted = best.timestampMs;
  return findInSegment(log, tools, best.segment, upTo, (header) => header.maxTimestamp >= wanted, wanted);
}

async function maxBetween(log: ReadableLog, tools: TimestampTools, segment: Segment, upTo: number): Promise<number> {
  let max = -1;
  await scanBatches(segment.file, tools.buffers, { from: 0, to: segment.written, minOffset: segment.base, checksums: false }, (header) => {
    if (header.baseOffset >= upTo) return false;
    if (header.lastOffset >= log.start) max = Math.max(max, header.maxTimestamp);
    return true;
  });
  return max;
}

async function findInSegment(log: ReadableLog, tools: TimestampTools, segment: Segment, upTo: number, wanted: (header: BatchHeader) => boolean, timestampMs: number): Promise<TimestampHit | null> {
  const { offsets, times } = tools.indexes.of(segment, log.indexIntervalBytes);
  let from = offsets.positionBefore(times.offsetBefore(timestampMs));
  for (;;) {
    let found: { readonly position: number; readonly header: BatchHeader } | null = null;
    if (from >= segment.written) return null;
    await scanBatches(segment.file, tools.buffers, { from, to: segment.written, minOffset: segment.base, checksums: false }, (header, position) => {
      if (header.baseOffset >= upTo) return false;
      if (header.lastOffset < log.start || !wanted(header)) return true;
      found = { position, header };
      return false;
    });
    // The callback assigned it, which the compiler does not see.
    const batch = found as { readonly position: number; readonly header: BatchHeader } | null;
    if (batch === null) return null;
    const hit = await findInBatch(log, segment, batch.position, batch.header, timestampMs, upTo);
    if (hit !== null) return hit;
    from = batch.position + batch.header.bytes; // its header promised more than its records hold, or they lie outside
  }
}

async function findInBatch(log: ReadableLog, segment: Segment, position: number, header: BatchHeader, timestampMs: number, upTo: number): Promise<TimestampHit | null> {
  const leader = epoch(header.leaderEpoch);
  if (header.logAppendTime) {
    const first = Math.max(header.baseOffset, log.start);
    return first < upTo ? { timestampMs: header.maxTimestamp, offset: offset(first), epoch: leader } : null;
  }
  const batch = Buffer.allocUnsafe(header.bytes);
  if ((await segment.file.read(position, batch)) < batch.length || header.bytes < HEADER_BYTES) return null;
  for (const record of readRecords(batch)) {
    if (record.timestamp < timestampMs || record.offset < log.start) continue;
    return record.offset < upTo ? { timestampMs: record.timestamp, offset: offset(record.offset), epoch: leader } : null;
  }
  return null;
}


/** Bringing a log's memory back from its files: where a segment's index can be trusted, and what was known of producers at an offset. */
import type { Disk } from "../world/disk.js";
import type { BufferPool } from "../base/buffer-pool.js";
import { segmentName } from "./names.js";
import { OffsetIndex } from "./offset-index.js";
import { decodeSnapshot, restoreBatches } from "./producer-snapshot.js";
import { Producers } from "./producers.js";
import { scanBatches, type HeaderWalk } from "./scan.js";
import type { Indexes, Segment } from "./segment.js";
import { readSmallFile } from "./small-file.js";
import { TimeIndex } from "./time-index.js";
import { readMarker } from "./transactions.js";

/**
 * Sets a segment to the last indexed batch at or before `from`, or to its first byte when the index disagrees with the batches.
 * @param indexes what the files hold, changed in place; null where they hold nothing of use
 * @param size bytes of the segment that count
 * @returns the position from which batches are to be accepted again
 */
export function resumeSegment(segment: Segment, indexes: Indexes | null, walk: HeaderWalk, place: { readonly from: number; readonly size: number }): number {
  if (indexes !== null && place.from > segment.base && place.size > 0) {
    indexes.offsets.truncate({ offset: place.from, position: place.size });
    const last = indexes.offsets.count === 0 ? null : indexes.offsets.entry(indexes.offsets.count - 1);
    try {
      if (last !== null && walk.begin(segment.file, last.position, place.size) && walk.last === last.offset) {
        const base = walk.base;
        if (walk.begin(segment.file, 0, place.size)) segment.firstTimestampMs = walk.header.maxTimestamp;
        indexes.times.truncate(last.offset + 1);
        segment.resume(indexes, { position: last.position, next: base });
        return last.position;
      }
    } catch {
      // No batch where the index says one is. It is made anew from the first byte; whoever scans judges the batches.
    }
  }
  segment.resume({ offsets: new OffsetIndex(segment.base), times: new TimeIndex(segment.base) }, { position: 0, next: segment.base });
  return 0;
}

/**
 * The newest snapshot that is whole, out of `offsets`; null when there is none. One that Kafka wrote has no batches beside it, and with the last batch
 * alone a retry of the four before would be refused: then the log itself is read.
 */
export function loadSnapshot(disk: Disk, folder: string, offsets: readonly number[], nowMs: number): { readonly offset: number; readonly producers: Producers } | null {
  for (const at of [...offsets].sort((a, b) => b - a)) {
    const bytes = readSmallFile(disk, `${folder}/${segmentName(at, "snapshot")}`);
    const batches = readSmallFile(disk, `${folder}/${segmentName(at, "producers")}`);
    const producers = bytes === null || batches === null ? null : decodeSnapshot(bytes, nowMs);
    if (producers !== null && batches !== null && restoreBatches(producers, batches)) return { offset: at, producers };
  }
  return null;
}

export interface ProducersAt {
  readonly folder: string;
  readonly snapshots: readonly number[];
  readonly segments: readonly Segment[];
  readonly upTo: number;
  readonly nowMs: number;
}

/** What was known of producers at the offset `upTo`: from the newest snapshot below it and the batches since. */
export async function rebuildProducers(tools: { readonly disk: Disk; readonly buffers: BufferPool }, at: ProducersAt): Promise<Producers> {
  const first = at.segments[0]?.base ?? 0;
  const usable = at.snapshots.filter((one) => one >= first && one <= at.upTo);
  const { offset, producers } = loadSnapshot(tools.disk, at.folder, usable, at.nowMs) ?? { offset: first, producers: new Producers() };
  for (const segment of at.segments) {
    if (segment.next <= offset || segment.written === 0) continue;
    await scanBatches(segment.file, tools.buffers, { from: 0, to: segment.written, minOffset: segment.base, checksums: false }, (header, _position, bytes, begin) => {
      if (header.baseOffset >= at.upTo) return false;
      if (header.baseOffset < offset || header.producerId < 0n) return true;
      producers.apply(header, header.control ? readMarker(bytes, begin, header.bytes) : null, at.nowMs);
      return true;
    });
  }
  return producers;
}

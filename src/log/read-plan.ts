/** Decides where the batches of a read lie: from the positions of the newest batches in memory, else from an index and a walk over headers. */
import { offset } from "../base/ids.js";
import type { IndexFiles } from "./index-files.js";
import { LogError, type FileRange, type ReadPlan } from "./partition-log.js";
import type { HeaderWalk } from "./scan.js";
import type { Segment } from "./segment.js";

/** What of a log a plan is made from. */
export interface ReadableLog {
  readonly segments: readonly Segment[];
  readonly start: number;
  readonly end: number;
  readonly writtenEnd: number;
  readonly tail: Tail;
  readonly indexIntervalBytes: number;
}

export interface PlanOptions {
  readonly maxBytes: number;
  readonly upTo: number;
  readonly wholeFirstBatch: boolean;
}

/** So far behind the end the page cache is trusted to hold the data. */
const HOT_BYTES = 64 * 1024 * 1024;

export interface TailBatch {
  readonly segment: Segment;
  readonly position: number;
  readonly bytes: number;
  readonly base: number;
  readonly last: number;
}

const TAIL_BATCHES_MAX = 64;

/** Places of the newest batches, so that those who follow the end cost one pread and no search. */
export class Tail {
  #batches: TailBatch[] = [];

  push(batch: TailBatch): void {
    if (this.#batches.length === TAIL_BATCHES_MAX) this.#batches = this.#batches.slice(TAIL_BATCHES_MAX / 2);
    this.#batches.push(batch);
  }

  /** Index of the batch that holds `from`; -1 when it is not remembered. */
  find(from: number): number {
    const batches = this.#batches;
    if (batches.length === 0 || from < (batches[0] as TailBatch).base) return -1;
    let low = 0;
    let high = batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((batches[middle] as TailBatch).last < from) low = middle + 1;
      else high = middle;
    }
    return low < batches.length ? low : -1;
  }

  at(i: number): TailBatch | undefined {
    return this.#batches[i];
  }

  clear(): void {
    this.#batches = [];
  }
}

/** @throws LogError "offset-out-of-range" outside [start, end], "corrupt-batch" where a header cannot be one */
export function planRead(log: ReadableLog, indexes: IndexFiles, walk: HeaderWalk, from: number, options: PlanOptions): ReadPlan {
  if (!(from >= log.start && from <= log.end)) throw new LogError("offset-out-of-range", `${from} is outside [${log.start}, ${log.end}]`, from);
  const upTo = Math.min(options.upTo, log.writtenEnd);
  if (from >= upTo) return { ranges: [], bytes: 0, next: offset(from) };
  const inTail = log.tail.find(from);
  return inTail >= 0 ? planTail(log, inTail, from, upTo, options) : planSegments(log, indexes, walk, from, upTo, options);
}

function planTail(log: ReadableLog, first: number, from: number, upTo: number, options: PlanOptions): ReadPlan {
  const ranges: FileRange[] = [];
  let segment: Segment | null = null;
  let position = 0;
  let run = 0;
  let total = 0;
  let next = from;
  for (let i = first; ; i++) {
    const batch = log.tail.at(i);
    if (batch === undefined || batch.base >= upTo) break;
    if (total + batch.bytes > options.maxBytes && !(total === 0 && options.wholeFirstBatch)) break;
    if (batch.segment !== segment) {
      if (segment !== null) ranges.push({ file: segment.file, position, bytes: run, hot: true });
      segment = batch.segment;
      position = batch.position;
      run = 0;
    }
    run += batch.bytes;
    total += batch.bytes;
    next = batch.last + 1;
  }
  if (segment !== null) ranges.push({ file: segment.file, position, bytes: run, hot: true });
  return { ranges, bytes: total, next: offset(next) };
}

function planSegments(log: ReadableLog, indexes: IndexFiles, walk: HeaderWalk, from: number, upTo: number, options: PlanOptions): ReadPlan {
  const ranges: FileRange[] = [];
  let total = 0;
  let next = from;
  let i = segmentOf(log.segments, from);
  const hotFrom = hotSegment(log.segments);
  for (; i < log.segments.length; i++) {
    const segment = log.segments[i] as Segment;
    if (segment.base >= upTo) break;
    const place = placeIn(log, segment, indexes, walk, Math.max(next, segment.base));
    if (place === null) continue;
    const stop = stopIn(log, segment, indexes, walk, place, options.maxBytes - total, upTo);
    let { position: end, next: after } = stop;
    if (end === place.position) {
      if (total > 0 || !options.wholeFirstBatch) break;
      end = place.position + place.bytes;
      after = place.last + 1;
    }
    ranges.push({ file: segment.file, position: place.position, bytes: end - place.position, hot: i >= hotFrom });
    total += end - place.position;
    next = after;
    if (total >= options.maxBytes || end < segment.written) break;
  }
  return { ranges, bytes: total, next: offset(next) };
}

interface Place {
  readonly position: number;
  readonly bytes: number;
  readonly last: number;
}

/** The first written batch of a segment that ends at or after `from`. */
export function placeIn(log: ReadableLog, segment: Segment, indexes: IndexFiles, walk: HeaderWalk, from: number): Place | null {
  if (segment.written === 0) return null;
  const begin = from <= segment.base ? 0 : Math.min(indexes.of(segment, log.indexIntervalBytes).offsets.positionBefore(from), segment.written);
  for (let more = walk.begin(segment.file, begin, segment.written); more; more = walk.next()) {
    if (walk.last >= from) return { position: walk.position, bytes: walk.bytes, last: walk.last };
  }
  return null;
}

/** Where whole batches that begin below `upTo` end, at most `room` bytes after `place`, and the offset after them. */
function stopIn(log: ReadableLog, segment: Segment, indexes: IndexFiles, walk: HeaderWalk, place: Place, room: number, upTo: number): { readonly position: number; readonly next: number } {
  const limit = Math.min(segment.written, place.position + Math.max(0, room));
  const end = Math.min(segment.next, log.writtenEnd);
  if (limit === segment.written && end <= upTo) return { position: limit, next: end };
  const { offsets } = indexes.of(segment, log.indexIntervalBytes);
  const begin = Math.max(place.position, Math.min(offsets.batchBefore(limit), offsets.positionBefore(upTo)));
  let next = -1;
  for (let more = walk.begin(segment.file, begin, segment.written); more; more = walk.next()) {
    if (walk.base >= upTo || walk.position + walk.bytes > limit) return { position: walk.position, next: next < 0 ? walk.base : next };
    next = walk.last + 1;
  }
  return { position: segment.written, next: next < 0 ? end : next };
}

/** Index of the last segment that begins at or before `from`; 0 when all begin later. */
export function segmentOf(segments: readonly Segment[], from: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((segments[middle] as Segment).base <= from) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function hotSegment(segments: readonly Segment[]): number {
  let bytes = 0;
  let i = segments.length - 1;
  while (i > 0 && bytes < HOT_BYTES) bytes += (segments[i--] as Segment).written;
  return bytes < HOT_BYTES ? 0 : i + 1;
}

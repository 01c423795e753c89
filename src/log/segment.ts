/**
 * One segment: a `.log` file with its offset and time index. Sizes and indexes follow what was accepted; `written` follows the file. The
 * newest segment holds its indexes in memory and writes them now and then; those of closed segments come from the index cache.
 */
import { assert } from "../base/assert.js";
import type { BatchHeader } from "../records/batch.js";
import type { PooledFile } from "./file-pool.js";
import { OffsetIndex } from "./offset-index.js";
import { TimeIndex, type TimeEntry } from "./time-index.js";

export interface Indexes {
  readonly offsets: OffsetIndex;
  readonly times: TimeIndex;
}

export class Segment {
  readonly base: number;
  readonly file: PooledFile;
  /** Offset after the last accepted batch. */
  next: number;
  /** Accepted bytes. */
  bytes: number;
  /** Bytes of whole batches in the file. */
  written: number;
  /** No batch will follow. */
  sealed = false;
  /** Held while it takes batches, and until they are in files. */
  pinned: Indexes | null = null;
  /** Entries that the index files hold. */
  saved = { offsets: 0, times: 0 };
  /** False while the indexes of a sealed segment are not durable: a checkpoint must not pass it. */
  indexed = true;
  #sinceEntry = 0;
  /** Largest timestamp of the first batch: what rolling by time counts from. */
  firstTimestampMs = -1;
  #max: TimeEntry | null = null;
  #maxKnown: boolean;
  /** When the first batch of this incarnation came. */
  firstAppendMs: number | null = null;

  /** @param state.bytes what lies in the file; a fresh segment has 0 and is indexed from its first batch */
  constructor(base: number, file: PooledFile, state: { readonly next: number; readonly bytes: number }) {
    this.base = base;
    this.file = file;
    this.next = state.next;
    this.bytes = state.bytes;
    this.written = state.bytes;
    this.#maxKnown = state.bytes === 0;
    if (state.bytes === 0) this.pinned = { offsets: new OffsetIndex(base), times: new TimeIndex(base) };
  }

  /** Largest timestamp and the last offset of the batch that has it; undefined until it is known, null where no batch has one. */
  get max(): TimeEntry | null | undefined {
    return this.#maxKnown ? this.#max : undefined;
  }

  set max(entry: TimeEntry | null) {
    this.#max = entry;
    this.#maxKnown = true;
  }

  /** Goes on from indexes that cover the file up to the batch at `position`, which is indexed (or is the first). */
  resume(indexes: Indexes, at: { readonly position: number; readonly next: number }): void {
    this.pinned = indexes;
    this.saved = { offsets: indexes.offsets.count, times: indexes.times.count };
    this.bytes = at.position;
    this.written = at.position;
    this.next = at.next;
    this.max = indexes.times.last;
    this.#sinceEntry = 0;
  }

  /** Takes a batch at the end: sizes, timestamps and, every `indexIntervalBytes`, an index entry, exactly as Kafka does. */
  accept(header: BatchHeader, indexIntervalBytes: number): void {
    const indexes = this.pinned;
    assert(indexes !== null && !this.sealed, "only the newest segment takes batches");
    if (this.bytes === 0) this.firstTimestampMs = header.maxTimestamp;
    if (header.maxTimestamp > (this.#max?.timestampMs ?? -1)) this.#max = { timestampMs: header.maxTimestamp, offset: header.lastOffset };
    if (this.#sinceEntry > indexIntervalBytes) {
      indexes.offsets.append(header.lastOffset, this.bytes);
      this.#noteTime(indexes.times);
      this.#sinceEntry = 0;
    }
    this.#sinceEntry += header.bytes;
    this.bytes += header.bytes;
    this.next = header.lastOffset + 1;
  }

  seal(): void {
    const indexes = this.pinned;
    assert(indexes !== null, "the newest segment has its indexes");
    this.#noteTime(indexes.times);
    this.sealed = true;
    this.indexed = false;
  }

  /** What a clean stop and a roll add to the time index: the largest timestamp, wherever it is. */
  noteMaxTimestamp(): void {
    if (this.pinned !== null) this.#noteTime(this.pinned.times);
  }

  /** Both indexes stay below `maxBytes` with one entry more each. */
  indexHasRoom(maxBytes: number): boolean {
    const indexes = this.pinned;
    return indexes === null || (indexes.offsets.bytes + 8 <= maxBytes && indexes.times.bytes + 24 <= maxBytes);
  }

  #noteTime(times: TimeIndex): void {
    if (this.#max !== null && this.#max.timestampMs >= 0) times.append(this.#max.timestampMs, this.#max.offset);
  }
}

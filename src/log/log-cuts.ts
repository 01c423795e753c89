/**
 * What takes batches out of a log: truncation and reset of a follower, a raised start, retention. Each is durable in an order that lets a
 * crash leave a shorter log without holes, never one that has forgotten what it promised.
 */
import { assert } from "../base/assert.js";
import type { LogFiles } from "./log-files.js";
import type { LogState } from "./log-state.js";
import type { LogWriter } from "./log-writer.js";
import { segmentName } from "./names.js";
import { LogError } from "./partition-log.js";
import { placeIn, segmentOf } from "./read-plan.js";
import { rebuildProducers, resumeSegment } from "./rebuild.js";
import { expiredSegments } from "./retention.js";
import { Segment } from "./segment.js";
import type { LogServices } from "./services.js";

export class LogCuts {
  readonly #services: LogServices;
  readonly #state: LogState;
  readonly #writer: LogWriter;
  readonly #files: LogFiles;
  /** Old segments on their way off the disk: one removal after the other, the oldest first, so that none in the middle is gone before those in front of it. */
  #removing: Promise<void> = Promise.resolve();

  constructor(services: LogServices, state: LogState, writer: LogWriter, files: LogFiles) {
    this.#services = services;
    this.#state = state;
    this.#writer = writer;
    this.#files = files;
  }

  async truncateTo(to: number): Promise<void> {
    const state = this.#state;
    await this.#writer.settle();
    if (to < state.end) await (this.#keepsNothing(to) ? this.#empty(state.start) : this.#cut(to));
    if (state.epochs.truncateEnd(to)) state.epochsDirty = true; // also when nothing was cut (KAFKA-10706)
    await this.#files.saveEpochs(state);
  }

  async resetTo(start: number): Promise<void> {
    await this.#writer.settle();
    this.#state.epochs.clear();
    this.#state.epochsDirty = true;
    await this.#empty(start);
    await this.#files.saveEpochs(this.#state);
  }

  /** True when no whole batch between the start and `to` would stay. */
  #keepsNothing(to: number): boolean {
    const first = this.#state.segments[segmentOf(this.#state.segments, this.#state.start)];
    assert(first !== undefined, "a log has a segment");
    const place = placeIn(this.#state, first, this.#services.indexes, this.#services.walk, this.#state.start);
    return to <= this.#state.start || place === null || place.last >= to;
  }

  async #cut(to: number): Promise<void> {
    const { indexes, disk } = this.#services;
    await this.#services.lowerRecoveryPoint(this.#state.key, this.#state.segments[segmentOf(this.#state.segments, to)]?.base ?? 0);
    // In memory in one turn, so that no reader sees a half.
    const { segment, gone } = this.#cutMemory(to);
    // On disk the newest first: a crash leaves a shorter log without holes.
    await this.#files.removeSnapshots((at) => at > this.#state.end);
    for (const one of gone.reverse()) {
      indexes.forget(one);
      one.file.retire();
      await this.#files.removeSegment(one.base);
    }
    await disk.syncDirectory(this.#files.folder);
    if (segment.file.size() > segment.written) segment.file.truncate(segment.written);
    await segment.file.sync();
    indexes.write(segment);
    await indexes.sync(segment); // entries of what was cut must not come back under other batches
    this.#state.aborted = this.#state.aborted.filter((entry) => entry.lastOffset < this.#state.end);
    const at = { folder: this.#files.folder, snapshots: this.#files.snapshots, segments: this.#state.segments, upTo: this.#state.end, nowMs: this.#services.world.clock.wallMs() };
    this.#state.producers = await rebuildProducers(this.#services, at);
    this.#state.touched = true;
  }

  /** Keeps whole batches below `to`. */
  #cutMemory(to: number): { readonly segment: Segment; readonly gone: Segment[] } {
    const { indexes, walk } = this.#services;
    const keep = segmentOf(this.#state.segments, to);
    const segment = this.#state.segments[keep];
    assert(segment !== undefined, "a log has a segment");
    const size = to <= segment.base ? 0 : (placeIn(this.#state, segment, indexes, walk, to)?.position ?? segment.written);
    const known = indexes.of(segment, this.#state.settings.indexIntervalBytes);
    indexes.forget(segment);
    segment.sealed = false;
    segment.indexed = true;
    const from = resumeSegment(segment, known, walk, { from: to, size });
    segment.saved = { offsets: 0, times: 0 }; // what was in memory may be in no file
    for (let more = walk.begin(segment.file, from, size); more; more = walk.next()) segment.accept(walk.header, this.#state.settings.indexIntervalBytes);
    assert(segment.bytes === size, "the walk ends where the cut is made");
    segment.written = size;
    const gone = this.#state.segments.splice(keep + 1);
    assert(segment.next > this.#state.start, "a cut that leaves nothing empties the log instead");
    this.#state.cutAt(segment.next);
    this.#writer.restart(segment);
    return { segment, gone };
  }

  /** Leaves no batch; the next one begins at `start`. */
  async #empty(start: number): Promise<void> {
    await this.#services.lowerRecoveryPoint(this.#state.key, 0);
    await this.#services.saveStart(this.#state.key, start); // first: with it a crash from here on leads to the same empty log
    const gone = this.#state.segments.splice(0);
    const segment = new Segment(start, this.#services.files.existing(this.#files.path(segmentName(start, "log")), 0), { next: start, bytes: 0 });
    this.#state.segments.push(segment);
    this.#state.start = start;
    this.#state.cutAt(start);
    this.#state.producers.clear();
    this.#state.aborted = [];
    this.#state.touched = true;
    this.#writer.restart(segment);
    await this.#files.removeSnapshots(() => true);
    for (const one of gone.reverse()) {
      this.#services.indexes.forget(one);
      one.file.retire();
      await this.#files.removeSegment(one.base);
    }
    await this.#services.disk.syncDirectory(this.#files.folder);
    this.#services.files.create(segment.file);
    await this.#services.disk.syncDirectory(this.#files.folder);
  }

  async raiseStart(to: number): Promise<void> {
    if (to <= this.#state.start) return;
    if (to > this.#state.end) throw new LogError("offset-out-of-range", `the start cannot pass the end, ${this.#state.end}`, to);
    this.#state.start = to;
    if (this.#state.epochs.truncateStart(to)) this.#state.epochsDirty = true;
    this.#state.touched = true;
    this.#writer.moved();
    await this.#services.saveStart(this.#state.key, to);
    this.dropBelowStart();
  }

  /** Segments wholly below the start leave the log now and the disk later, when nobody reads them any more. */
  dropBelowStart(): void {
    const gone: Segment[] = [];
    for (;;) {
      const [oldest, second] = this.#state.segments;
      if (oldest === undefined || second === undefined || second.base > this.#state.start || oldest.written < oldest.bytes || !oldest.indexed) break;
      if (oldest === this.#writer.writing) break;
      gone.push(oldest);
      this.#state.segments.shift();
      this.#services.indexes.forget(oldest);
    }
    if (gone.length === 0) return;
    const first = this.#state.segments[0]?.base ?? 0;
    this.#state.aborted = this.#state.aborted.filter((entry) => entry.lastOffset >= first);
    this.#services.removeLater(() => (this.#removing = this.#removing.then(() => this.#remove(gone))), this.#state.settings.fileDeleteDelayMs);
  }

  /** Only what is still this log's: the folder may be another's by now, and a reset may have used a name again. */
  async #remove(gone: readonly Segment[]): Promise<void> {
    for (const segment of gone) {
      segment.file.retire();
      if (this.#state.abandoned || this.#state.segments.some((one) => one.base === segment.base)) continue;
      await this.#files.removeSegment(segment.base);
    }
    const first = this.#state.segments[0]?.base ?? 0;
    if (!this.#state.abandoned) await this.#files.removeSnapshots((at) => at < first);
  }

  /** @param roll closes the newest segment: it may be time for that one too */
  async retain(options: { readonly nowMs: number; readonly upTo: number }, roll: () => void): Promise<void> {
    const { retentionMs, retentionBytes, indexIntervalBytes } = this.#state.settings;
    const facts = this.#state.segments.map((segment) => ({
      base: segment.base,
      next: segment.next,
      bytes: segment.bytes,
      maxTimestampMs: retentionMs < 0 || segment.written < segment.bytes ? -1 : (this.#services.indexes.maxOf(segment, indexIntervalBytes)?.timestampMs ?? -1),
    }));
    const count = expiredSegments(facts, { retentionMs, retentionBytes, start: this.#state.start, nowMs: options.nowMs, upTo: options.upTo });
    if (count === 0) return;
    if (count === this.#state.segments.length) {
      roll();
      await this.#writer.settle();
    }
    const start = this.#state.segments[count]?.base ?? this.#state.end;
    if (start > this.#state.start) await this.raiseStart(start);
    else this.dropBelowStart();
  }
}

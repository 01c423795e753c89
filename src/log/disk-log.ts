/**
 * The PartitionLog on a disk. Segments, indexes, epochs and producers follow what was accepted; the lane holds the bytes until they are
 * written; a tick writes, asks for a sync and tells the listener. See partition-log.ts for the picture.
 */
import { assert } from "../base/assert.js";
import { epoch as epochOf, offset, type Epoch, type Offset, type Uuid } from "../base/ids.js";
import { readBatchHeader, stampBase, type BatchHeader } from "../records/batch.js";
import type { Timer } from "../world/clock.js";
import { checkFetched } from "./fetched-batches.js";
import { LogCuts } from "./log-cuts.js";
import { LogFiles, snapshotFiles } from "./log-files.js";
import { readLater, readNow } from "./log-reads.js";
import { LogState } from "./log-state.js";
import { LogWriter } from "./log-writer.js";
import { folderName, segmentName } from "./names.js";
import { LogError, type AppendResult, type LentBytes, type LogInspection, type LogSettings, type PartitionLog, type ReadPlan, type RecoveryReport, type TimestampHit } from "./partition-log.js";
import { planRead, type PlanOptions } from "./read-plan.js";
import type { RecoveredLog } from "./recovery.js";
import { Segment } from "./segment.js";
import type { CheckpointedLog, LogServices } from "./services.js";
import { findMaxTimestamp, findTimestamp } from "./timestamps.js";
import { abortedIn, readMarker } from "./transactions.js";

/** A checkpoint saves producers and indexes once so much was appended since: it bounds what recovery reads beyond the unsynced part. */
const SAVE_EVERY_BYTES = 1024 * 1024;
/** Settings at or above it mean never, as Kafka's defaults do. */
const NEVER = Number.MAX_SAFE_INTEGER;

export interface DiskLogOptions {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly settings: LogSettings;
  readonly folder: string;
}

export class DiskLog implements PartitionLog, CheckpointedLog {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly key: string;
  readonly recovery: RecoveryReport;
  readonly #services: LogServices;
  readonly #state: LogState;
  readonly #files: LogFiles;
  readonly #writer: LogWriter;
  readonly #cuts: LogCuts;
  #exclusive: Promise<void> = Promise.resolve();
  #flushTimer: Timer | null = null;

  constructor(services: LogServices, options: DiskLogOptions, recovered: RecoveredLog) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.topicId = options.topicId;
    this.key = folderName(options.topic, options.partition);
    this.recovery = recovered.report;
    const state = new LogState(this.key, options.settings, recovered);
    const files = new LogFiles(services, options.folder, recovered.snapshots);
    this.#services = services;
    this.#state = state;
    this.#files = files;
    this.#writer = new LogWriter({ services, state, files, log: this, lostMarker: recovered.lostMarker });
    this.#cuts = new LogCuts(services, state, this.#writer, files);
    state.check();
  }

  get start(): Offset {
    return offset(this.#state.start);
  }

  get end(): Offset {
    return offset(this.#state.end);
  }

  get writtenEnd(): Offset {
    return offset(this.#state.writtenEnd);
  }

  get durableEnd(): Offset {
    return offset(this.#state.durableEnd);
  }

  get lastEpoch(): Epoch {
    return epochOf(this.#state.epochs.last);
  }

  get bytes(): number {
    return this.#state.bytes;
  }

  get firstUnstable(): Offset | null {
    const first = this.#state.producers.transactions.first;
    return first === null ? null : offset(Math.max(first, this.#state.start));
  }

  appendAsLeader(batch: Uint8Array, options: { readonly epoch: Epoch; readonly nowMs: number; readonly origin: "client" | "coordinator" }): AppendResult {
    this.#checkAppends();
    const sent = readBatchHeader(batch);
    assert(sent.bytes === batch.length, "the leader appends one whole batch at a time");
    assert(options.epoch >= this.#state.epochs.last, `epoch ${options.epoch} is over, ${this.#state.epochs.last} has begun`);
    if (batch.length > this.#state.settings.segmentBytes) {
      return { ok: false, error: "RECORD_LIST_TOO_LARGE", message: `a batch of ${batch.length} bytes does not fit into a segment of ${this.#state.settings.segmentBytes} (segment.bytes)` };
    }
    const verdict = this.#state.producers.judge(sent, options.origin);
    if (verdict.kind === "refused") return { ok: false, error: verdict.error, message: verdict.message };
    if (verdict.kind === "duplicate") return { ok: true, duplicate: true, base: offset(verdict.base), last: offset(verdict.last), appendTimeMs: verdict.timestampMs };

    const base = this.#state.end;
    stampBase(batch, 0, { offset: base, epoch: options.epoch });
    const header: BatchHeader = { ...sent, baseOffset: base, lastOffset: base + sent.lastOffsetDelta, leaderEpoch: options.epoch };
    this.#accept(header, batch, options.nowMs);
    this.#afterAccept();
    return { ok: true, duplicate: false, base: offset(base), last: offset(header.lastOffset), appendTimeMs: header.logAppendTime ? header.maxTimestamp : -1 };
  }

  appendAsFollower(batches: Uint8Array, options: { readonly fetchEpoch: Epoch; readonly nowMs: number }): Offset {
    this.#checkAppends();
    const headers = checkFetched(batches, { end: this.#state.end, lastEpoch: this.#state.epochs.last, fetchEpoch: options.fetchEpoch });
    if (headers.length === 0) return this.end;
    const atOnce = this.#writer.isFree;
    const bytes = atOnce ? batches : new Uint8Array(batches); // the fetcher's buffer is its own again when this returns
    let at = 0;
    for (const header of headers) {
      this.#accept(header, bytes.subarray(at, at + header.bytes), options.nowMs);
      at += header.bytes;
    }
    if (atOnce) this.#writer.writeNow();
    this.#afterAccept();
    return this.end;
  }

  beginEpoch(epoch: Epoch): void {
    this.#checkAppends();
    if (!this.#state.epochs.assign(epoch, this.#state.end)) return;
    // Its first batch says the same once it is synced; the file has to say it before a checkpoint passes that batch.
    this.#state.epochsDirty = true;
    this.#state.touched = true;
    this.#services.changed(this);
  }

  plan(from: Offset, options: PlanOptions): ReadPlan {
    this.#checkOpen();
    return planRead(this.#state, this.#services.indexes, this.#services.walk, from, options);
  }

  readNow(plan: ReadPlan): LentBytes {
    return readNow(plan, this.#services.buffers);
  }

  read(plan: ReadPlan): Promise<LentBytes> {
    return readLater(plan, this.#services.buffers);
  }

  endOfEpoch(epoch: Epoch): { readonly epoch: number; readonly end: number } {
    return this.#state.epochs.endOf(epoch, this.#state.end);
  }

  async findTimestamp(timestampMs: number, upTo: Offset): Promise<TimestampHit | null> {
    this.#checkOpen();
    return findTimestamp(this.#state, this.#services, timestampMs, Math.min(upTo, this.#state.writtenEnd));
  }

  async findMaxTimestamp(upTo: Offset): Promise<TimestampHit | null> {
    this.#checkOpen();
    return findMaxTimestamp(this.#state, this.#services, Math.min(upTo, this.#state.writtenEnd));
  }

  abortedIn(from: Offset, upTo: Offset): readonly { readonly producerId: bigint; readonly firstOffset: Offset }[] {
    return abortedIn(this.#state.aborted, from, upTo).map((entry) => ({ producerId: entry.producerId, firstOffset: offset(entry.firstOffset) }));
  }

  configure(settings: LogSettings): void {
    this.#state.settings = settings;
  }

  requestSync(): void {
    if (this.#state.closed) return;
    this.#writer.requestSync();
  }

  onProgress(listener: () => void): void {
    this.#writer.onProgress(listener);
  }

  // ---- accept, write, sync

  #accept(header: BatchHeader, bytes: Uint8Array, nowMs: number): void {
    if (this.#needsRoll(header)) this.#roll();
    const segment = this.#state.active;
    this.#pin(segment);
    const position = segment.bytes;
    segment.firstAppendMs ??= nowMs;
    segment.accept(header, this.#state.settings.indexIntervalBytes);
    if (header.leaderEpoch > this.#state.epochs.last && this.#state.epochs.assign(header.leaderEpoch, header.baseOffset)) this.#state.epochsDirty = true;
    if (header.producerId >= 0n) {
      const marker = header.control ? readMarker(bytes, 0, bytes.length) : null;
      const aborted = this.#state.producers.apply(header, marker, nowMs);
      if (aborted !== null) {
        this.#state.aborted.push(aborted);
        this.#files.writeAborted(segment, this.#state.aborted);
      }
    }
    this.#state.tail.push({ segment, position, bytes: header.bytes, base: header.baseOffset, last: header.lastOffset });
    this.#writer.push({ kind: "batch", segment, position, bytes, next: header.lastOffset + 1 });
    this.#state.end = header.lastOffset + 1;
    this.#state.unsavedBytes += header.bytes;
    this.#state.touched = true;
  }

  #afterAccept(): void {
    if (this.#state.end - this.#state.durableEnd >= this.#state.settings.flushMessages) this.#writer.requestSync();
    if (this.#state.settings.flushMs < NEVER && this.#flushTimer === null) {
      this.#flushTimer = this.#services.world.clock.after(this.#state.settings.flushMs, () => {
        this.#flushTimer = null;
        this.requestSync();
      });
    }
    this.#writer.wake();
  }

  #needsRoll(header: BatchHeader): boolean {
    const segment = this.#state.active;
    if (segment.bytes === 0) return header.lastOffset - segment.base > 0x7fffffff;
    return (
      segment.bytes + header.bytes > this.#state.settings.segmentBytes ||
      header.lastOffset - segment.base > 0x7fffffff ||
      !segment.indexHasRoom(this.#state.settings.segmentIndexBytes) ||
      (segment.firstTimestampMs >= 0 && header.maxTimestamp - segment.firstTimestampMs > this.#state.settings.segmentMs)
    );
  }

  #rollNow(): void {
    this.#roll();
    this.#writer.wake();
  }

  /** Closes the newest segment to batches. Its file, and the next one's, follow when the lane gets there. */
  #roll(): void {
    const sealed = this.#state.active;
    this.#pin(sealed);
    sealed.seal();
    const segment = new Segment(this.#state.end, this.#services.files.existing(this.#files.path(segmentName(this.#state.end, "log")), 0), { next: this.#state.end, bytes: 0 });
    this.#state.segments.push(segment);
    this.#writer.push({ kind: "roll", sealed, segment, files: snapshotFiles(this.#state.end, this.#state.producers) });
    this.#state.touched = true;
  }

  // ---- checkpoints

  saveForCheckpoint(): Promise<void> {
    return this.#alone(async () => {
      if (this.#state.closed) return;
      const unindexed = this.#state.segments.find((segment) => segment.sealed && !segment.indexed);
      const point = Math.min(this.#state.durableEnd, Math.max(unindexed?.base ?? Infinity, this.#services.recoveryPoint(this.key)));
      if (this.#state.unsavedBytes >= SAVE_EVERY_BYTES) {
        this.#state.unsavedBytes = 0;
        if (!this.#files.hasSnapshot(this.#state.end)) this.#files.writeSnapshot(this.#state.end, snapshotFiles(this.#state.end, this.#state.producers), this.#state.segments);
        if (this.#state.active.pinned !== null) this.#services.indexes.write(this.#state.active);
      }
      await this.#files.saveEpochs(this.#state);
      this.#services.recordRecoveryPoint(this.key, point);
    });
  }

  // ---- cutting and retention

  truncateTo(to: Offset): Promise<void> {
    return this.#cutting(() => this.#cuts.truncateTo(to));
  }

  resetTo(start: Offset): Promise<void> {
    return this.#cutting(() => this.#cuts.resetTo(start));
  }

  raiseStart(to: Offset): Promise<void> {
    return this.#alone(() => this.#cuts.raiseStart(to));
  }

  maintain(options: { readonly nowMs: number; readonly upTo: Offset }): Promise<void> {
    return this.#aloneWhileOpen(async () => {
      if (this.#state.closed) return;
      this.#state.producers.expire(options.nowMs, this.#state.settings.producerExpirationMs);
      const active = this.#state.active;
      if (active.bytes > 0 && active.firstAppendMs !== null && options.nowMs - active.firstAppendMs > this.#state.settings.segmentMs) {
        this.#rollNow();
      }
      if (this.#state.settings.cleanupDelete) await this.#cuts.retain(options, () => this.#rollNow());
      else this.#cuts.dropBelowStart();
      this.#unpinIdle();
    });
  }

  /** The newest segment's indexes leave memory when nobody has appended since the last checkpoint. */
  #unpinIdle(): void {
    const active = this.#state.active;
    if (active.pinned === null || active.pinned.offsets.count === 0 || this.#state.unsavedBytes > 0 || !this.#writer.isFree) return;
    this.#services.indexes.write(active);
    active.pinned = null;
  }

  #pin(segment: Segment): void {
    if (segment.pinned !== null) return;
    const indexes = this.#services.indexes.of(segment, this.#state.settings.indexIntervalBytes);
    this.#services.indexes.forget(segment);
    segment.pinned = indexes;
    segment.saved = { offsets: 0, times: 0 }; // it may have been made anew, and be in no file
  }

  // ---- the end

  close(): Promise<void> {
    return this.#aloneWhileOpen(async () => {
      if (this.#state.closed) return;
      await this.#writer.settle();
      if (this.#state.touched) await this.#saveAll();
      this.#services.recordRecoveryPoint(this.key, this.#state.end);
      this.#stop();
    });
  }

  /** Derived files go to the page cache: if power fails before they are on the disk, the next start makes them anew, a little slower. */
  async #saveAll(): Promise<void> {
    const active = this.#state.active;
    this.#pin(active);
    active.noteMaxTimestamp();
    this.#services.indexes.write(active);
    this.#files.writeAborted(active, this.#state.aborted);
    if (this.#state.end > (this.#state.segments[0]?.base ?? 0)) this.#files.writeSnapshot(this.#state.end, snapshotFiles(this.#state.end, this.#state.producers), this.#state.segments);
    await this.#files.saveEpochs(this.#state);
  }

  /** Ends without saving: the folder is about to be moved away. */
  abandon(): Promise<void> {
    this.#state.closed = true;
    this.#state.abandoned = true;
    const ended = this.#writer.abandon();
    return this.#alone(async () => {
      await ended;
      this.#stop();
    });
  }

  #stop(): void {
    this.#state.closed = true;
    this.#flushTimer?.cancel();
    this.#flushTimer = null;
    for (const segment of this.#state.segments) {
      segment.file.retire();
      this.#services.indexes.forget(segment);
    }
  }

  get fileDeleteDelayMs(): number {
    return this.#state.settings.fileDeleteDelayMs;
  }

  get isClosed(): boolean {
    return this.#state.closed;
  }

  inspect(): LogInspection {
    return {
      start: this.#state.start,
      end: this.#state.end,
      writtenEnd: this.#state.writtenEnd,
      durableEnd: this.#state.durableEnd,
      bytes: this.bytes,
      segments: this.#state.segments.length,
      producers: this.#state.producers.size,
      laneBytes: this.#writer.laneBytes,
      epochs: this.#state.epochs.entries.map((entry) => ({ ...entry })),
    };
  }

  /** One change of shape at a time: cuts, starts, retention, close. */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#exclusive.then(work);
    this.#exclusive = done.catch(() => undefined); // the caller has the failure
    return done;
  }

  /** For work that has nothing left to do once the log is moved away. */
  #aloneWhileOpen(work: () => Promise<void>): Promise<void> {
    return this.#alone(work).catch((error: unknown) => {
      if (!(error instanceof LogError && error.code === "closed" && this.#state.abandoned)) throw error;
    });
  }

  #cutting(work: () => Promise<void>): Promise<void> {
    return this.#alone(async () => {
      this.#checkOpen();
      this.#state.truncating = true;
      await work();
      this.#state.truncating = false;
      this.#services.changed(this);
    });
  }

  #checkOpen(): void {
    if (this.#state.closed) throw new LogError("closed", `${this.key} is closed`);
  }

  #checkAppends(): void {
    this.#checkOpen();
    assert(!this.#state.truncating, "nobody appends to a log that is being cut");
  }
}

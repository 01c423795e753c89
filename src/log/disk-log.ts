/**
 * The PartitionLog on a disk. Segments, indexes, epochs and producers follow what was accepted; the lane holds the bytes until they are
 * written; a tick writes, asks for a sync and tells the listener. See partition-log.ts for the picture.
 */
import { assert } from "../base/assert.js";
import { epoch as epochOf, offset, type Epoch, type Offset, type Uuid } from "../base/ids.js";
import { isIntact, readBatchHeader, splitBatches, stampBase, type BatchHeader } from "../records/batch.js";
import type { Timer } from "../world/clock.js";
import { PART_MAX_BYTES } from "./buffer-pool.js";
import type { Epochs } from "./epochs.js";
import { Lane, WRITE_MAX_BYTES, type LaneRoll } from "./lane.js";
import { LogFiles, snapshotFiles } from "./log-files.js";
import { LOST, folderName, segmentName } from "./names.js";
import { LogError, type AppendResult, type LentBytes, type LogInspection, type LogSettings, type PartitionLog, type ReadPlan, type RecoveryReport, type TimestampHit } from "./partition-log.js";
import type { Producers } from "./producers.js";
import { Tail, placeIn, planRead, segmentOf, type PlanOptions } from "./read-plan.js";
import type { RecoveredLog } from "./recovery.js";
import { expiredSegments } from "./retention.js";
import { rebuildProducers, resumeSegment } from "./rebuild.js";
import { Segment } from "./segment.js";
import type { CheckpointedLog, LogServices } from "./services.js";
import type { SyncTarget } from "./sync-scheduler.js";
import { findMaxTimestamp, findTimestamp } from "./timestamps.js";
import { abortedIn, readMarker, type AbortedTransaction } from "./transactions.js";

/** Written and not synced; bounds how long a sync can take, on topics that never ask for one too. */
const UNSYNCED_MAX_BYTES = 16 * 1024 * 1024;
/** What a group commit waits for while the lane is not empty. */
const GROUP_MAX_BYTES = 1024 * 1024;
/** A checkpoint saves producers and indexes once so much was appended since: it bounds what recovery reads beyond the unsynced part. */
const SAVE_EVERY_BYTES = 1024 * 1024;
/** Settings at or above it mean never, as Kafka's defaults do. */
const NEVER = 2 ** 53;

export interface DiskLogOptions {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly settings: LogSettings;
  readonly folder: string;
}

export class DiskLog implements PartitionLog, SyncTarget, CheckpointedLog {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly key: string;
  readonly recovery: RecoveryReport;
  readonly tail = new Tail();
  readonly #services: LogServices;
  readonly #folder: string;
  readonly #files: LogFiles;
  readonly #segments: Segment[];
  readonly #epochs: Epochs;
  readonly #lane = new Lane();
  #settings: LogSettings;
  #producers: Producers;
  #aborted: AbortedTransaction[];
  #start: number;
  #end: number;
  #writtenEnd: number;
  #durableEnd: number;
  /** The segment that the lane writes to; the newest unless rolls wait in the lane. */
  #writing: Segment;
  #listener: (() => void) | null = null;
  #awake = false;
  #moved = false;
  #syncing = false;
  #syncQueued = false;
  #syncWanted = 0;
  #folderDirty = false;
  #lostMarker: boolean;
  #unsyncedBytes = 0;
  #groupBytes = 0;
  #unsavedBytes = 0;
  #epochsDirty: boolean;
  #touched: boolean;
  #truncating = false;
  #closed = false;
  #settledWaits: (() => void)[] = [];
  #sealing: Promise<void> = Promise.resolve();
  #inFlight: Promise<void> = Promise.resolve();
  #exclusive: Promise<void> = Promise.resolve();
  #flushTimer: Timer | null = null;

  constructor(services: LogServices, options: DiskLogOptions, recovered: RecoveredLog) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.topicId = options.topicId;
    this.key = folderName(options.topic, options.partition);
    this.recovery = recovered.report;
    this.#services = services;
    this.#folder = options.folder;
    this.#files = new LogFiles(services, options.folder, recovered.snapshots);
    this.#segments = recovered.segments;
    this.#epochs = recovered.epochs;
    this.#settings = options.settings;
    this.#producers = recovered.producers;
    this.#aborted = recovered.aborted;
    this.#start = recovered.start;
    this.#end = recovered.end;
    this.#writtenEnd = recovered.end;
    this.#durableEnd = recovered.end;
    this.#lostMarker = recovered.lostMarker;
    this.#epochsDirty = recovered.epochsChanged;
    this.#touched = !recovered.report.clean || recovered.epochsChanged;
    this.#writing = this.#active;
    if (this.#epochs.truncateStart(this.#start)) this.#epochsDirty = true;
    this.#check();
  }

  get start(): Offset {
    return offset(this.#start);
  }

  get end(): Offset {
    return offset(this.#end);
  }

  get writtenEnd(): Offset {
    return offset(this.#writtenEnd);
  }

  get durableEnd(): Offset {
    return offset(this.#durableEnd);
  }

  get lastEpoch(): Epoch {
    return epochOf(this.#epochs.last);
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get indexIntervalBytes(): number {
    return this.#settings.indexIntervalBytes;
  }

  get firstUnstable(): Offset | null {
    const first = this.#producers.transactions.first;
    return first === null ? null : offset(Math.max(first, this.#start));
  }

  appendAsLeader(batch: Uint8Array, options: { readonly epoch: Epoch; readonly nowMs: number; readonly origin: "client" | "coordinator" }): AppendResult {
    this.#checkAppends();
    const sent = readBatchHeader(batch);
    assert(sent.bytes === batch.length, "the leader appends one whole batch at a time");
    assert(options.epoch >= this.#epochs.last, `epoch ${options.epoch} is over, ${this.#epochs.last} has begun`);
    if (batch.length > this.#settings.segmentBytes) {
      return { ok: false, error: "RECORD_LIST_TOO_LARGE", message: `a batch of ${batch.length} bytes does not fit into a segment of ${this.#settings.segmentBytes} (segment.bytes)` };
    }
    const verdict = this.#producers.judge(sent, options.origin);
    if (verdict.kind === "refused") return { ok: false, error: verdict.error, message: verdict.message };
    if (verdict.kind === "duplicate") return { ok: true, duplicate: true, base: offset(verdict.base), last: offset(verdict.last), appendTimeMs: verdict.timestampMs };

    const base = this.#end;
    stampBase(batch, 0, { offset: base, epoch: options.epoch });
    const header: BatchHeader = { ...sent, baseOffset: base, lastOffset: base + sent.lastOffsetDelta, leaderEpoch: options.epoch };
    this.#accept(header, batch, options.nowMs);
    this.#afterAccept();
    return { ok: true, duplicate: false, base: offset(base), last: offset(header.lastOffset), appendTimeMs: header.logAppendTime ? header.maxTimestamp : -1 };
  }

  appendAsFollower(batches: Uint8Array, options: { readonly fetchEpoch: Epoch; readonly nowMs: number }): Offset {
    this.#checkAppends();
    const headers = this.#checkFetched(batches, options.fetchEpoch);
    if (headers.length === 0) return this.end;
    const atOnce = this.#lane.isEmpty && !this.#syncing;
    const bytes = atOnce ? batches : Uint8Array.from(batches); // the fetcher's buffer is its own again when this returns
    let at = 0;
    for (const header of headers) {
      this.#accept(header, bytes.subarray(at, at + header.bytes), options.nowMs);
      at += header.bytes;
    }
    if (atOnce) {
      this.#write(Infinity);
      this.#lane.copyBytes(); // what waits for a roll
    }
    this.#afterAccept();
    return this.end;
  }

  /** @throws LogError; nothing of `batches` is taken then */
  #checkFetched(batches: Uint8Array, fetchEpoch: number): BatchHeader[] {
    const { spans, end } = splitBatches(batches);
    if (end.reason === "bad-length" || end.reason === "bad-magic") throw new LogError("corrupt-batch", `a fetched batch is broken: ${end.reason}`, this.#end);
    const headers: BatchHeader[] = [];
    let next = this.#end;
    let lastEpoch = this.#epochs.last;
    for (const span of spans) {
      const header = readBatchHeader(batches, span.position);
      if (header.leaderEpoch > fetchEpoch) break;
      if (!isIntact(batches, span.position, span.bytes)) throw new LogError("corrupt-batch", `the checksum of fetched batch ${header.baseOffset} disagrees`, header.baseOffset);
      if (header.baseOffset !== next || header.lastOffsetDelta < 0) throw new LogError("not-contiguous", `batch ${header.baseOffset} does not follow ${next}`, header.baseOffset);
      if (header.leaderEpoch < lastEpoch) throw new LogError("not-contiguous", `epoch ${header.leaderEpoch} of batch ${header.baseOffset} follows ${lastEpoch}`, header.baseOffset);
      lastEpoch = header.leaderEpoch;
      next = header.lastOffset + 1;
      headers.push(header);
    }
    return headers;
  }

  beginEpoch(epoch: Epoch): void {
    this.#checkAppends();
    if (!this.#epochs.assign(epoch, this.#end)) return;
    // Its first batch says the same once it is synced; the file has to say it before a checkpoint passes that batch.
    this.#epochsDirty = true;
    this.#touched = true;
    this.#services.changed(this);
  }

  plan(from: Offset, options: PlanOptions): ReadPlan {
    this.#checkOpen();
    return planRead(this, this.#services.indexes, this.#services.walk, from, options);
  }

  readNow(plan: ReadPlan): LentBytes {
    const buffers: Buffer[] = [];
    const parts: Uint8Array[] = [];
    for (const { file, position, bytes } of pieces(plan)) {
      const buffer = this.#services.buffers.take(bytes);
      buffers.push(buffer);
      const part = buffer.subarray(0, bytes);
      const count = file.readAt(position, part);
      if (count < bytes) {
        this.#lend(buffers, []).release();
        throw new LogError("corrupt-batch", `${file.path} ends before ${position + bytes}`);
      }
      parts.push(part);
    }
    return this.#lend(buffers, parts);
  }

  async read(plan: ReadPlan): Promise<LentBytes> {
    const buffers: Buffer[] = [];
    const wanted = [...pieces(plan)];
    const reads = wanted.map(({ file, position, bytes }) => {
      const buffer = this.#services.buffers.take(bytes);
      buffers.push(buffer);
      return file.read(position, buffer.subarray(0, bytes));
    });
    const settled = await Promise.allSettled(reads); // all have ended: nobody writes into a released buffer
    const parts: Uint8Array[] = [];
    for (let i = 0; i < wanted.length; i++) {
      const result = settled[i];
      const bytes = wanted[i]?.bytes ?? 0;
      if (result?.status !== "fulfilled" || result.value < bytes) {
        this.#lend(buffers, []).release();
        if (result?.status === "rejected") throw result.reason;
        throw new LogError("corrupt-batch", "a segment ends before its batches");
      }
      parts.push((buffers[i] as Buffer).subarray(0, bytes));
    }
    return this.#lend(buffers, parts);
  }

  #lend(buffers: readonly Buffer[], parts: readonly Uint8Array[]): LentBytes {
    let lent = true;
    return {
      parts,
      release: () => {
        assert(lent, "lent bytes are released once");
        lent = false;
        for (const buffer of buffers) this.#services.buffers.give(buffer);
      },
    };
  }

  endOfEpoch(epoch: Epoch): { readonly epoch: number; readonly end: number } {
    return this.#epochs.endOf(epoch, this.#end);
  }

  async findTimestamp(timestampMs: number, upTo: Offset): Promise<TimestampHit | null> {
    this.#checkOpen();
    return findTimestamp(this, this.#services, timestampMs, Math.min(upTo, this.#writtenEnd));
  }

  async findMaxTimestamp(upTo: Offset): Promise<TimestampHit | null> {
    this.#checkOpen();
    return findMaxTimestamp(this, this.#services, Math.min(upTo, this.#writtenEnd));
  }

  abortedIn(from: Offset, upTo: Offset): readonly { readonly producerId: bigint; readonly firstOffset: Offset }[] {
    return abortedIn(this.#aborted, from, upTo).map((entry) => ({ producerId: entry.producerId, firstOffset: offset(entry.firstOffset) }));
  }

  configure(settings: LogSettings): void {
    this.#settings = settings;
  }

  requestSync(): void {
    if (this.#closed) return;
    this.#syncWanted = this.#end;
    if (this.#durableEnd < this.#end || this.#folderDirty) this.#wake();
  }

  onProgress(listener: () => void): void {
    assert(this.#listener === null, "one replica owns a log");
    this.#listener = listener;
  }

  // ---- accept, write, sync

  #accept(header: BatchHeader, bytes: Uint8Array, nowMs: number): void {
    if (this.#needsRoll(header)) this.#roll();
    const segment = this.#active;
    this.#pin(segment);
    const position = segment.bytes;
    segment.firstAppendMs ??= nowMs;
    segment.accept(header, this.#settings.indexIntervalBytes);
    if (header.leaderEpoch > this.#epochs.last && this.#epochs.assign(header.leaderEpoch, header.baseOffset)) this.#epochsDirty = true;
    if (header.producerId >= 0n) {
      const marker = header.control ? readMarker(bytes, 0, bytes.length) : null;
      const aborted = this.#producers.apply(header, marker, nowMs);
      if (aborted !== null) {
        this.#aborted.push(aborted);
        this.#files.writeAborted(segment, this.#aborted);
      }
    }
    this.tail.push({ segment, position, bytes: header.bytes, base: header.baseOffset, last: header.lastOffset });
    this.#lane.push({ kind: "batch", segment, position, bytes, next: header.lastOffset + 1 });
    this.#end = header.lastOffset + 1;
    this.#unsavedBytes += header.bytes;
    this.#touched = true;
  }

  #afterAccept(): void {
    if (this.#end - this.#durableEnd >= this.#settings.flushMessages) this.#syncWanted = this.#end;
    if (this.#settings.flushMs < NEVER && this.#flushTimer === null) {
      this.#flushTimer = this.#services.world.clock.after(this.#settings.flushMs, () => {
        this.#flushTimer = null;
        this.requestSync();
      });
    }
    this.#wake();
  }

  #needsRoll(header: BatchHeader): boolean {
    const segment = this.#active;
    if (segment.bytes === 0) return header.lastOffset - segment.base > 0x7fffffff;
    return (
      segment.bytes + header.bytes > this.#settings.segmentBytes ||
      header.lastOffset - segment.base > 0x7fffffff ||
      !segment.indexHasRoom(this.#settings.segmentIndexBytes) ||
      (segment.firstTimestampMs >= 0 && header.maxTimestamp - segment.firstTimestampMs > this.#settings.segmentMs)
    );
  }

  /** Closes the newest segment to batches. Its file, and the next one's, follow when the lane gets there. */
  #roll(): void {
    const sealed = this.#active;
    this.#pin(sealed);
    sealed.seal();
    const segment = new Segment(this.#end, this.#services.files.existing(this.#files.path(segmentName(this.#end, "log")), 0), { next: this.#end, bytes: 0 });
    this.#segments.push(segment);
    this.#lane.push({ kind: "roll", sealed, segment, files: snapshotFiles(this.#end, this.#producers) });
    this.#touched = true;
  }

  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#services.world.clock.soon(() => this.#tick());
  }

  #tick(): void {
    this.#awake = false;
    if (this.#closed) return;
    this.#write(WRITE_MAX_BYTES);
    this.#askForSync();
    if (!this.#lane.isEmpty && !this.#syncing && this.#lane.roll === null) this.#wake();
    if (this.#moved) {
      this.#moved = false;
      this.#check();
      this.#listener?.();
    }
    this.#tellSettled();
  }

  /** Writes what waits in the lane; nothing while the file's sync is in flight. */
  #write(roomBytes: number): void {
    let room = roomBytes;
    while (!this.#syncing && room > 0) {
      if (this.#lane.roll !== null) {
        if (this.#durableEnd !== this.#writtenEnd || this.#folderDirty) return;
        this.#performRoll(this.#lane.takeRoll());
        continue;
      }
      const write = this.#lane.takeWrite(Math.min(room, WRITE_MAX_BYTES));
      if (write === null) return;
      assert(write.segment === this.#writing, "the lane writes to one segment at a time");
      write.segment.file.writeAt(write.position, write.parts);
      room -= write.bytes;
      this.#unsyncedBytes += write.bytes;
      this.#groupBytes += write.bytes;
      if (write.next === null) continue;
      write.segment.written = write.end;
      this.#writtenEnd = write.next;
      this.#moved = true;
    }
  }

  #performRoll(roll: LaneRoll): void {
    const { sealed, segment } = roll;
    this.#files.writeSnapshot(segment.base, roll.files, this.#segments);
    this.#services.indexes.write(sealed);
    this.#services.files.create(segment.file);
    sealed.file.close();
    this.#writing = segment;
    this.#folderDirty = true;
    this.#sealing = this.#sealing.then(() => this.#finishSealing(sealed, roll));
    this.#services.world.own(this.#sealing, "writing the index of a closed segment");
  }

  async #finishSealing(sealed: Segment, roll: LaneRoll): Promise<void> {
    if (!this.#segments.includes(sealed) || this.#closed) return;
    await this.#services.indexes.sync(sealed);
    for (const file of roll.files) if (this.#files.hasSnapshot(roll.segment.base)) await this.#files.sync(file.name);
    await this.#services.disk.syncDirectory(this.#folder);
    sealed.indexed = true;
    sealed.pinned = null;
    this.#services.changed(this);
  }

  #askForSync(): void {
    const behind = this.#durableEnd < this.#writtenEnd || this.#folderDirty;
    const wanted = this.#lane.roll !== null || this.#syncWanted > this.#durableEnd || this.#unsyncedBytes >= UNSYNCED_MAX_BYTES || this.#settledWaits.length > 0;
    if (!behind || !wanted || this.#syncing || this.#syncQueued) return;
    const moreComes = !this.#lane.isEmpty && this.#lane.roll === null;
    if (moreComes && this.#groupBytes < GROUP_MAX_BYTES) return;
    this.#syncQueued = true;
    this.#services.syncs.request(this);
  }

  beginSync(): Promise<void> | null {
    this.#syncQueued = false;
    if (this.#closed || (this.#durableEnd === this.#writtenEnd && !this.#folderDirty)) return null;
    this.#syncing = true;
    this.#groupBytes = 0;
    this.#unsyncedBytes = 0;
    const folder = this.#folderDirty || this.#lostMarker;
    this.#folderDirty = false;
    this.#inFlight = this.#sync(this.#writing, this.#writtenEnd, folder);
    return this.#inFlight;
  }

  async #sync(segment: Segment, target: number, folder: boolean): Promise<void> {
    const { disk } = this.#services;
    try {
      await segment.file.sync();
      if (this.#lostMarker) await disk.unlink(this.#files.path(LOST)); // the controller has made it a replica again: the loss is known
      if (folder) await disk.syncDirectory(this.#folder);
    } catch (error) {
      this.#services.syncFailed(segment.file.path, error);
      await new Promise<never>(() => undefined);
    }
    this.#lostMarker = false;
    this.#syncing = false;
    this.#durableEnd = target;
    this.#moved = true;
    if (this.#flushTimer !== null && this.#durableEnd === this.#end) {
      this.#flushTimer.cancel();
      this.#flushTimer = null;
    }
    this.#wake();
    this.#services.changed(this);
  }

  /** Everything accepted is written and synced. */
  async #settle(): Promise<void> {
    if (!this.#isSettled()) {
      await new Promise<void>((resolve) => {
        this.#settledWaits.push(resolve);
        this.#wake();
      });
    }
    await this.#sealing;
  }

  #isSettled(): boolean {
    return this.#lane.isEmpty && !this.#syncing && this.#durableEnd === this.#end && !this.#folderDirty;
  }

  #tellSettled(): void {
    if (this.#settledWaits.length === 0 || !this.#isSettled()) return;
    for (const tell of this.#settledWaits.splice(0)) tell();
  }

  // ---- checkpoints

  saveForCheckpoint(): Promise<void> {
    return this.#alone(async () => {
      if (this.#closed) return;
      const unindexed = this.#segments.find((segment) => segment.sealed && !segment.indexed);
      const point = Math.min(this.#durableEnd, Math.max(unindexed?.base ?? Infinity, this.#services.recoveryPoint(this.key)));
      if (this.#unsavedBytes >= SAVE_EVERY_BYTES) {
        this.#unsavedBytes = 0;
        if (!this.#files.hasSnapshot(this.#end)) this.#files.writeSnapshot(this.#end, snapshotFiles(this.#end, this.#producers), this.#segments);
        if (this.#active.pinned !== null) this.#services.indexes.write(this.#active);
      }
      await this.#saveEpochs();
      this.#services.recordRecoveryPoint(this.key, point);
    });
  }

  async #saveEpochs(): Promise<void> {
    if (!this.#epochsDirty) return;
    this.#epochsDirty = false;
    await this.#files.writeEpochs(this.#epochs);
  }

  // ---- cutting and retention

  truncateTo(to: Offset): Promise<void> {
    return this.#alone(async () => {
      await this.#cutting(async () => {
        await this.#settle();
        if (to < this.#end) await (this.#keepsNothing(to) ? this.#empty(this.#start) : this.#cut(to));
        if (this.#epochs.truncateEnd(to)) this.#epochsDirty = true; // also when nothing was cut (KAFKA-10706)
        await this.#saveEpochs();
      });
      this.#services.changed(this);
    });
  }

  /** True when no whole batch between the start and `to` would stay. */
  #keepsNothing(to: number): boolean {
    const first = this.#segments[segmentOf(this.#segments, this.#start)];
    assert(first !== undefined, "a log has a segment");
    const place = placeIn(this, first, this.#services.indexes, this.#services.walk, this.#start);
    return to <= this.#start || place === null || place.last >= to;
  }

  async #cut(to: number): Promise<void> {
    const { indexes, disk } = this.#services;
    await this.#services.lowerRecoveryPoint(this.key, this.#segments[segmentOf(this.#segments, to)]?.base ?? 0);
    // In memory in one turn, so that no reader sees a half.
    const { segment, gone } = this.#cutMemory(to);
    // On disk the newest first: a crash leaves a shorter log without holes.
    await this.#files.removeSnapshots((at) => at > this.#end);
    for (const one of gone.reverse()) {
      indexes.forget(one);
      one.file.retire();
      await this.#files.removeSegment(one.base);
    }
    await disk.syncDirectory(this.#folder);
    if (segment.file.size() > segment.written) segment.file.truncate(segment.written);
    await segment.file.sync();
    indexes.write(segment);
    await indexes.sync(segment); // entries of what was cut must not come back under other batches
    this.#aborted = this.#aborted.filter((entry) => entry.lastOffset < this.#end);
    const at = { folder: this.#folder, snapshots: this.#files.snapshots, segments: this.#segments, upTo: this.#end, nowMs: this.#services.world.clock.wallMs() };
    this.#producers = await rebuildProducers(this.#services, at);
    this.#touched = true;
  }

  /** Keeps whole batches below `to`. */
  #cutMemory(to: number): { readonly segment: Segment; readonly gone: Segment[] } {
    const { indexes, walk } = this.#services;
    const keep = segmentOf(this.#segments, to);
    const segment = this.#segments[keep];
    assert(segment !== undefined, "a log has a segment");
    const size = to <= segment.base ? 0 : (placeIn(this, segment, indexes, walk, to)?.position ?? segment.written);
    const known = indexes.of(segment, this.#settings.indexIntervalBytes);
    indexes.forget(segment);
    segment.sealed = false;
    segment.indexed = true;
    const from = resumeSegment(segment, known, walk, { from: to, size });
    segment.saved = { offsets: 0, times: 0 }; // what was in memory may be in no file
    for (let more = walk.begin(segment.file, from, size); more; more = walk.next()) segment.accept(walk.header, this.#settings.indexIntervalBytes);
    assert(segment.bytes === size, "the walk ends where the cut is made");
    segment.written = size;
    const gone = this.#segments.splice(keep + 1);
    this.#writing = segment;
    this.tail.clear();
    assert(segment.next > this.#start, "a cut that leaves nothing empties the log instead");
    this.#end = this.#writtenEnd = this.#durableEnd = segment.next;
    this.#moved = true;
    this.#wake();
    return { segment, gone };
  }

  resetTo(start: Offset): Promise<void> {
    return this.#alone(async () => {
      await this.#cutting(async () => {
        await this.#settle();
        this.#epochs.clear();
        this.#epochsDirty = true;
        await this.#empty(start);
        await this.#saveEpochs();
      });
      this.#services.changed(this);
    });
  }

  /** Leaves no batch; the next one begins at `start`. */
  async #empty(start: number): Promise<void> {
    await this.#services.lowerRecoveryPoint(this.key, 0);
    const gone = this.#segments.splice(0);
    const segment = new Segment(start, this.#services.files.existing(this.#files.path(segmentName(start, "log")), 0), { next: start, bytes: 0 });
    this.#segments.push(segment);
    this.tail.clear();
    this.#writing = segment;
    this.#start = this.#end = this.#writtenEnd = this.#durableEnd = start;
    this.#producers.clear();
    this.#aborted = [];
    this.#touched = true;
    this.#moved = true;
    this.#wake();
    await this.#files.removeSnapshots(() => true);
    for (const one of gone.reverse()) {
      this.#services.indexes.forget(one);
      one.file.retire();
      await this.#files.removeSegment(one.base);
    }
    await this.#services.disk.syncDirectory(this.#folder);
    await this.#services.saveStart(this.key, start);
    this.#services.files.create(segment.file);
    await this.#services.disk.syncDirectory(this.#folder);
  }

  raiseStart(to: Offset): Promise<void> {
    return this.#alone(() => this.#raise(to));
  }

  async #raise(to: number): Promise<void> {
    if (to <= this.#start) return;
    if (to > this.#end) throw new LogError("offset-out-of-range", `the start cannot pass the end, ${this.#end}`, to);
    this.#start = to;
    if (this.#epochs.truncateStart(to)) this.#epochsDirty = true;
    this.#touched = true;
    this.#moved = true;
    this.#wake();
    await this.#services.saveStart(this.key, to);
    this.#dropBelowStart();
  }

  /** Segments wholly below the start leave the log now and the disk later, when nobody reads them any more. */
  #dropBelowStart(): void {
    const gone: Segment[] = [];
    for (;;) {
      const [oldest, second] = this.#segments;
      if (oldest === undefined || second === undefined || second.base > this.#start || oldest.written < oldest.bytes || !oldest.indexed) break;
      if (oldest === this.#writing) break;
      gone.push(oldest);
      this.#segments.shift();
      this.#services.indexes.forget(oldest);
    }
    if (gone.length === 0) return;
    const first = this.#segments[0]?.base ?? 0;
    this.#aborted = this.#aborted.filter((entry) => entry.lastOffset >= first);
    this.#services.removeLater(async () => {
      for (const segment of gone) {
        segment.file.retire();
        await this.#files.removeSegment(segment.base);
      }
      await this.#files.removeSnapshots((at) => at < first);
    }, this.#settings.fileDeleteDelayMs);
  }

  maintain(options: { readonly nowMs: number; readonly upTo: Offset }): Promise<void> {
    return this.#alone(async () => {
      if (this.#closed) return;
      this.#producers.expire(options.nowMs, this.#settings.producerExpirationMs);
      const active = this.#active;
      if (active.bytes > 0 && active.firstAppendMs !== null && options.nowMs - active.firstAppendMs > this.#settings.segmentMs) {
        this.#roll();
        this.#wake();
      }
      if (this.#settings.cleanupDelete) await this.#retain(options);
      else if ((this.#segments[1]?.base ?? Infinity) <= this.#start) this.#dropBelowStart();
      this.#unpinIdle();
    });
  }

  async #retain(options: { readonly nowMs: number; readonly upTo: number }): Promise<void> {
    const { retentionMs, retentionBytes, indexIntervalBytes } = this.#settings;
    const facts = this.#segments.map((segment) => ({
      base: segment.base,
      next: segment.next,
      bytes: segment.bytes,
      maxTimestampMs: retentionMs < 0 || segment.written < segment.bytes ? -1 : (this.#services.indexes.maxOf(segment, indexIntervalBytes)?.timestampMs ?? -1),
    }));
    const count = expiredSegments(facts, { retentionMs, retentionBytes, start: this.#start, nowMs: options.nowMs, upTo: options.upTo });
    if (count === 0) return;
    if (count === this.#segments.length) {
      this.#roll();
      this.#wake();
      await this.#settle();
    }
    const start = this.#segments[count]?.base ?? this.#end;
    if (start > this.#start) await this.#raise(start);
    else this.#dropBelowStart();
  }

  /** The newest segment's indexes leave memory when they are in files and nobody appends. */
  #unpinIdle(): void {
    const active = this.#active;
    const indexes = active.pinned;
    if (indexes === null || !this.#lane.isEmpty || active.written < active.bytes || indexes.offsets.count === 0) return;
    if (this.#unsavedBytes > 0) return;
    this.#services.indexes.write(active);
    active.pinned = null;
  }

  #pin(segment: Segment): void {
    if (segment.pinned !== null) return;
    const indexes = this.#services.indexes.of(segment, this.#settings.indexIntervalBytes);
    this.#services.indexes.forget(segment);
    segment.pinned = indexes;
    segment.saved = { offsets: 0, times: 0 }; // it may have been made anew, and be in no file
  }

  // ---- the end

  close(): Promise<void> {
    return this.#alone(async () => {
      if (this.#closed) return;
      await this.#settle();
      if (this.#touched) await this.#saveAll();
      this.#services.recordRecoveryPoint(this.key, this.#end);
      this.#stop();
    });
  }

  /** Derived files go to the page cache: if power fails before they are on the disk, the next start makes them anew, a little slower. */
  async #saveAll(): Promise<void> {
    const active = this.#active;
    this.#pin(active);
    active.noteMaxTimestamp();
    this.#services.indexes.write(active);
    this.#files.writeAborted(active, this.#aborted);
    if (this.#end > (this.#segments[0]?.base ?? 0)) this.#files.writeSnapshot(this.#end, snapshotFiles(this.#end, this.#producers), this.#segments);
    await this.#saveEpochs();
  }

  /** Ends without saving: the folder is about to be moved away. */
  abandon(): Promise<void> {
    this.#closed = true;
    this.#lane.clear();
    return this.#alone(async () => {
      await this.#inFlight;
      await this.#sealing;
      this.#stop();
    });
  }

  #stop(): void {
    this.#closed = true;
    this.#flushTimer?.cancel();
    this.#flushTimer = null;
    for (const segment of this.#segments) {
      segment.file.retire();
      this.#services.indexes.forget(segment);
    }
  }

  get fileDeleteDelayMs(): number {
    return this.#settings.fileDeleteDelayMs;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  inspect(): LogInspection {
    return {
      start: this.#start,
      end: this.#end,
      writtenEnd: this.#writtenEnd,
      durableEnd: this.#durableEnd,
      bytes: this.bytes,
      segments: this.#segments.length,
      producers: this.#producers.size,
      laneBytes: this.#lane.bytes,
      epochs: this.#epochs.entries.map((entry) => ({ ...entry })),
    };
  }

  get #active(): Segment {
    const last = this.#segments.at(-1);
    assert(last !== undefined, "a log has a segment");
    return last;
  }

  /** One change of shape at a time: cuts, starts, retention, close. */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#exclusive.then(work);
    this.#exclusive = done.catch(() => undefined); // the caller has the failure
    return done;
  }

  async #cutting(work: () => Promise<void>): Promise<void> {
    this.#checkOpen();
    this.#truncating = true;
    await work();
    this.#truncating = false;
  }

  #checkOpen(): void {
    if (this.#closed) throw new LogError("closed", `${this.key} is closed`);
  }

  #checkAppends(): void {
    this.#checkOpen();
    assert(!this.#truncating, "nobody appends to a log that is being cut");
  }

  #check(): void {
    assert(this.#start <= this.#end, "the start does not pass the end");
    assert(this.#durableEnd <= this.#writtenEnd, "what is durable was written");
    assert(this.#writtenEnd <= this.#end, "what is written was accepted");
  }
}

function* pieces(plan: ReadPlan): Generator<{ readonly file: ReadPlan["ranges"][number]["file"]; readonly position: number; readonly bytes: number }> {
  for (const range of plan.ranges) {
    for (let done = 0; done < range.bytes; done += PART_MAX_BYTES) {
      yield { file: range.file, position: range.position + done, bytes: Math.min(PART_MAX_BYTES, range.bytes - done) };
    }
  }
}

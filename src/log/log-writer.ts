/**
 * The way of a log's batches to its disk. A tick writes what waits in the lane, asks for a sync when one is wanted, and tells the listener.
 *
 *   push ──▶ lane ──tick──▶ file (writtenEnd) ──scheduler──▶ fdatasync (durableEnd) ──▶ tick …
 *
 * Nothing is written while a sync is in flight, so what a power loss can tear is one group at the end of the newest segment.
 */
import { assert } from "../base/assert.js";
import { Lane, WRITE_MAX_BYTES, type LaneBatch, type LaneRoll } from "./lane.js";
import type { LogFiles } from "./log-files.js";
import type { LogState } from "./log-state.js";
import { LOST } from "./names.js";
import { LogError } from "./partition-log.js";
import type { Segment } from "./segment.js";
import type { CheckpointedLog, LogServices } from "./services.js";
import type { SyncTarget } from "./sync-scheduler.js";

/** Written and not synced; bounds how long a sync can take, on topics that never ask for one too. */
const UNSYNCED_MAX_BYTES = 16 * 1024 * 1024;
/** What a group commit waits for while the lane is not empty. */
const GROUP_MAX_BYTES = 1024 * 1024;

export interface LogWriterOptions {
  readonly services: LogServices;
  readonly state: LogState;
  readonly files: LogFiles;
  readonly log: CheckpointedLog;
  readonly lostMarker: boolean;
}

export class LogWriter implements SyncTarget {
  readonly #services: LogServices;
  readonly #state: LogState;
  readonly #files: LogFiles;
  readonly #log: CheckpointedLog;
  readonly #lane = new Lane();
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
  #settledWaits: (() => void)[] = [];
  #sealing: Promise<void> = Promise.resolve();
  #inFlight: Promise<void> = Promise.resolve();

  constructor(options: LogWriterOptions) {
    this.#services = options.services;
    this.#state = options.state;
    this.#files = options.files;
    this.#log = options.log;
    this.#lostMarker = options.lostMarker;
    this.#writing = options.state.active;
  }

  get laneBytes(): number {
    return this.#lane.bytes;
  }

  get writing(): Segment {
    return this.#writing;
  }

  /** A push now could be written in this very turn. */
  get isFree(): boolean {
    return this.#lane.isEmpty && !this.#syncing;
  }

  onProgress(listener: () => void): void {
    assert(this.#listener === null, "one replica owns a log");
    this.#listener = listener;
  }

  push(item: LaneBatch | LaneRoll): void {
    this.#lane.push(item);
  }

  /** Writes what the lane has at once, and copies what has to wait: its bytes are the caller's again. */
  writeNow(): void {
    this.#write(Infinity);
    this.#lane.copyBytes();
  }

  /** Wants everything accepted so far on the disk. */
  requestSync(): void {
    this.#syncWanted = this.#state.end;
    if (this.#state.durableEnd < this.#state.end || this.#folderDirty) this.wake();
  }

  /** The listener is to be told. */
  moved(): void {
    this.#moved = true;
    this.wake();
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#services.world.clock.soon(() => this.#tick());
  }

  /** Goes on with this segment after a cut. */
  restart(segment: Segment): void {
    assert(this.#isSettled() || this.#lane.isEmpty, "a cut comes after everything is written");
    this.#writing = segment;
    this.moved();
  }

  #tick(): void {
    this.#awake = false;
    if (this.#state.closed) return;
    this.#write(WRITE_MAX_BYTES);
    this.#askForSync();
    if (!this.#lane.isEmpty && !this.#syncing && this.#lane.roll === null) this.wake();
    if (this.#moved) {
      this.#moved = false;
      this.#state.check();
      this.#listener?.();
    }
    this.#tellSettled();
  }

  /** Writes what waits in the lane; nothing while the file's sync is in flight. */
  #write(roomBytes: number): void {
    let room = roomBytes;
    while (!this.#syncing && room > 0) {
      if (this.#lane.roll !== null) {
        if (this.#state.durableEnd !== this.#state.writtenEnd || this.#folderDirty) return;
        this.#performRoll(this.#lane.takeRoll());
        continue;
      }
      const write = this.#lane.takeWrite(Math.min(room, WRITE_MAX_BYTES));
      if (write === null) return;
      assert(write.segment === this.#writing, "the lane writes to one segment at a time");
      this.#attempt(() => write.segment.file.writeAt(write.position, write.parts));
      room -= write.bytes;
      this.#unsyncedBytes += write.bytes;
      this.#groupBytes += write.bytes;
      if (write.next === null) continue;
      write.segment.written = write.end;
      this.#state.writtenEnd = write.next;
      this.#moved = true;
    }
  }

  /** Offsets were given out for what is written here: when it fails this node cannot go on. */
  #attempt(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#services.world.halt(`the log ${this.#state.key} could not be written`, error);
      throw error;
    }
  }

  #performRoll(roll: LaneRoll): void {
    const { sealed, segment } = roll;
    this.#attempt(() => {
      this.#files.writeSnapshot(segment.base, roll.files, this.#state.segments);
      this.#services.indexes.write(sealed);
      this.#services.files.create(segment.file);
    });
    sealed.file.close();
    this.#writing = segment;
    this.#folderDirty = true;
    this.#sealing = this.#sealing.then(() => this.#finishSealing(sealed, roll));
    this.#services.world.own(this.#sealing, "writing the index of a closed segment");
  }

  async #finishSealing(sealed: Segment, roll: LaneRoll): Promise<void> {
    if (!this.#state.segments.includes(sealed) || this.#state.closed) return;
    await this.#services.indexes.sync(sealed);
    for (const file of roll.files) if (this.#files.hasSnapshot(roll.segment.base)) await this.#files.sync(file.name);
    await this.#services.disk.syncDirectory(this.#files.folder);
    sealed.indexed = true;
    sealed.pinned = null;
    this.#services.changed(this.#log);
  }

  #askForSync(): void {
    const behind = this.#state.durableEnd < this.#state.writtenEnd || this.#folderDirty;
    const wanted = this.#lane.roll !== null || this.#syncWanted > this.#state.durableEnd || this.#unsyncedBytes >= UNSYNCED_MAX_BYTES || this.#settledWaits.length > 0;
    if (!behind || !wanted || this.#syncing || this.#syncQueued) return;
    const moreComes = !this.#lane.isEmpty && this.#lane.roll === null;
    if (moreComes && this.#groupBytes < GROUP_MAX_BYTES) return;
    this.#syncQueued = true;
    this.#services.syncs.request(this);
  }

  beginSync(): Promise<void> | null {
    this.#syncQueued = false;
    if (this.#state.closed || (this.#state.durableEnd === this.#state.writtenEnd && !this.#folderDirty)) return null;
    this.#syncing = true;
    this.#groupBytes = 0;
    this.#unsyncedBytes = 0;
    const folder = this.#folderDirty || this.#lostMarker;
    this.#folderDirty = false;
    this.#inFlight = this.#sync(this.#writing, this.#state.writtenEnd, folder);
    return this.#inFlight;
  }

  async #sync(segment: Segment, target: number, folder: boolean): Promise<void> {
    const { disk } = this.#services;
    try {
      await segment.file.sync();
      if (this.#lostMarker) await disk.unlink(this.#files.path(LOST)); // the controller has made it a replica again: the loss is known
      if (folder) await disk.syncDirectory(this.#files.folder);
    } catch (error) {
      this.#services.syncFailed(segment.file.path, error);
      await new Promise<never>(() => undefined);
    }
    this.#lostMarker = false;
    this.#syncing = false;
    this.#state.durableEnd = target;
    this.#moved = true;
    this.wake();
    this.#services.changed(this.#log);
  }

  /** Everything accepted is written and synced. @throws LogError "closed" when the log was abandoned meanwhile */
  async settle(): Promise<void> {
    if (!this.#isSettled()) {
      await new Promise<void>((resolve) => {
        this.#settledWaits.push(resolve);
        this.wake();
      });
    }
    await this.#sealing;
    if (this.#state.abandoned) throw new LogError("closed", `${this.#state.key} was moved away`);
  }

  #isSettled(): boolean {
    return this.#lane.isEmpty && !this.#syncing && this.#state.durableEnd === this.#state.end && !this.#folderDirty;
  }

  #tellSettled(): void {
    if (this.#settledWaits.length === 0 || !this.#isSettled()) return;
    for (const tell of this.#settledWaits.splice(0)) tell();
  }

  /** Drops what waits and lets what is under way end. The folder is about to be moved. */
  async abandon(): Promise<void> {
    this.#lane.clear();
    await this.#inFlight;
    await this.#sealing;
    for (const tell of this.#settledWaits.splice(0)) tell();
  }
}

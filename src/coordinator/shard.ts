/** One partition's machine during one reign: loaded from the log, then written through it. */
import { assert } from "../base/assert.js";
import type { Offset } from "../base/ids.js";
import type { ErrorName } from "../protocol/errors.js";
import { readBatchHeader, splitBatches, type BatchHeader } from "../records/batch.js";
import { buildBatch } from "../records/builder.js";
import { readRecords } from "../records/record.js";
import type { LeaderLog } from "../replication/replicas.js";
import type { Timer } from "../world/clock.js";
import type { World } from "../world/world.js";

/** What a partition's records mean. Every call is synchronous. */
export interface Machine {
  /** One record of the log, in order, while loading. `producerId` is set for records of a transaction. */
  replay(record: { readonly offset: number; readonly key: Uint8Array; readonly value: Uint8Array | null }, producerId: bigint | null): void;
  /** A transaction's end. */
  replayMarker(producerId: bigint, result: "commit" | "abort"): void;
  /** Everything is read and committed: deadlines begin, and what is decided from now on goes through `log`. */
  onLoaded(log: Appender): void;
  /** The reign has ended: who waits is told, nothing is written any more. */
  onClosed(): void;
}

export interface WriteRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** What a machine sees of its shard. */
export interface Appender {
  readonly leading: boolean;
  write(writing: Writing): void;
  flush(): void;
}

/** What happens to a write: refused; or appended, then committed unless the reign ends first (which onClosed tells). */
export interface Writing {
  readonly records: readonly WriteRecord[];
  refused(error: ErrorName): void;
  /** `base` is the offset of the first record. */
  appended(base: number): void;
  /** Not committed within the time that answers may take; it may still be, and `committed` then follows. */
  late(): void;
  committed(): void;
}

interface Flight {
  readonly untilMs: number;
  readonly writings: readonly Writing[];
  state: "waiting" | "late" | "done";
}

/** Batches appended and not yet committed; more are refused, since a log that takes no progress takes no more work. */
const UNCOMMITTED_MAX = 1_000;
/** While waiting for the high watermark at load. */
const POLL_MS = 10;
const RECORD_OVERHEAD_BYTES = 32;
const YIELD_AFTER_MS = 10;

export interface ShardOptions {
  /** Bytes per read while loading. */
  readonly loadBytes: number;
  /** Appends of one tick are cut at this size; a single write beyond it is refused. */
  readonly batchMaxBytes: number;
  /** How long an answer waits for the high watermark. */
  readonly commitTimeoutMs: number;
}

export class Shard<M extends Machine> implements Appender {
  readonly partition: number;
  readonly machine: M;
  readonly #log: LeaderLog;
  readonly #topic: string;
  #loaded = false;
  #closed = false;
  #queue: Writing[] = [];
  #queuedBytes = 0;
  #flushPlanned = false;
  readonly #flights: Flight[] = []; // in the order of the log, which is that of their deadlines and of their ends
  #timer: Timer | null = null;
  #tail: { readonly end: number; readonly committed: Promise<boolean> } | null = null;

  constructor(readonly world: World, from: { readonly topic: string; readonly partition: number; readonly log: LeaderLog; readonly machine: M; readonly options: ShardOptions }) {
    this.partition = from.partition;
    this.machine = from.machine;
    this.#topic = from.topic;
    this.#log = from.log;
    this.options = from.options;
  }

  readonly options: ShardOptions;

  get loaded(): boolean {
    return this.#loaded;
  }

  /** Asked again before every answer: a shard of an ended reign says nothing. */
  get leading(): boolean {
    return !this.#closed && this.#log.leading;
  }

  /** Reads the whole log, in pieces, and waits until all that was read is committed: what is served later was committed. */
  async load(): Promise<void> {
    const fromMs = this.world.clock.nowMs();
    const end = this.#log.end;
    let records = 0;
    let at: Offset = this.#log.start;
    while (at < end) {
      const read = await this.#log.read(at, this.options.loadBytes);
      try {
        if (!this.leading) return;
        const bytes = read.parts.length === 1 && read.parts[0] !== undefined ? read.parts[0] : Buffer.concat(read.parts);
        records += await this.#replayAll(bytes, end);
      } finally {
        read.release();
      }
      if (!this.leading) return;
      assert(read.next > at, "a read of the log moves on");
      at = read.next;
      await this.world.clock.yield();
      if (!this.leading) return;
    }
    while (this.#log.highWatermark < end) {
      await this.world.clock.sleep(POLL_MS);
      if (!this.leading) return;
    }
    this.#loaded = true;
    this.machine.onLoaded(this);
    this.world.logger.info({ topic: this.#topic, partition: this.partition, epoch: this.#log.epoch, records, tookMs: Math.round(this.world.clock.nowMs() - fromMs) }, "coordinator loaded");
  }

  /** Yields between batches so that other work is never kept waiting. */
  async #replayAll(bytes: Uint8Array, end: Offset): Promise<number> {
    let records = 0;
    let sinceMs = this.world.clock.nowMs();
    for (const span of splitBatches(bytes).spans) {
      const batch = bytes.subarray(span.position, span.position + span.bytes);
      const header = readBatchHeader(batch);
      if (header.baseOffset >= end) break;
      records += this.#replayBatch(batch, header);
      if (this.world.clock.nowMs() - sinceMs < YIELD_AFTER_MS) continue;
      await this.world.clock.yield();
      if (!this.leading) return records;
      sinceMs = this.world.clock.nowMs();
    }
    return records;
  }

  #replayBatch(batch: Uint8Array, header: BatchHeader): number {
    const records = readRecords(batch);
    for (const record of records) {
      if (record.key === null) continue;
      if (!header.control) {
        this.machine.replay({ offset: record.offset, key: record.key, value: record.value }, header.transactional ? header.producerId : null);
        continue;
      }
      const type = record.key.length >= 4 ? Buffer.from(record.key).readInt16BE(2) : -1;
      if (type === 0 || type === 1) this.machine.replayMarker(header.producerId, type === 1 ? "commit" : "abort");
    }
    return records.length;
  }

  /** Queues records for this tick's append. They stay together: all are in the log or none. */
  write(writing: Writing): void {
    assert(this.#loaded, "nothing is written before the state is known");
    const bytes = writing.records.reduce((sum, record) => sum + record.key.length + (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES, 0);
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > this.options.batchMaxBytes) this.flush();
    this.#queue.push(writing);
    this.#queuedBytes += bytes;
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.world.clock.soon(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Appends what is queued, now. Whoever must decide on its outcome calls this first. */
  flush(): void {
    // What refusals and appends bring about may queue more: that waits for its own append, at the end of the tick.
    const queue = this.#queue;
    const bytes = this.#queuedBytes;
    if (queue.length === 0 || this.#closed) return;
    this.#queue = [];
    this.#queuedBytes = 0;
    const error = this.#append(queue, bytes);
    if (error !== null) for (const writing of queue) writing.refused(error);
  }

  #append(queue: readonly Writing[], bytes: number): ErrorName | null {
    if (!this.leading) return "NOT_LEADER_OR_FOLLOWER";
    if (bytes > this.options.batchMaxBytes) return "MESSAGE_TOO_LARGE";
    if (this.#flights.length >= UNCOMMITTED_MAX) return "NOT_ENOUGH_REPLICAS";
    const timestamp = this.world.clock.wallMs();
    const batch = buildBatch(queue.flatMap((writing) => writing.records.map(({ key, value }) => ({ key, value, timestamp }))));
    const appended = this.#log.append(batch);
    if (!appended.ok) return appended.error;
    this.#tail = { end: appended.last + 1, committed: appended.committed };
    let base: number = appended.base;
    for (const writing of queue) {
      writing.appended(base);
      base += writing.records.length;
    }
    assert(base === appended.last + 1, "each record has its offset");
    const flight: Flight = { untilMs: this.world.clock.nowMs() + this.options.commitTimeoutMs, writings: queue, state: "waiting" };
    this.#flights.push(flight);
    this.#arm();
    this.world.own(this.#settle(appended.committed, flight), `commit in ${this.#topic}-${this.partition}`);
    return null;
  }

  async #settle(committed: Promise<boolean>, flight: Flight): Promise<void> {
    const done = await committed;
    flight.state = "done";
    while (this.#flights[0]?.state === "done") this.#flights.shift();
    if (!done || !this.leading) return; // the reign has ended; onClosed speaks to those who wait
    for (const writing of flight.writings) writing.committed();
  }

  #arm(): void {
    if (this.#timer !== null || this.#closed) return;
    const next = this.#flights.find((flight) => flight.state === "waiting");
    if (next === undefined) return;
    this.#timer = this.world.clock.after(Math.max(0, next.untilMs - this.world.clock.nowMs()), () => {
      this.#timer = null;
      const nowMs = this.world.clock.nowMs();
      for (const flight of this.#flights) {
        if (flight.untilMs > nowMs) break;
        if (flight.state !== "waiting") continue;
        flight.state = "late";
        for (const writing of flight.writings) writing.late();
      }
      this.#arm();
    });
  }

  /** Resolves true once all that is applied now is committed; false when the reign ended first. */
  async settled(): Promise<boolean> {
    this.flush();
    const tail = this.#tail;
    if (tail === null || this.#log.highWatermark >= tail.end) return this.leading;
    return (await tail.committed) && this.leading;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#timer?.cancel();
    this.machine.onClosed();
  }
}

/** What log tests share: a World around a MemoryDisk whose timers fire when the test says so, settings, and batches. */
import { epoch, nodeId, offset, uuid, type Offset } from "../../src/base/ids.js";
import { openLogDirectory, type DiskLogDirectory, type LogDirectoryOptions } from "../../src/log/log-directory.js";
import type { LogSettings, PartitionLog } from "../../src/log/partition-log.js";
import { buildBatch } from "../../src/records/builder.js";
import { readRecords } from "../../src/records/record.js";
import { readBatchHeader, splitBatches } from "../../src/records/batch.js";
import type { Logger } from "../../src/world/logger.js";
import type { World } from "../../src/world/world.js";
import { DiskView, MemoryDisk } from "./memory-disk.js";

export const TOPIC_ID = uuid("Gc4rwT8E8FjYCb2TPVFXng");
export const NOW = 1_750_000_000_000;

export const SETTINGS: LogSettings = {
  segmentBytes: 1 << 20,
  segmentMs: 7 * 24 * 3600_000,
  segmentIndexBytes: 10 << 20,
  indexIntervalBytes: 4096,
  retentionMs: -1,
  retentionBytes: -1,
  fileDeleteDelayMs: 60_000,
  cleanupDelete: true,
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  maxMessageBytes: 1 << 20,
  producerExpirationMs: 24 * 3600_000,
};

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };

/** One incarnation. */
export class Incarnation {
  readonly view: DiskView;
  readonly world: World;
  readonly timers: { readonly atMs: number; readonly fn: () => void; live: boolean }[] = [];
  readonly failures: unknown[] = [];
  nowMs = 0;
  halted: string | null = null;

  constructor(readonly disk: MemoryDisk) {
    this.view = new DiskView(disk);
    let ids = 0;
    const unused = () => {
      throw new Error("the log uses no such thing");
    };
    this.world = {
      clock: {
        nowMs: () => this.nowMs,
        wallMs: () => NOW + this.nowMs,
        after: (delayMs, fn) => {
          const timer = { atMs: this.nowMs + delayMs, fn, live: true };
          this.timers.push(timer);
          return { cancel: () => void (timer.live = false) };
        },
        sleep: unused,
        soon: (fn) =>
          void setImmediate(() => {
            if (this.view.dead) return;
            try {
              fn();
            } catch (error) {
              this.failures.push(error);
              this.kill();
            }
          }),
        yield: () => new Promise((resolve) => setImmediate(resolve)),
      },
      random: { below: unused, fraction: unused, uuid: () => uuid(`id${String(ids++).padStart(20, "0")}`), uuidLong: unused, bytes: unused },
      disk: this.view,
      network: { listen: unused, connect: unused },
      rpc: { serve: unused, open: unused },
      logger: silent,
      meter: { counter: unused, gauge: unused, observe: unused, histogram: unused },
      offload: unused,
      own: (promise) =>
        void promise.catch((error: unknown) => {
          this.failures.push(error);
          this.kill();
        }),
      halt: (reason) => {
        this.halted = reason;
        this.kill();
      },
      get halted() {
        return false;
      },
    };
  }

  kill(): void {
    this.view.kill();
  }

  /** Lets time pass and due timers fire. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const timer of this.timers.filter((one) => one.live && one.atMs <= this.nowMs)) {
      timer.live = false;
      timer.fn();
    }
    await turns(20);
  }

  open(options: Partial<LogDirectoryOptions> = {}): Promise<DiskLogDirectory> {
    return openLogDirectory(this.world, { path: "data", nodeId: nodeId(1), clusterId: "cluster", ...options });
  }
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (holds()) return;
    await turns(1);
  }
  throw new Error("it did not come to hold within 2000 turns");
}

export function openLog(directory: DiskLogDirectory, settings: Partial<LogSettings> = {}, which: { readonly topic?: string; readonly partition?: number; readonly durable?: boolean } = {}): Promise<PartitionLog> {
  return directory.openLog({ topic: which.topic ?? "t", partition: which.partition ?? 0, topicId: TOPIC_ID, settings: { ...SETTINGS, ...settings }, durable: which.durable ?? true });
}

export interface BatchWish {
  readonly count?: number;
  readonly valueBytes?: number;
  readonly timestamp?: number;
  readonly producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number };
  readonly transactional?: boolean;
  readonly fill?: string;
}

export function batch(wish: BatchWish = {}): Uint8Array {
  const records = Array.from({ length: wish.count ?? 1 }, (_, i) => ({
    key: null,
    value: Buffer.alloc(wish.valueBytes ?? 20, wish.fill ?? "v"),
    timestamp: (wish.timestamp ?? NOW) + i,
  }));
  return buildBatch(records, { ...(wish.producer === undefined ? {} : { producer: wish.producer }), transactional: wish.transactional ?? false });
}

export function append(log: PartitionLog, wish: BatchWish = {}, reign = 1): Offset {
  const result = log.appendAsLeader(batch(wish), { epoch: epoch(reign), nowMs: NOW, origin: "client" });
  if (!result.ok) throw new Error(result.message);
  return result.base;
}

export async function synced(log: PartitionLog): Promise<void> {
  log.requestSync();
  await until(() => log.durableEnd === log.end);
}

export async function written(log: PartitionLog): Promise<void> {
  await until(() => log.writtenEnd === log.end);
}

/** All bytes from `from` on, read in plans of `maxBytes`. */
export function readAll(log: PartitionLog, from = Number(log.start), maxBytes = 1 << 20): Buffer {
  const parts: Buffer[] = [];
  let at = from;
  while (at < log.writtenEnd) {
    const plan = log.plan(offset(at), { maxBytes, upTo: log.writtenEnd, wholeFirstBatch: true });
    const lent = log.readNow(plan);
    parts.push(Buffer.concat(lent.parts));
    lent.release();
    if (plan.next <= at) throw new Error(`a plan from ${at} leads to ${plan.next}`);
    at = plan.next;
  }
  return Buffer.concat(parts);
}

export function headersOf(bytes: Uint8Array): { readonly base: number; readonly last: number; readonly epoch: number }[] {
  return splitBatches(bytes).spans.map((span) => {
    const header = readBatchHeader(bytes, span.position);
    return { base: header.baseOffset, last: header.lastOffset, epoch: header.leaderEpoch };
  });
}

export function recordsOf(bytes: Uint8Array): { readonly offset: number; readonly value: string }[] {
  return splitBatches(bytes).spans.flatMap((span) =>
    readRecords(bytes.subarray(span.position, span.position + span.bytes)).map((record) => ({ offset: record.offset, value: Buffer.from(record.value ?? []).toString() })),
  );
}

/** Draws that a seed gives again (mulberry32). */
export function drawsFrom(seed: number): (end: number) => number {
  let state = seed >>> 0;
  return (end) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % end;
  };
}

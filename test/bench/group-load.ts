/**
 * How long a coordinator reads a partition of `__consumer_offsets` that holds a million commits, from memory: what is measured is decoding and
 * applying, not the disk. An npm script of its own starts it.
 */
import { offset, epoch, uuid } from "../../src/base/ids.js";
import { GroupMachine } from "../../src/coordinator/group/group-machine.js";
import { offsetRecord } from "../../src/coordinator/group/group-records.js";
import { Shard } from "../../src/coordinator/shard.js";
import { buildBatch } from "../../src/records/builder.js";
import { stampBase } from "../../src/records/batch.js";
import type { LeaderLog } from "../../src/replication/replicas.js";
import type { World } from "../../src/world/world.js";

const COMMITS = 1_000_000;
const GROUPS = 1_000;
const PARTITIONS = 100; // each group commits to so many, ten times over
const PER_BATCH = 100;

function batches(): Uint8Array[] {
  const made: Uint8Array[] = [];
  const topicId = uuid("vDBCEk5vy2Lkh-UFMaPwNA");
  for (let at = 0; at < COMMITS; at += PER_BATCH) {
    const records = Array.from({ length: PER_BATCH }, (_, i) => {
      const n = at + i;
      const value = { offset: BigInt(n), leaderEpoch: 3, metadata: "", commitMs: 1_700_000_000_000 + n, expireMs: -1, topicId };
      return { ...offsetRecord(`consumers-${Math.floor(n / PARTITIONS) % GROUPS}`, "orders-by-airport", n % PARTITIONS, value), timestamp: 1_700_000_000_000 + n };
    });
    const batch = buildBatch(records);
    stampBase(batch, 0, { offset: at, epoch: 1 });
    made.push(batch);
  }
  return made;
}

function logOf(all: readonly Uint8Array[]): LeaderLog {
  return {
    epoch: epoch(1), start: offset(0), end: offset(COMMITS), highWatermark: offset(COMMITS), leading: true,
    read(from, maxBytes) {
      const parts: Uint8Array[] = [];
      let bytes = 0;
      let at = Math.floor(from / PER_BATCH);
      for (; at < all.length && bytes < maxBytes; at++) {
        const batch = all[at] as Uint8Array;
        parts.push(batch);
        bytes += batch.length;
      }
      return Promise.resolve({ parts, next: offset(at * PER_BATCH), release: () => undefined });
    },
    append: () => ({ ok: false, error: "NOT_LEADER_OR_FOLLOWER" }),
  };
}

async function main(): Promise<void> {
  const all = batches();
  const bytes = all.reduce((sum, batch) => sum + batch.length, 0);
  let longestMs = 0;
  let turnFrom = performance.now();
  const clock = {
    nowMs: () => performance.now(), wallMs: () => Date.now(), after: () => ({ cancel: () => undefined }), sleep: () => Promise.resolve(), soon: (fn: () => void) => setImmediate(fn),
    yield: () =>
      new Promise<void>((resolve) => {
        longestMs = Math.max(longestMs, performance.now() - turnFrom);
        setImmediate(() => {
          turnFrom = performance.now();
          resolve();
        });
      }),
  };
  const logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => logger };
  const world = { clock, logger, own: () => undefined } as unknown as World; // loading uses no more of it
  for (let run = 0; run < 3; run++) {
    const machine = new GroupMachine(world, { membersMax: 1_000, initialDelayMs: 3_000 });
    const shard = new Shard(world, { topic: "__consumer_offsets", partition: 0, log: logOf(all), machine, options: { loadBytes: 1024 * 1024, batchMaxBytes: 1_000_000, commitTimeoutMs: 5_000 } });
    const heapBefore = process.memoryUsage().heapUsed;
    const from = performance.now();
    longestMs = 0;
    turnFrom = from;
    await shard.load();
    const tookMs = performance.now() - from;
    const heapMiB = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20;
    console.log(`${COMMITS} commits (${(bytes / 2 ** 20).toFixed(0)} MiB, ${machine.groups.size} groups) loaded in ${tookMs.toFixed(0)} ms; longest turn ${longestMs.toFixed(1)} ms; heap +${heapMiB.toFixed(0)} MiB`);
  }
}

void main();

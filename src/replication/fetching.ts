/** The read path: what each partition has for a reader, KIP-74's limits, and the wait for enough. behaviours.md §4. */
import { offset as toOffset, type NodeId } from "../base/ids.js";
import type { ErrorName } from "../protocol/errors.js";
import { LogError, type LentBytes, type ReadPlan } from "../log/partition-log.js";
import type { World } from "../world/world.js";
import { onFollowerFetch, parting, type Parting } from "./leader-view.js";
import type { Finder } from "./producing.js";
import type { Replica } from "./replica.js";
import type { FetchAnswer, FetchedPartition, FetchItem, FetchOptions } from "./replicas.js";
import type { WaitingRoom } from "./waiting.js";

/** What one partition has now; its bytes are not read yet. */
interface Look {
  readonly error: ErrorName;
  readonly replica: Replica | null;
  readonly plan: ReadPlan | null;
  readonly diverging: { readonly epoch: number; readonly end: number } | null;
  readonly currentLeader: { readonly id: number; readonly epoch: number } | null;
  readonly highWatermark: number;
  readonly lastStable: number;
}

/** Above this much a leader's answer is read piece by piece by the reader anyway. */
const ANSWER_MAX_BYTES = 55 * 1024 * 1024;

export class Fetching {
  constructor(readonly world: World, readonly finder: Finder, readonly waiting: WaitingRoom, readonly onReplicaFetch: (replica: Replica) => void) {}

  async fetch(items: readonly FetchItem[], options: FetchOptions): Promise<FetchAnswer> {
    const deadline = this.world.clock.nowMs() + options.maxWaitMs;
    if (options.replica !== null) this.#noteReplica(items, options.replica);
    const first = this.#lookAll(items, options);
    if (!isEnough(first, options) && options.maxWaitMs > 0 && items.length > 0) await this.#wait(first, items, options, deadline);
    return this.#answer(this.#lookAll(items, options), options);
  }

  /** A follower's fetch offset is its word about its disk, if it is in our epoch and does not diverge. */
  #noteReplica(items: readonly FetchItem[], from: { readonly id: NodeId; readonly brokerEpoch: bigint }): void {
    for (const item of items) {
      const found = this.finder.find(item.ref);
      if (!found.ok || found.replica.role.name !== "leader") continue;
      const { replica } = found;
      const { view } = found.replica.role;
      if (item.currentEpoch !== view.epoch || this.#divergence(replica, item) !== null) continue;
      const at = Number(item.fetchOffset);
      if (at > replica.log.writtenEnd || at < replica.log.start) continue;
      const changed = onFollowerFetch(view, from, { offset: at, logStart: Number(item.logStart), leaderEnd: replica.log.writtenEnd, nowMs: this.world.clock.nowMs() });
      if (changed) replica.progressed();
      if (changed || !view.isr.includes(from.id)) this.onReplicaFetch(replica);
    }
  }

  #divergence(replica: Replica, item: FetchItem): Parting | null {
    return parting((epoch) => replica.log.endOfEpoch(epoch as Replica["log"]["lastEpoch"]), { offset: Number(item.fetchOffset), epoch: item.lastFetchedEpoch });
  }

  #lookAll(items: readonly FetchItem[], options: FetchOptions): readonly Look[] {
    let left = Math.min(options.maxBytes, ANSWER_MAX_BYTES);
    let any = false;
    return items.map((item) => {
      const look = this.#look(item, options, { left, first: !any });
      if (look.plan !== null && look.plan.bytes > 0) {
        any = true;
        left = Math.max(0, left - look.plan.bytes);
      }
      return look;
    });
  }

  #look(item: FetchItem, options: FetchOptions, limits: { readonly left: number; readonly first: boolean }): Look {
    const found = this.finder.find(item.ref);
    if (!found.ok) return failed(found.error, found.currentLeader);
    const { replica } = found;
    const { role, log } = replica;
    if (role.name !== "leader") return failed("NOT_LEADER_OR_FOLLOWER", null);
    const { view } = role;
    const hint = { id: view.self, epoch: view.epoch };
    if (item.currentEpoch >= 0 && item.currentEpoch < view.epoch) return failed("FENCED_LEADER_EPOCH", hint);
    if (item.currentEpoch > view.epoch) return failed("UNKNOWN_LEADER_EPOCH", null);
    if (options.replica !== null && !view.followers.has(options.replica.id)) return failed("UNKNOWN_LEADER_EPOCH", null);

    const highWatermark = replica.highWatermark;
    const lastStable = replica.lastStable;
    const base = { error: "NONE" as const, replica, diverging: null, currentLeader: null, highWatermark, lastStable };
    const from = item.fetchOffset;
    if (from < BigInt(log.start)) return { ...failed("OFFSET_OUT_OF_RANGE", null), replica };
    const diverging = this.#divergence(replica, item);
    if (diverging !== null && diverging.epoch < 0) return failed(options.replica === null ? "OFFSET_OUT_OF_RANGE" : "UNKNOWN_LEADER_EPOCH", null);
    if (diverging !== null) return { ...base, plan: null, diverging };
    if (from > BigInt(log.end)) return { ...failed("OFFSET_OUT_OF_RANGE", null), replica };
    const upTo = options.replica !== null ? log.writtenEnd : options.isolation === "read-committed" ? lastStable : highWatermark;
    if (from >= BigInt(upTo)) return { ...base, plan: null };
    const maxBytes = Math.min(Math.max(0, item.maxBytes), limits.left);
    if (maxBytes === 0 && !limits.first) return { ...base, plan: null };
    try {
      return { ...base, plan: log.plan(toOffset(Number(from)), { maxBytes, upTo, wholeFirstBatch: limits.first }) };
    } catch (error) {
      if (error instanceof LogError && error.code === "offset-out-of-range") return { ...failed("OFFSET_OUT_OF_RANGE", null), replica };
      throw error;
    }
  }

  #wait(first: readonly Look[], items: readonly FetchItem[], options: FetchOptions, deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const keys = [...new Set(first.flatMap((look) => (look.replica === null ? [] : [look.replica.key])))];
      const check = () => {
        if (!isEnough(this.#lookAll(items, options), options)) return false;
        resolve();
        return true;
      };
      const leave = this.waiting.add({ check, expire: resolve }, keys, Math.max(0, deadline - this.world.clock.nowMs()));
      options.onCancel(() => {
        leave();
        resolve();
      });
    });
  }

  /** Hot ranges are read in this turn; cold ones through the thread pool, all at once. */
  async #answer(looks: readonly Look[], options: FetchOptions): Promise<FetchAnswer> {
    const reads = looks.map((look): LentBytes | Promise<LentBytes> | null => {
      if (look.plan === null || look.plan.bytes === 0 || look.replica === null) return null;
      const cold = look.plan.ranges.some((range) => !range.hot);
      return cold ? look.replica.log.read(look.plan) : look.replica.log.readNow(look.plan);
    });
    const records: (LentBytes | null)[] = [];
    for (const read of reads) records.push(read instanceof Promise ? await read : read);
    const partitions = looks.map((look, i): FetchedPartition => {
      const ok = look.error === "NONE";
      const lent = records[i] ?? null;
      const committed = ok && options.isolation === "read-committed" && options.replica === null;
      return {
        error: look.error,
        highWatermark: ok ? look.highWatermark : -1,
        lastStable: ok ? look.lastStable : -1,
        // A follower that is out of range needs to know where our log begins.
        logStart: look.replica === null || (!ok && options.replica === null) ? -1 : look.replica.log.start,
        diverging: look.diverging,
        currentLeader: look.currentLeader,
        aborted: !committed ? null : abortedIn(look),
        records: lent,
        bytes: look.plan?.bytes ?? 0,
      };
    });
    return { partitions, release: () => records.forEach((lent) => lent?.release()) };
  }
}

function abortedIn(look: Look): FetchedPartition["aborted"] {
  const range = look.plan?.ranges[0];
  if (look.replica === null || look.plan === null || range === undefined) return [];
  return look.replica.log.abortedIn(look.replica.log.start, look.plan.next);
}

/** Is there reason to answer now? */
function isEnough(looks: readonly Look[], options: FetchOptions): boolean {
  let bytes = 0;
  for (const look of looks) {
    if (look.error !== "NONE" || look.diverging !== null) return true;
    bytes += look.plan?.bytes ?? 0;
  }
  return bytes >= options.minBytes;
}

function failed(error: ErrorName, currentLeader: Look["currentLeader"]): Look {
  return { error, replica: null, plan: null, diverging: null, currentLeader, highWatermark: -1, lastStable: -1 };
}

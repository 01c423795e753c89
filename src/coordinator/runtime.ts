/**
 * The door of `coordinator/`: state machines kept in the partitions of an internal topic. A machine decides; this runtime loads it from the log
 * when this broker begins to lead the partition, appends what it decided, and drops it when the reign ends. Design §8.
 *
 *   request ─▶ decide ─▶ queued ──end of tick──▶ one append ─▶ applied ─▶ high watermark ─▶ answer
 *                          └─ refused: nothing was applied yet, so nothing is to be taken back
 *
 * Applying waits for the append (microseconds later, in the same tick), so that state never holds what the log does not.
 */
import type { Epoch } from "../base/ids.js";
import type { Replicas } from "../replication/replicas.js";
import type { World } from "../world/world.js";
import { Shard, type Machine, type ShardOptions } from "./shard.js";

export interface RuntimeOptions<M extends Machine> extends ShardOptions {
  readonly topic: string;
  readonly machine: (partition: number) => M;
}

export type Found<M extends Machine> = { readonly ok: true; readonly shard: Shard<M> } | { readonly ok: false; readonly error: "NOT_COORDINATOR" | "COORDINATOR_LOAD_IN_PROGRESS" };

export class CoordinatorRuntime<M extends Machine> {
  readonly #shards = new Map<number, Shard<M>>();
  #closed = false;

  constructor(readonly world: World, readonly replicas: Replicas, readonly options: RuntimeOptions<M>) {
    replicas.onLeadership(options.topic, (partition, reign) => this.#onLeadership(partition, reign));
  }

  /** The machine of a partition, if it may be asked now. */
  at(partition: number): Found<M> {
    const shard = this.#shards.get(partition);
    if (shard === undefined || !shard.leading) return { ok: false, error: "NOT_COORDINATOR" };
    return shard.loaded ? { ok: true, shard } : { ok: false, error: "COORDINATOR_LOAD_IN_PROGRESS" };
  }

  /** Loaded ones and those on their way, by partition. */
  shards(): readonly Shard<M>[] {
    return [...this.#shards.values()].filter((shard) => shard.leading).sort((a, b) => a.partition - b.partition);
  }

  close(): void {
    this.#closed = true;
    for (const shard of this.#shards.values()) shard.close();
    this.#shards.clear();
  }

  #onLeadership(partition: number, reign: { readonly epoch: Epoch } | null): void {
    if (this.#closed) return;
    this.#shards.get(partition)?.close();
    this.#shards.delete(partition);
    if (reign === null) return;
    const { topic } = this.options;
    const log = this.replicas.leaderLog(topic, partition, reign.epoch);
    if (log === null) return; // the reign has ended before it was told of
    const shard = new Shard(this.world, { topic, partition, log, machine: this.options.machine(partition), options: this.options });
    this.#shards.set(partition, shard);
    this.world.own(shard.load(), `loading ${topic}-${partition}`);
  }
}

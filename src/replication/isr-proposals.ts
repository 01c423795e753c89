/** Asks the controller for ISR changes, many partitions in one call, and takes the outcomes. One change of a partition is under way at a time. */
import { epoch as toEpoch, type NodeId } from "../base/ids.js";
import type { Coordination, IsrChange, IsrOutcome } from "../coordination/coordination.js";
import type { World } from "../world/world.js";
import { settleIsr, wantedIsr } from "./leader-view.js";
import type { Replica } from "./replica.js";

const BATCH_MAX = 1_000;
const RETRY_MS = 100;
const REFUSED_PAUSE_MS = 500;

export class IsrProposals {
  readonly #queue = new Set<Replica>();
  #asking = false;

  constructor(readonly world: World, readonly coordination: Coordination, readonly self: NodeId, readonly lagMaxMs: () => number) {}

  /** Looks whether this leader wants another ISR. Cheap: called after each follower's fetch and now and then. */
  consider(replica: Replica): void {
    if (replica.role.name !== "leader" || this.#wanted(replica) === null) return;
    this.#queue.add(replica);
    if (this.#asking) return;
    this.#asking = true;
    this.world.clock.soon(() => this.world.own(this.#askAll(), "asking for ISR changes"));
  }

  #wanted(replica: Replica): readonly NodeId[] | null {
    if (replica.role.name !== "leader") return null;
    const { image } = this.coordination;
    return wantedIsr(replica.role.view, {
      nowMs: this.world.clock.nowMs(),
      lagMaxMs: this.lagMaxMs(),
      leaderEnd: replica.log.writtenEnd,
      eligible: (id) => {
        const broker = image.broker(id);
        return broker === null || broker.fenced || broker.stopping ? null : broker.epoch;
      },
    });
  }

  async #askAll(): Promise<void> {
    while (this.#queue.size > 0) {
      const asked: { readonly replica: Replica; readonly change: IsrChange }[] = [];
      for (const replica of [...this.#queue].slice(0, BATCH_MAX)) {
        this.#queue.delete(replica);
        const change = this.#propose(replica);
        if (change !== null) asked.push({ replica, change });
      }
      if (asked.length === 0) continue;
      await this.#ask(asked);
    }
    this.#asking = false;
  }

  #propose(replica: Replica): IsrChange | null {
    const wanted = this.#wanted(replica);
    if (wanted === null || replica.role.name !== "leader") return null;
    const { view } = replica.role;
    view.proposed = wanted;
    const own = this.coordination.brokerEpoch ?? -1n;
    return {
      topicId: replica.topicId,
      partition: replica.partition,
      leaderEpoch: toEpoch(view.epoch),
      partitionEpoch: view.partitionEpoch,
      isr: wanted.map((id) => ({ id, brokerEpoch: id === this.self ? own : (view.followers.get(id)?.brokerEpoch ?? -1n) })),
      recovered: view.recovering,
    };
  }

  /** An unknown outcome is asked for again, with both sets counting meanwhile. */
  async #ask(asked: readonly { readonly replica: Replica; readonly change: IsrChange }[]): Promise<void> {
    let left = asked;
    while (left.length > 0) {
      const outcomes = await this.coordination.alterIsr(left.map((one) => one.change));
      const again = left.filter((one, i) => !this.#settle(one, outcomes[i] ?? { ok: false, error: "REQUEST_TIMED_OUT" }));
      if (again.length > 0) await this.world.clock.sleep(RETRY_MS);
      left = again.filter(({ replica, change }) => replica.role.name === "leader" && replica.role.view.epoch === change.leaderEpoch && replica.role.view.partitionEpoch === change.partitionEpoch && replica.role.view.proposed !== null);
    }
  }

  /** @returns false when it has to be asked again */
  #settle({ replica, change }: { readonly replica: Replica; readonly change: IsrChange }, outcome: IsrOutcome): boolean {
    if (replica.role.name !== "leader" || replica.role.view.epoch !== change.leaderEpoch) return true;
    const { view } = replica.role;
    if (outcome.ok) {
      const before = view.isr;
      if (outcome.leaderEpoch === view.epoch) settleIsr(view, { isr: outcome.isr, partitionEpoch: outcome.partitionEpoch, recovering: false });
      if (outcome.isr.length !== before.length) this.world.logger.info({ topic: replica.topic, partition: replica.partition, epoch: view.epoch, from: before, to: outcome.isr }, outcome.isr.length < before.length ? "isr shrank" : "isr grew");
      replica.progressed();
      return true;
    }
    if (outcome.error === "REQUEST_TIMED_OUT" || outcome.error === "NOT_CONTROLLER") return false;
    view.proposed = null;
    view.proposeAfterMs = this.world.clock.nowMs() + REFUSED_PAUSE_MS;
    this.world.logger.info({ topic: replica.topic, partition: replica.partition, error: outcome.error, isr: change.isr.map((one) => one.id) }, "isr change refused");
    return true;
  }
}

/** Asks the controller for ISR changes, many partitions in one call, and takes the outcomes. One change of a partition is under way at a time. */
import { epoch as toEpoch, type NodeId } from "../base/ids.js";
import type { Coordination, IsrChange, IsrOutcome } from "../coordination/coordination.js";
import type { World } from "../world/world.js";
import { onProposalRefused, settleIsr, wantedIsr, type LeaderView } from "./leader-view.js";
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
      const asked: Asked[] = [];
      for (const replica of [...this.#queue].slice(0, BATCH_MAX)) {
        this.#queue.delete(replica);
        const wanted = this.#wanted(replica);
        if (wanted === null || replica.role.name !== "leader") continue;
        replica.role.view.proposed = wanted; // from here on both sets count
        asked.push({ replica, view: replica.role.view, partitionEpoch: replica.role.view.partitionEpoch, isr: wanted });
      }
      if (asked.length === 0) continue;
      await this.#ask(asked);
    }
    this.#asking = false;
  }

  #change({ replica, view, partitionEpoch, isr }: Asked): IsrChange {
    const own = this.coordination.brokerEpoch ?? -1n;
    return {
      topicId: replica.topicId,
      partition: replica.partition,
      leaderEpoch: toEpoch(view.epoch),
      partitionEpoch,
      isr: isr.map((id) => ({ id, brokerEpoch: id === this.self ? own : (view.followers.get(id)?.brokerEpoch ?? -1n) })),
      recovered: view.recovering,
    };
  }

  /** An unknown outcome is asked for again, with both sets counting meanwhile. */
  async #ask(asked: readonly Asked[]): Promise<void> {
    let left = asked;
    while (left.length > 0) {
      const outcomes = await this.coordination.alterIsr(left.map((one) => this.#change(one)));
      left = left.filter((one, i) => this.#settle(one, outcomes[i] ?? { ok: false, error: "REQUEST_TIMED_OUT" }));
      if (left.length === 0) return;
      await this.world.clock.sleep(RETRY_MS);
      left = left.filter((one) => stands(one));
    }
  }

  /** @returns true when it has to be asked again */
  #settle(asked: Asked, outcome: IsrOutcome): boolean {
    const { replica, view } = asked;
    if (replica.role.name !== "leader" || replica.role.view !== view) return false; // another reign
    const fields = { topic: replica.topic, partition: replica.partition, epoch: view.epoch };
    if (outcome.ok) {
      if (outcome.leaderEpoch !== view.epoch) return false; // the feed will tell of the next reign
      const before = view.isr;
      settleIsr(view, { isr: outcome.isr, partitionEpoch: outcome.partitionEpoch, recovering: false });
      if (outcome.partitionEpoch === view.partitionEpoch) view.proposed = null; // one change is under way at a time: it was this one
      if (outcome.isr.length !== before.length) this.world.logger.info({ ...fields, from: before, to: outcome.isr }, outcome.isr.length < before.length ? "isr shrank" : "isr grew");
      replica.progressed();
      return false;
    }
    const next = onProposalRefused(view, asked.partitionEpoch, outcome.error);
    if (next === "ask-again") return true;
    if (next !== "over") this.world.logger.info({ ...fields, error: outcome.error, isr: asked.isr }, "isr change refused");
    view.proposeAfterMs = this.world.clock.nowMs() + REFUSED_PAUSE_MS;
    if (next === "dropped") replica.progressed();
    return false;
  }
}

/** One change on its way, within one reign. */
interface Asked {
  readonly replica: Replica;
  readonly view: LeaderView;
  readonly partitionEpoch: number;
  readonly isr: readonly NodeId[];
}

function stands({ replica, view, partitionEpoch }: Asked): boolean {
  return replica.role.name === "leader" && replica.role.view === view && view.partitionEpoch === partitionEpoch && view.proposed !== null;
}

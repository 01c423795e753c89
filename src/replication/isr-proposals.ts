/**
 * Asks the controller for ISR changes, many partitions in one call, and takes the outcomes. One change of a partition is under way at a time, and no partition
 * waits for another's: who has to ask again joins a later call, and while one call is without an answer a few others may go out.
 *
 *   consider ──▶ queue ──▶ call (alone or with others) ──▶ settled │ refused: a pause │ unknown: back into the queue
 *   moved ─────▶ behind ──deadline of the lag──▶ consider
 */
import { epoch as toEpoch, type NodeId } from "../base/ids.js";
import type { Coordination, IsrChange, IsrOutcome } from "../coordination/coordination.js";
import type { Timer } from "../world/clock.js";
import type { World } from "../world/world.js";
import { lagDeadlineMs, onProposalRefused, settleIsr, wantedIsr, type LeaderView } from "./leader-view.js";
import type { Replica } from "./replica.js";

const BATCH_MAX = 1_000;
/** Calls without an answer; each has its deadline in the controller's client. */
const CALLS_MAX = 4;
const RETRY_MS = 100;
const REFUSED_PAUSE_MS = 500;

/** One change on its way, within one reign. */
interface Asked {
  readonly replica: Replica;
  readonly view: LeaderView;
  readonly partitionEpoch: number;
  readonly isr: readonly NodeId[];
}

export class IsrProposals {
  /** Who asks with the next call: for what is decided then, or again for what has no known outcome. */
  readonly #queue = new Map<Replica, Asked | null>();
  #calls = 0;
  #planned = false;
  /** Leaders that may have somebody behind in their ISR: looked at when the first could have been so for too long. */
  readonly #behind = new Set<Replica>();
  #look: { readonly atMs: number; readonly timer: Timer } | null = null;
  #closed = false;

  constructor(readonly world: World, readonly coordination: Coordination, readonly self: NodeId, readonly lagMaxMs: () => number) {}

  /** Looks whether this leader wants another ISR. Cheap: called whenever something that the answer rests on has changed. */
  consider(replica: Replica): void {
    if (this.#closed || this.#queue.has(replica) || this.#wanted(replica) === null) return;
    this.#queue.set(replica, null);
    this.#plan();
  }

  /** The leader's log or a follower's place has moved: from now on somebody may be behind. */
  moved(replica: Replica): void {
    if (this.#closed || replica.role.name !== "leader" || this.#behind.has(replica)) return;
    const { role, log } = replica;
    const dueMs = lagDeadlineMs(role.view, { leaderEnd: log.writtenEnd, lagMaxMs: this.lagMaxMs() });
    if (dueMs === null) return;
    this.#behind.add(replica);
    this.#lookAt(dueMs);
  }

  /** Another bound counts for the lag. */
  onSettings(): void {
    if (this.#behind.size > 0) this.#lookAt(this.world.clock.nowMs());
  }

  close(): void {
    this.#closed = true;
    this.#look?.timer.cancel();
    this.#behind.clear();
    this.#queue.clear();
  }

  #lookAt(dueMs: number): void {
    if (this.#look !== null && this.#look.atMs <= dueMs) return;
    this.#look?.timer.cancel();
    this.#look = { atMs: dueMs, timer: this.world.clock.after(dueMs - this.world.clock.nowMs(), () => this.#lookAtAll()) };
  }

  #lookAtAll(): void {
    this.#look = null;
    const lagMaxMs = this.lagMaxMs();
    let nextMs = Infinity;
    for (const replica of this.#behind) {
      const { role, log } = replica;
      const dueMs = role.name === "leader" ? lagDeadlineMs(role.view, { leaderEnd: log.writtenEnd, lagMaxMs }) : null;
      if (dueMs !== null && dueMs > this.world.clock.nowMs()) {
        nextMs = Math.min(nextMs, dueMs);
        continue;
      }
      this.#behind.delete(replica); // caught up; or asked about now, and watched again once that is decided
      if (dueMs !== null) this.consider(replica);
    }
    if (nextMs < Infinity) this.#lookAt(nextMs);
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

  /** What is wanted in one tick leaves in one call. */
  #plan(): void {
    if (this.#planned || this.#closed || this.#calls >= CALLS_MAX || this.#queue.size === 0) return;
    this.#planned = true;
    this.world.clock.soon(() => {
      this.#planned = false;
      this.world.own(this.#call(), "asking for ISR changes");
    });
  }

  #take(): readonly Asked[] {
    const asked: Asked[] = [];
    for (const [replica, before] of this.#queue) {
      if (asked.length >= BATCH_MAX) break;
      this.#queue.delete(replica);
      if (before !== null && stands(before)) {
        asked.push(before);
        continue;
      }
      const wanted = this.#wanted(replica);
      if (wanted === null || replica.role.name !== "leader") continue;
      replica.role.view.proposed = wanted; // from here on both sets count
      asked.push({ replica, view: replica.role.view, partitionEpoch: replica.role.view.partitionEpoch, isr: wanted });
    }
    return asked;
  }

  async #call(): Promise<void> {
    const asked = this.#take();
    if (asked.length === 0) return;
    this.#calls++;
    this.#plan();
    const outcomes = await this.coordination.alterIsr(asked.map((one) => this.#change(one)));
    this.#calls--;
    if (this.#closed) return;
    const verdicts = asked.map((one, i) => ({ one, verdict: this.#settle(one, outcomes[i] ?? { ok: false, error: "REQUEST_TIMED_OUT" }) }));
    const unknown = verdicts.filter(({ verdict }) => verdict === "unknown").map(({ one }) => one);
    const refused = verdicts.filter(({ verdict }) => verdict === "refused").map(({ one }) => one);
    if (unknown.length > 0) this.world.clock.after(RETRY_MS, () => this.#askAgain(unknown));
    if (refused.length > 0) this.world.clock.after(REFUSED_PAUSE_MS, () => refused.forEach(({ replica }) => this.#reconsider(replica)));
    this.#plan();
  }

  /** An unknown outcome is asked for again, with both sets counting meanwhile. */
  #askAgain(unknown: readonly Asked[]): void {
    if (this.#closed) return;
    for (const one of unknown) if (stands(one)) this.#queue.set(one.replica, one);
    this.#plan();
  }

  #reconsider(replica: Replica): void {
    this.consider(replica);
    this.moved(replica);
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

  #settle(asked: Asked, outcome: IsrOutcome): "settled" | "unknown" | "refused" {
    const { replica, view } = asked;
    if (replica.role.name !== "leader" || replica.role.view !== view) return "settled"; // another reign
    const fields = { topic: replica.topic, partition: replica.partition, epoch: view.epoch };
    if (outcome.ok) {
      if (outcome.leaderEpoch !== view.epoch) return "settled"; // the feed will tell of the next reign
      const before = view.isr;
      settleIsr(view, { isr: outcome.isr, partitionEpoch: outcome.partitionEpoch, recovering: false });
      if (outcome.partitionEpoch === view.partitionEpoch) view.proposed = null; // one change is under way at a time: it was this one
      if (outcome.isr.length !== before.length) this.world.logger.info({ ...fields, from: before, to: outcome.isr }, outcome.isr.length < before.length ? "isr shrank" : "isr grew");
      replica.progressed();
      this.#reconsider(replica); // growth waits for a shrinking to be decided
      return "settled";
    }
    const next = onProposalRefused(view, asked.partitionEpoch, outcome.error);
    if (next === "ask-again") return "unknown";
    if (next !== "over") this.world.logger.info({ ...fields, error: outcome.error, isr: asked.isr }, "isr change refused");
    view.proposeAfterMs = this.world.clock.nowMs() + REFUSED_PAUSE_MS;
    if (next === "dropped") replica.progressed();
    return "refused";
  }
}

function stands({ replica, view, partitionEpoch }: Asked): boolean {
  return replica.role.name === "leader" && replica.role.view === view && view.partitionEpoch === partitionEpoch && view.proposed !== null;
}

/**
 * One partition on three brokers with a controller, in memory, driven by draws: appends, syncs, fetches whose answers come late or never, ISR changes whose
 * answers are lost, crashes that lose what was not synced, frozen leaders, fences. Every decision of a broker is the production code's.
 */
import { epoch as toEpoch, nodeId, NO_UUID, type NodeId } from "../../src/base/ids.js";
import { Epochs } from "../../src/log/epochs.js";
import type { PartitionImage } from "../../src/metadata/image.js";
import { onReply } from "../../src/replication/follower-steps.js";
import { advanceHighWatermark, checkLeader, makeLeaderView, onFollowerFetch, onProposalRefused, parting, settleIsr, wantedIsr, type LeaderView } from "../../src/replication/leader-view.js";

export type Plant = "ack-before-replication" | "truncate-to-watermark" | "no-epoch-fence" | "refusal-ends-proposal" | "old-news-ends-proposal" | "join-before-watermark" | "count-unsynced" | "serve-stale-follower";

interface Entry {
  readonly id: number;
  readonly epoch: number;
}

interface Broker {
  readonly id: NodeId;
  entries: Entry[];
  epochs: Epochs;
  durable: number;
  mark: number;
  image: PartitionImage;
  view: LeaderView | null;
  brokerEpoch: bigint;
  waiting: { end: number; id: number }[];
  reply: { readonly epoch: number; readonly from: number; readonly entries: readonly Entry[]; readonly mark: number; readonly diverging: { epoch: number; end: number } | null } | null;
  ask: { readonly partitionEpoch: number; readonly leaderEpoch: number; readonly isr: readonly { id: NodeId; brokerEpoch: bigint }[]; answer: "none" | { ok: true; isr: readonly NodeId[]; partitionEpoch: number } | { ok: false; error: "INVALID_UPDATE_VERSION" | "INELIGIBLE_REPLICA" | "FENCED_LEADER_EPOCH" } } | null;
}

const MIN_ISR = 2;
const LAG_MAX_MS = 150;

export class Model {
  readonly brokers: Broker[] = [];
  readonly fenced = new Set<NodeId>();
  readonly acked = new Map<number, number>(); // offset -> id
  readonly reached = new Map<string, number>();
  image: PartitionImage;
  nowMs = 0;
  #nextId = 1;
  #nextEpoch = 10n;

  constructor(readonly draw: (end: number) => number, readonly plant: Plant | null = null) {
    const ids = [1, 2, 3].map(nodeId);
    this.image = { topicId: NO_UUID, index: 0, replicas: ids, directories: ids.map(() => NO_UUID), isr: ids, elr: [], lastKnownElr: [], leader: ids[0] ?? null, leaderEpoch: toEpoch(0), partitionEpoch: 0, recovering: false };
    for (const id of ids) this.brokers.push({ id, entries: [], epochs: new Epochs(), durable: 0, mark: 0, image: this.image, view: null, brokerEpoch: this.#nextEpoch++, waiting: [], reply: null, ask: null });
    for (const broker of this.brokers) this.#learn(broker);
  }

  step(): void {
    this.nowMs += this.draw(4);
    const broker = this.#any();
    const what = this.draw(40);
    if (what < 7) this.#produce(broker);
    else if (what < 13) this.#sync(broker);
    else if (what < 19) this.#fetch(broker);
    else if (what < 26) this.#take(broker);
    else if (what < 29) this.#propose(broker);
    else if (what < 33) this.#decide(broker);
    else if (what < 37) this.#answer(broker);
    else if (what < 39) this.#learn(broker);
    else this.#trouble(broker);
    this.check();
  }

  /** Ends all trouble and lets everybody catch up. */
  heal(): void {
    for (const broker of this.brokers) this.fenced.delete(broker.id);
    for (let round = 0; round < 400; round++) {
      this.nowMs += 1;
      if (this.image.leader === null) this.#elect();
      for (const broker of this.brokers) {
        this.#learn(broker);
        this.#sync(broker);
        this.#fetch(broker);
        this.#take(broker);
        this.#propose(broker);
        this.#decide(broker);
        this.#answer(broker);
        this.check();
      }
    }
  }

  check(): void {
    for (const broker of this.brokers) if (broker.view !== null && this.plant === null) checkLeader(broker.view, { start: 0, durableEnd: broker.durable, end: broker.entries.length }, true);
    for (const id of this.image.isr) {
      const member = this.#broker(id);
      for (const [offset, value] of this.acked) {
        if (offset >= member.durable || member.entries[offset]?.id !== value) throw new Error(`acknowledged ${value} at ${offset} is not on the disk of ${id}, a member of the ISR`);
      }
    }
  }

  /** All logs are equal and hold what was acknowledged. */
  converged(): boolean {
    const [first, ...others] = this.brokers;
    const text = (broker: Broker | undefined) => JSON.stringify(broker?.entries);
    return others.every((other) => text(other) === text(first)) && this.image.isr.length === 3;
  }

  #any(): Broker {
    return this.brokers[this.draw(this.brokers.length)] as Broker;
  }

  #broker(id: NodeId): Broker {
    return this.brokers.find((one) => one.id === id) as Broker;
  }

  #note(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  // ---- a leader

  #produce(broker: Broker): void {
    const { view } = broker;
    if (view === null || view.isr.length < MIN_ISR) return;
    const id = this.#nextId++;
    broker.entries.push({ id, epoch: view.epoch });
    broker.waiting.push({ end: broker.entries.length, id });
    if (this.plant === "ack-before-replication") view.highWatermark = broker.entries.length;
    this.#move(broker);
  }

  #move(broker: Broker): void {
    const { view } = broker;
    if (view === null) return;
    advanceHighWatermark(view, this.plant === "count-unsynced" ? broker.entries.length : broker.durable);
    broker.waiting = broker.waiting.filter(({ end, id }) => {
      if (view.highWatermark < end) return true;
      this.acked.set(end - 1, id);
      this.#note("acked");
      return false;
    });
  }

  #sync(broker: Broker): void {
    broker.durable = broker.entries.length;
    this.#move(broker);
  }

  #propose(broker: Broker): void {
    const { view } = broker;
    if (view === null || broker.ask !== null) return;
    if (view.proposed !== null) {
      if (view.partitionEpoch !== broker.image.partitionEpoch && this.plant === null) return;
    } else {
      const wanted = wantedIsr(this.plant === "join-before-watermark" ? { ...view, highWatermark: 0, epochStart: 0 } : view, {
        nowMs: this.nowMs,
        lagMaxMs: LAG_MAX_MS,
        leaderEnd: broker.entries.length,
        eligible: (id) => (this.fenced.has(id) ? null : this.#broker(id).brokerEpoch),
      });
      if (wanted === null) return;
      view.proposed = wanted;
    }
    broker.ask = {
      partitionEpoch: view.partitionEpoch,
      leaderEpoch: view.epoch,
      isr: (view.proposed ?? []).map((id) => ({ id, brokerEpoch: id === broker.id ? broker.brokerEpoch : (view.followers.get(id)?.brokerEpoch ?? -1n) })),
      answer: "none",
    };
  }

  #answer(broker: Broker): void {
    const { view, ask } = broker;
    if (ask === null || ask.answer === "none") return;
    broker.ask = null;
    if (view === null || view.epoch !== ask.leaderEpoch) return;
    const { answer } = ask;
    if (answer.ok) {
      settleIsr(view, { isr: answer.isr, partitionEpoch: answer.partitionEpoch, recovering: false });
      if (answer.partitionEpoch === view.partitionEpoch) view.proposed = null;
    } else {
      const next = onProposalRefused(view, ask.partitionEpoch, answer.error);
      this.#note(`refused: ${next}`);
      if (this.plant === "refusal-ends-proposal") view.proposed = null;
    }
    this.#move(broker);
  }

  // ---- a follower

  #fetch(broker: Broker): void {
    const { image } = broker;
    if (broker.view !== null || image.leader === null || broker.reply !== null) return;
    if (broker.durable < broker.entries.length && this.plant !== "count-unsynced") return; // it sits out until its disk holds all
    const leader = this.#broker(image.leader);
    const { view } = leader;
    if (view === null) return;
    if (view.epoch !== image.leaderEpoch && this.plant !== "no-epoch-fence") return this.#note("fetch fenced");
    const offset = broker.entries.length;
    const end = (epoch: number) => leader.epochs.endOf(epoch, leader.entries.length);
    const diverging = this.plant === "no-epoch-fence" ? null : parting(end, { offset, epoch: broker.epochs.last });
    if (diverging === null && offset <= leader.entries.length) {
      onFollowerFetch(view, { id: broker.id, brokerEpoch: broker.brokerEpoch }, { offset, logStart: 0, leaderEnd: leader.entries.length, nowMs: this.nowMs });
      this.#move(leader);
    }
    if (diverging === null && offset > leader.entries.length) return;
    broker.reply = { epoch: image.leaderEpoch, from: offset, entries: diverging === null ? leader.entries.slice(offset, offset + 1 + this.draw(3)) : [], mark: view.highWatermark, diverging };
  }

  #take(broker: Broker): void {
    const { reply } = broker;
    broker.reply = null;
    if (reply === null || this.draw(8) === 0) return; // lost on the way
    if (broker.view !== null || reply.epoch !== broker.image.leaderEpoch || reply.from !== broker.entries.length) return;
    const log = { start: 0, end: broker.entries.length, endOfEpoch: (epoch: number) => broker.epochs.endOf(epoch, broker.entries.length) };
    const step = onReply(log, { error: "NONE", diverging: reply.diverging, logStart: 0 });
    if (step.do === "truncate") {
      this.#note(step.to < broker.entries.length ? "truncated" : "epochs cut");
      this.#cut(broker, step.to);
      return;
    }
    for (const entry of reply.entries) {
      if (entry.epoch > reply.epoch) break;
      if (entry.epoch > broker.epochs.last) broker.epochs.assign(entry.epoch, broker.entries.length);
      broker.entries.push(entry);
    }
    broker.mark = Math.max(broker.mark, Math.min(reply.mark, broker.durable));
  }

  #cut(broker: Broker, to: number): void {
    broker.entries.length = Math.min(to, broker.entries.length);
    broker.epochs.truncateEnd(to);
    broker.durable = broker.entries.length;
    broker.mark = Math.min(broker.mark, broker.entries.length);
  }

  // ---- the controller and what a broker hears of it

  #learn(broker: Broker): void {
    const before = broker.image;
    broker.image = this.image;
    const { image } = this;
    if (image.leader !== broker.id) {
      if (broker.view !== null) {
        broker.mark = broker.view.highWatermark;
        broker.view = null;
        broker.waiting = [];
      }
      if (this.plant === "truncate-to-watermark" && before.leaderEpoch !== image.leaderEpoch) this.#cut(broker, broker.mark);
      return;
    }
    if (broker.view !== null && broker.view.epoch === image.leaderEpoch) {
      if (this.plant === "old-news-ends-proposal" && image.partitionEpoch === broker.view.partitionEpoch) broker.view.proposed = null;
      settleIsr(broker.view, image);
      this.#move(broker);
      return;
    }
    broker.waiting = [];
    broker.reply = null;
    broker.ask = null;
    broker.epochs.assign(image.leaderEpoch, broker.entries.length);
    broker.view = makeLeaderView(broker.id, image, { epochStart: broker.entries.length, highWatermark: Math.min(broker.view?.highWatermark ?? broker.mark, broker.durable), minIsr: MIN_ISR, nowMs: this.nowMs });
    this.#note("led");
    this.#move(broker);
  }

  /** KIP-497 as controller/decide/isr.ts decides it. The change may be applied and its answer lost. */
  #decide(broker: Broker): void {
    const { ask } = broker;
    if (ask === null || ask.answer !== "none") return;
    const { image } = this;
    if (this.draw(6) === 0) {
      this.#note("request lost");
      broker.ask = null; // never arrived: proposed again, both sets counting
      return;
    }
    if (ask.leaderEpoch < image.leaderEpoch) ask.answer = { ok: false, error: "FENCED_LEADER_EPOCH" };
    else if (ask.partitionEpoch < image.partitionEpoch) ask.answer = { ok: false, error: "INVALID_UPDATE_VERSION" };
    else if (!ask.isr.every((one) => image.isr.includes(one.id) || (!this.fenced.has(one.id) && this.#broker(one.id).brokerEpoch === one.brokerEpoch))) ask.answer = { ok: false, error: "INELIGIBLE_REPLICA" };
    else {
      const isr = ask.isr.map((one) => one.id);
      this.#note(isr.length > image.isr.length ? "isr grew" : "isr shrank");
      this.image = { ...image, isr, partitionEpoch: image.partitionEpoch + 1 };
      if (this.draw(2) === 0) {
        this.#note("answer lost");
        broker.ask = null;
      } else ask.answer = { ok: true, isr, partitionEpoch: this.image.partitionEpoch };
    }
  }

  #fence(id: NodeId): void {
    const isr = this.image.isr.length === 1 ? this.image.isr : this.image.isr.filter((one) => one !== id);
    this.fenced.add(id);
    this.image = { ...this.image, isr, partitionEpoch: this.image.partitionEpoch + 1 };
    if (this.image.leader === id) this.#elect();
  }

  #elect(): void {
    const able = this.image.isr.filter((id) => !this.fenced.has(id));
    const leader = able[this.draw(Math.max(1, able.length))] ?? null;
    this.image = { ...this.image, leader, leaderEpoch: toEpoch(this.image.leaderEpoch + 1), partitionEpoch: this.image.partitionEpoch + 1 };
  }

  #trouble(broker: Broker): void {
    switch (this.draw(7)) {
      case 0: // its process dies with the page cache, and a new one registers: the old incarnation is fenced first
        this.#note("crash");
        this.#crash(broker);
        break;
      case 1: // its lease runs out; it may go on believing that it leads
        if (!this.fenced.has(broker.id) && this.fenced.size < 2) this.#fence(broker.id);
        break;
      case 2: // all lose power at once
        if (this.draw(4) > 0) return;
        this.#note("power cut");
        for (const one of this.brokers) this.#crash(one);
        break;
      default:
        this.fenced.delete(broker.id);
        if (this.image.leader === null) this.#elect();
    }
  }

  #crash(broker: Broker): void {
    broker.entries.length = broker.durable;
    broker.epochs.truncateEnd(broker.durable + 1); // a reign without a batch may be forgotten or not
    broker.mark = this.draw(broker.mark + 1);
    broker.view = null;
    broker.waiting = [];
    broker.reply = null;
    broker.ask = null;
    this.#fence(broker.id);
    broker.brokerEpoch = this.#nextEpoch++;
    this.fenced.delete(broker.id);
    if (this.image.leader === null) this.#elect();
    broker.image = { ...this.image, leader: null }; // follows nobody before the feed has told
  }
}

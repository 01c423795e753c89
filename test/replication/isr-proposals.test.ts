import { describe, expect, test } from "vitest";
import { epoch, nodeId, NO_UUID, type NodeId } from "../../src/base/ids.js";
import type { Coordination, IsrChange, IsrOutcome } from "../../src/coordination/coordination.js";
import type { PartitionImage } from "../../src/metadata/image.js";
import { IsrProposals } from "../../src/replication/isr-proposals.js";
import { makeLeaderView, onFollowerFetch, type LeaderView } from "../../src/replication/leader-view.js";
import type { Replica } from "../../src/replication/replica.js";
import type { World } from "../../src/world/world.js";

const [one, two, three] = [nodeId(1), nodeId(2), nodeId(3)];
const LAG_MS = 1_000;

/** A clock that is moved by hand, and the calls of one broker to a controller that answers when it is told to. */
class Bench {
  nowMs = 0;
  timers: { atMs: number; fn: () => void }[] = [];
  readonly calls: { readonly changes: readonly IsrChange[]; readonly answer: (outcomes: readonly IsrOutcome[]) => void }[] = [];
  readonly fenced = new Set<NodeId>();
  readonly proposals: IsrProposals;

  constructor() {
    const clock = {
      nowMs: () => this.nowMs,
      after: (delayMs: number, fn: () => void) => {
        const timer = { atMs: this.nowMs + Math.max(0, delayMs), fn };
        this.timers.push(timer);
        return { cancel: () => void (this.timers = this.timers.filter((it) => it !== timer)) };
      },
      soon: (fn: () => void) => setImmediate(fn),
    };
    const nothing = () => undefined;
    const world = { clock, logger: { info: nothing }, own: (promise: Promise<unknown>) => void promise } as unknown as World; // what proposals use of it
    const coordination = {
      brokerEpoch: 1n,
      image: { broker: (id: NodeId) => ({ epoch: 1n, fenced: this.fenced.has(id), stopping: false }) },
      alterIsr: (changes: readonly IsrChange[]) => new Promise<readonly IsrOutcome[]>((answer) => this.calls.push({ changes, answer })),
    } as unknown as Coordination;
    this.proposals = new IsrProposals(world, coordination, one, () => LAG_MS);
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Time passes, timer by timer. @returns how many fired */
  async pass(ms: number): Promise<number> {
    const end = this.nowMs + ms;
    let fired = 0;
    for (;;) {
      await this.settle();
      const next = this.timers.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > end) break;
      this.nowMs = next.atMs;
      this.timers.shift();
      next.fn();
      fired++;
    }
    this.nowMs = end;
    return fired;
  }

  /** A partition led by 1. */
  partition(index: number, isr: readonly NodeId[]): { readonly replica: Replica; readonly view: LeaderView; fetch(id: NodeId, at: number): void; end: number } {
    const image: PartitionImage = { topicId: NO_UUID, index, replicas: [one, two, three], directories: [], isr, elr: [], lastKnownElr: [], leader: one, leaderEpoch: epoch(5), partitionEpoch: 10, recovering: false };
    const view = makeLeaderView(one, image, { epochStart: 0, highWatermark: 0, minIsr: 1, nowMs: this.nowMs });
    const log = { writtenEnd: 10 };
    const replica = { key: String(index), topic: "t", topicId: NO_UUID, partition: index, role: { name: "leader", view }, log, progressed: () => this.proposals.moved(replica) } as unknown as Replica;
    const { proposals } = this;
    const now = () => this.nowMs;
    return {
      replica,
      view,
      get end() {
        return log.writtenEnd;
      },
      set end(end: number) {
        log.writtenEnd = end;
        proposals.moved(replica);
      },
      fetch(id, at) {
        onFollowerFetch(view, { id, brokerEpoch: 1n }, { offset: at, logStart: 0, leaderEnd: log.writtenEnd, nowMs: now() });
        proposals.moved(replica);
        proposals.consider(replica);
      },
    };
  }

  /** Applies everything that this call asks for. */
  accept(call: number): void {
    const { changes, answer } = this.calls[call] as Bench["calls"][number];
    answer(changes.map((ask) => ({ ok: true, leader: one, leaderEpoch: ask.leaderEpoch, partitionEpoch: ask.partitionEpoch + 1, isr: ask.isr.map((member) => member.id) })));
  }

  refuse(call: number, error: Extract<IsrOutcome, { ok: false }>["error"]): void {
    const { changes, answer } = this.calls[call] as Bench["calls"][number];
    answer(changes.map(() => ({ ok: false, error })));
  }
}

describe("partitions do not wait for each other", () => {
  test("what is wanted in one tick leaves in one call; a call without an answer holds nobody else up", async () => {
    const bench = new Bench();
    const [a, b, c] = [0, 1, 2].map((index) => bench.partition(index, [one, two]));
    a?.fetch(three, 10);
    b?.fetch(three, 10);
    await bench.settle();
    expect(bench.calls.map((call) => call.changes.map((ask) => ask.partition))).toEqual([[0, 1]]);
    c?.fetch(three, 10);
    await bench.settle();
    expect(bench.calls.map((call) => call.changes.map((ask) => ask.partition))).toEqual([[0, 1], [2]]);
    bench.accept(1);
    await bench.settle();
    expect(c?.view.isr).toEqual([one, two, three]);
    expect(a?.view).toMatchObject({ isr: [one, two], proposed: [one, two, three] });
  });

  test.each(["REQUEST_TIMED_OUT", "NOT_CONTROLLER", "STALE_BROKER_EPOCH"] as const)("one that hears %s for ever is asked for again and again, the others get on", async (error) => {
    const bench = new Bench();
    const stuck = bench.partition(0, [one, two]);
    const other = bench.partition(1, [one]);
    stuck.fetch(two, 10);
    stuck.fetch(three, 10);
    await bench.settle();
    bench.refuse(0, error);
    await bench.pass(50);
    other.fetch(two, 10);
    await bench.settle();
    bench.accept(1);
    await bench.settle();
    expect(other.view.isr).toEqual([one, two]);
    for (let call = 2; call < 20; call++) {
      await bench.pass(100);
      expect(bench.calls[call]?.changes).toMatchObject([{ partition: 0, partitionEpoch: 10, isr: [{ id: 1 }, { id: 2 }, { id: 3 }] }]);
      expect(stuck.view.proposed).toEqual([one, two, three]); // both sets count meanwhile
      bench.refuse(call, error);
      await bench.settle();
    }
    other.fetch(three, 10);
    await bench.settle();
    bench.accept(20);
    await bench.pass(100);
    expect(other.view.isr).toEqual([one, two, three]);
    bench.accept(21);
    await bench.settle();
    expect(stuck.view).toMatchObject({ isr: [one, two, three], proposed: null });
  });

  test("at most four calls are without an answer; the fifth leaves when one of them comes back, with all that waits", async () => {
    const bench = new Bench();
    const all = Array.from({ length: 8 }, (_, index) => bench.partition(index, [one]));
    for (const partition of all) {
      partition.fetch(two, 10);
      await bench.settle();
    }
    expect(bench.calls.map((call) => call.changes.length)).toEqual([1, 1, 1, 1]);
    bench.accept(2);
    await bench.settle();
    expect(bench.calls.map((call) => call.changes.length)).toEqual([1, 1, 1, 1, 4]);
  });

  test("a reign that has ended meanwhile is not asked for again", async () => {
    const bench = new Bench();
    const old = bench.partition(0, [one]);
    old.fetch(two, 10);
    await bench.settle();
    bench.refuse(0, "REQUEST_TIMED_OUT");
    await bench.settle();
    old.replica.role = { name: "offline", epoch: epoch(6) };
    await bench.pass(1_000);
    expect(bench.calls.length).toBe(1);
  });
});

describe("time", () => {
  test("a follower that stays behind leaves when the bound is over, not at a tick; nobody's timer stands while all are caught up", async () => {
    const bench = new Bench();
    const partition = bench.partition(0, [one, two, three]);
    partition.fetch(two, 10);
    partition.fetch(three, 10);
    await bench.pass(LAG_MS * 2);
    expect(bench.timers).toEqual([]);
    bench.nowMs = 10_000;
    partition.view.followers.forEach((follower) => (follower.caughtUpMs = 10_000)); // as onOwnAppend notes it
    partition.end = 11;
    partition.fetch(two, 11);
    expect(await bench.pass(LAG_MS)).toBe(0);
    expect(await bench.pass(1)).toBe(1);
    expect(bench.calls[0]?.changes).toMatchObject([{ isr: [{ id: 1 }, { id: 2 }] }]);
    bench.accept(0);
    await bench.settle();
    expect(partition.view.isr).toEqual([one, two]);
    await bench.pass(10 * LAG_MS);
    expect(bench.timers).toEqual([]);
  });

  test("under steady writing one timer a bound is enough", async () => {
    const bench = new Bench();
    const partition = bench.partition(0, [one, two]);
    partition.fetch(two, 10);
    let fired = 0;
    for (let i = 1; i <= 1_000; i++) {
      partition.end = 10 + i;
      fired += await bench.pass(10);
      partition.fetch(two, 10 + i);
    }
    expect(fired).toBeLessThanOrEqual(11);
    expect(bench.calls).toEqual([]);
    await bench.pass(2 * LAG_MS);
    expect(bench.timers).toEqual([]);
  });

  test("after INELIGIBLE_REPLICA it is looked at again by itself, once the pause is over", async () => {
    const bench = new Bench();
    const partition = bench.partition(0, [one]);
    partition.fetch(two, 10);
    await bench.settle();
    bench.refuse(0, "INELIGIBLE_REPLICA");
    await bench.pass(400);
    expect(bench.calls.length).toBe(1);
    await bench.pass(100);
    expect(bench.calls.length).toBe(2);
    bench.accept(1);
    await bench.settle();
    expect(partition.view.isr).toEqual([one, two]);
  });

  test("growth that waited for a shrinking follows it at once", async () => {
    const bench = new Bench();
    const partition = bench.partition(0, [one, two]);
    bench.nowMs = LAG_MS + 1;
    partition.end = 11;
    partition.fetch(three, 11);
    await bench.settle();
    expect(bench.calls[0]?.changes).toMatchObject([{ isr: [{ id: 1 }] }]);
    bench.accept(0);
    await bench.settle();
    expect(bench.calls[1]?.changes).toMatchObject([{ isr: [{ id: 1 }, { id: 3 }] }]);
  });
});

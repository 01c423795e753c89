import { describe, expect, test } from "vitest";
import { epoch, nodeId, NO_UUID } from "../../src/base/ids.js";
import type { PartitionImage } from "../../src/metadata/image.js";
import { advanceHighWatermark, makeLeaderView, maximalIsr, onFollowerFetch, onProposalRefused, parting, settleIsr, wantedIsr, type LeaderView } from "../../src/replication/leader-view.js";

const [one, two, three] = [nodeId(1), nodeId(2), nodeId(3)];
const LAG = 30_000;

function image(change: Partial<PartitionImage> = {}): PartitionImage {
  return { topicId: NO_UUID, index: 0, replicas: [one, two, three], directories: [], isr: [one, two, three], elr: [], lastKnownElr: [], leader: one, leaderEpoch: epoch(5), partitionEpoch: 10, recovering: false, ...change };
}

function leader(change: Partial<PartitionImage> = {}, known: { epochStart?: number; highWatermark?: number; minIsr?: number } = {}): LeaderView {
  return makeLeaderView(one, image(change), { epochStart: 0, highWatermark: 0, minIsr: 2, nowMs: 0, ...known });
}

function fetches(view: LeaderView, id: number, offset: number, options: { leaderEnd?: number; nowMs?: number; brokerEpoch?: bigint } = {}): boolean {
  return onFollowerFetch(view, { id: nodeId(id), brokerEpoch: options.brokerEpoch ?? 100n }, { offset, logStart: 0, leaderEnd: options.leaderEnd ?? 10, nowMs: options.nowMs ?? 0 });
}

const rules = (change: { nowMs?: number; leaderEnd?: number; ineligible?: number } = {}) => ({ nowMs: change.nowMs ?? 0, lagMaxMs: LAG, leaderEnd: change.leaderEnd ?? 10, eligible: (id: number) => (id === change.ineligible ? null : 100n) });

describe("the high watermark", () => {
  test.each([
    ["waits for the slowest member", [one, two, three], 10, { 2: 7, 3: 4 }, 4],
    ["does not wait for who is out", [one, two], 10, { 2: 7, 3: 4 }, 7],
    ["is bounded by the leader's own disk", [one, two, three], 5, { 2: 7, 3: 6 }, 5],
    ["waits for a member that has not fetched in this reign", [one, two, three], 10, { 2: 7 }, 0],
    ["does not move below min.insync.replicas (KIP-966)", [one], 10, { 2: 7, 3: 7 }, 0],
  ])("%s", (_, isr, own, ends, expected) => {
    const view = leader({ isr });
    for (const [id, end] of Object.entries(ends)) fetches(view, Number(id), end);
    advanceHighWatermark(view, own);
    expect(view.highWatermark).toBe(expected);
  });

  test("never goes back", () => {
    const view = leader();
    fetches(view, 2, 7);
    fetches(view, 3, 7);
    expect(advanceHighWatermark(view, 10)).toBe(true);
    fetches(view, 3, 2);
    expect(advanceHighWatermark(view, 10)).toBe(false);
    expect(view.highWatermark).toBe(7);
  });

  test("counts both the old and the proposed ISR until the change is decided (KIP-497)", () => {
    const view = leader({ isr: [one, two] });
    fetches(view, 2, 9);
    fetches(view, 3, 6);
    view.proposed = [one, two, three];
    expect(maximalIsr(view)).toEqual([one, two, three]);
    advanceHighWatermark(view, 10);
    expect(view.highWatermark).toBe(6);
  });
});

describe("who joins", () => {
  test.each([
    ["at the high watermark", 6, { highWatermark: 6, epochStart: 0 }, {}, [one, two, three]],
    ["not below it", 5, { highWatermark: 6, epochStart: 0 }, {}, null],
    ["not below the start of the reign (KAFKA-7128)", 6, { highWatermark: 4, epochStart: 8 }, {}, null],
    ["at the start of the reign", 8, { highWatermark: 4, epochStart: 8 }, {}, [one, two, three]],
    ["not while fenced or stopping (KIP-841)", 9, { highWatermark: 6, epochStart: 0 }, { ineligible: 3 }, null],
  ])("%s", (_, end, known, change, expected) => {
    const view = leader({ isr: [one, two] }, known);
    fetches(view, 2, 9);
    fetches(view, 3, end);
    expect(wantedIsr(view, rules(change))).toEqual(expected);
  });

  test("C8: not with the broker epoch of an earlier registration (KIP-903)", () => {
    const view = leader({ isr: [one, two] });
    fetches(view, 2, 10);
    fetches(view, 3, 10, { brokerEpoch: 99n });
    expect(wantedIsr(view, rules())).toBeNull();
  });

  test("nobody while a change is under way, or soon after a refusal", () => {
    const view = leader({ isr: [one, two] });
    fetches(view, 2, 10);
    fetches(view, 3, 10);
    view.proposed = [one, two, three];
    expect(wantedIsr(view, rules())).toBeNull();
    view.proposed = null;
    view.proposeAfterMs = 5;
    expect(wantedIsr(view, rules())).toBeNull();
    expect(wantedIsr(view, rules({ nowMs: 5 }))).toEqual([one, two, three]);
  });
});

describe("who leaves", () => {
  test("who has not caught up for replica.lag.time.max.ms", () => {
    const view = leader();
    fetches(view, 2, 10, { nowMs: 1 });
    fetches(view, 3, 4, { nowMs: 1 });
    expect(wantedIsr(view, rules({ nowMs: LAG }))).toBeNull();
    expect(wantedIsr(view, rules({ nowMs: LAG + 1 }))).toEqual([one, two]);
  });

  test("nobody who holds everything, however long ago it fetched", () => {
    const view = leader();
    fetches(view, 2, 10);
    fetches(view, 3, 10);
    expect(wantedIsr(view, rules({ nowMs: 10 * LAG }))).toBeNull();
  });

  test("nobody who reached each time what we had the time before", () => {
    const view = leader();
    fetches(view, 2, 10);
    for (let round = 0; round < 10; round++) fetches(view, 3, 10 * round, { leaderEnd: 10 * (round + 1), nowMs: (round * LAG) / 2 });
    expect(wantedIsr(view, rules({ nowMs: 5 * LAG, leaderEnd: 100 }))).not.toEqual([one, two]);
  });
});

describe("what the controller and the feed say", () => {
  test("old news does not end a later proposal", () => {
    const view = leader({ isr: [one, two] });
    settleIsr(view, { isr: [one], partitionEpoch: 11, recovering: false });
    view.proposed = [one, two];
    settleIsr(view, image({ isr: [one], partitionEpoch: 11 }));
    expect(view.proposed).toEqual([one, two]);
    settleIsr(view, image({ isr: [one, two], partitionEpoch: 12 }));
    expect(view).toMatchObject({ proposed: null, isr: [one, two], partitionEpoch: 12 });
  });

  test.each([
    ["REQUEST_TIMED_OUT", "ask-again", true],
    ["NOT_CONTROLLER", "ask-again", true],
    ["STALE_BROKER_EPOCH", "ask-again", true],
    ["INVALID_UPDATE_VERSION", "await-metadata", true],
    ["FENCED_LEADER_EPOCH", "await-metadata", true],
    ["UNKNOWN_TOPIC_ID", "await-metadata", true],
    ["INELIGIBLE_REPLICA", "dropped", false],
    ["INVALID_REQUEST", "dropped", false],
  ] as const)("after %s: %s, and the proposal counts on: %s", (error, next, counts) => {
    const view = leader({ isr: [one, two] });
    view.proposed = [one, two, three];
    expect(onProposalRefused(view, 10, error)).toBe(next);
    expect(view.proposed !== null).toBe(counts);
  });

  test("an answer that comes after the feed changes nothing", () => {
    const view = leader({ isr: [one, two] });
    settleIsr(view, { isr: [one], partitionEpoch: 11, recovering: false });
    view.proposed = [one, two];
    expect(onProposalRefused(view, 10, "INELIGIBLE_REPLICA")).toBe("over");
    expect(view.proposed).toEqual([one, two]);
  });
});

test("an old connection that speaks after its successor is not heard", () => {
  const view = leader();
  expect(fetches(view, 2, 4, { brokerEpoch: 101n })).toBe(true);
  expect(fetches(view, 2, 9, { brokerEpoch: 100n })).toBe(false);
  expect(view.followers.get(two)?.end).toBe(4);
});

describe("where a reader's log parts from ours", () => {
  const ours = (asked: number) => (asked < 2 ? { epoch: asked, end: 0 } : asked < 4 ? { epoch: 2, end: 20 } : asked === 4 ? { epoch: 4, end: 30 } : { epoch: -1, end: -1 });
  test.each([
    ["same epoch, within it", { offset: 15, epoch: 2 }, null],
    ["same epoch, at its end", { offset: 20, epoch: 2 }, null],
    ["same epoch, beyond its end", { offset: 25, epoch: 2 }, { epoch: 2, end: 20 }],
    ["an epoch that we never had", { offset: 15, epoch: 3 }, { epoch: 2, end: 20 }],
    ["an epoch before all of ours, at our start", { offset: 0, epoch: 1 }, null],
    ["an epoch before all of ours, beyond our start", { offset: 5, epoch: 1 }, { epoch: 1, end: 0 }],
    ["no epoch to compare", { offset: 99, epoch: -1 }, null],
    ["a reign to come", { offset: 5, epoch: 9 }, { epoch: -1, end: -1 }],
  ])("%s", (_, reader, expected) => expect(parting(ours, reader)).toEqual(expected));
});

import { describe, expect, test } from "vitest";
import { NO_UUID, uuid } from "../../src/base/ids.js";
import { FetchSessions } from "../../src/replication/fetch-sessions.js";
import type { FetchRequest } from "../../src/protocol/messages/01-fetch.js";

const T = uuid("topic00000000000000000");

function ask(sessionId: number, sessionEpoch: number, partitions: readonly number[] = [], options: { forgotten?: readonly number[]; offset?: bigint; byId?: boolean } = {}): FetchRequest {
  const topic = options.byId === true ? { topic: "", topicId: T } : { topic: "t", topicId: NO_UUID };
  const listed = partitions.map((partition) => ({ partition, currentLeaderEpoch: 0, fetchOffset: options.offset ?? 0n, lastFetchedEpoch: -1, logStartOffset: -1n, partitionMaxBytes: 1000, replicaDirectoryId: NO_UUID, highWatermark: 0n }));
  return { clusterId: null, replicaId: -1, replicaState: { replicaId: -1, replicaEpoch: -1n }, maxWaitMs: 0, minBytes: 0, maxBytes: 1000, isolationLevel: 0, sessionId, sessionEpoch, topics: partitions.length === 0 ? [] : [{ ...topic, partitions: listed }], forgottenTopicsData: options.forgotten === undefined ? [] : [{ ...topic, partitions: options.forgotten }], rackId: "" };
}

function cache(slots = 3): { resolve: (request: FetchRequest, options?: { version?: number; nowMs?: number; replica?: number | null }) => ReturnType<FetchSessions["resolve"]>; sessions: FetchSessions } {
  let drawn = 0;
  const sessions = new FetchSessions(() => slots, () => ++drawn / 1000);
  return { sessions, resolve: (request, options = {}) => sessions.resolve(request, { version: 12, nowMs: 0, replica: null, ...options }) };
}

describe("the table of KIP-227", () => {
  test("0, -1: a full fetch without a session", () => {
    const { resolve, sessions } = cache();
    expect(resolve(ask(0, -1, [0, 1]))).toMatchObject({ error: "NONE", sessionId: 0, incremental: false });
    expect(sessions.count).toBe(0);
  });

  test("0, 0: a full fetch that makes one; then only what changed is listed, and all of it is known", () => {
    const { resolve } = cache();
    const made = resolve(ask(0, 0, [0, 1, 2]));
    expect(made.sessionId).toBeGreaterThan(0);
    const next = resolve(ask(made.sessionId, 1, [1, 3], { offset: 7n, forgotten: [2] }));
    expect(next).toMatchObject({ error: "NONE", sessionId: made.sessionId, incremental: true });
    expect(next.partitions.map((one) => [one.partition, one.fetchOffset])).toEqual([[0, 0n], [1, 7n], [3, 7n]]);
  });

  test("served partitions go to the end", () => {
    const { resolve } = cache();
    const made = resolve(ask(0, 0, [0, 1, 2]));
    made.rotate?.(made.partitions.slice(0, 1));
    expect(resolve(ask(made.sessionId, 1)).partitions.map((one) => one.partition)).toEqual([1, 2, 0]);
  });

  test("id, 0: ends that one and makes another", () => {
    const { resolve, sessions } = cache();
    const first = resolve(ask(0, 0, [0]));
    const second = resolve(ask(first.sessionId, 0, [0]));
    expect(second.sessionId).not.toBe(first.sessionId);
    expect(sessions.count).toBe(1);
    expect(resolve(ask(first.sessionId, 1)).error).toBe("FETCH_SESSION_ID_NOT_FOUND");
  });

  test("id, -1: ends it", () => {
    const { resolve, sessions } = cache();
    const made = resolve(ask(0, 0, [0]));
    expect(resolve(ask(made.sessionId, -1, [0])).sessionId).toBe(0);
    expect(sessions.count).toBe(0);
  });

  test.each([
    ["an id that nobody has", (id: number) => ask(id + 1, 1), 12, "FETCH_SESSION_ID_NOT_FOUND"],
    ["no id with an epoch", () => ask(0, 3), 12, "FETCH_SESSION_ID_NOT_FOUND"],
    ["an epoch too early", (id: number) => ask(id, 2), 12, "INVALID_FETCH_SESSION_EPOCH"],
    ["ids in a session of names", (id: number) => ask(id, 1, [0], { byId: true }), 13, "FETCH_SESSION_TOPIC_ID_ERROR"],
  ] as const)("%s is refused", (_, request, version, error) => {
    const { resolve } = cache();
    const made = resolve(ask(0, 0, [0]));
    expect(resolve(request(made.sessionId), { version })).toMatchObject({ error, sessionId: 0, partitions: [] });
  });

  test("before version 7 there are none", () => expect(cache().resolve(ask(0, 0, [0]), { version: 6 }).sessionId).toBe(0));
});

describe("room", () => {
  test("none is refused one while others are used; after two idle minutes the oldest makes room", () => {
    const { resolve, sessions } = cache(2);
    const first = resolve(ask(0, 0, [0]), { nowMs: 0 });
    resolve(ask(0, 0, [0]), { nowMs: 1 });
    expect(resolve(ask(0, 0, [0]), { nowMs: 2 }).sessionId).toBe(0);
    expect(resolve(ask(0, 0, [0]), { nowMs: 120_001 }).sessionId).toBeGreaterThan(0);
    expect(resolve(ask(first.sessionId, 1), { nowMs: 120_001 }).error).toBe("FETCH_SESSION_ID_NOT_FOUND");
    expect(sessions.count).toBe(2);
  });

  test("a follower takes a client's, and has one at a time", () => {
    const { resolve, sessions } = cache(1);
    resolve(ask(0, 0, [0]));
    const first = resolve(ask(0, 0, [0]), { replica: 2 });
    expect(first.sessionId).toBeGreaterThan(0);
    const second = resolve(ask(0, 0, [0]), { replica: 2 });
    expect(second.sessionId).toBeGreaterThan(0);
    expect(resolve(ask(first.sessionId, 1), { replica: 2 }).error).toBe("FETCH_SESSION_ID_NOT_FOUND");
    expect(sessions.count).toBe(1);
    expect(resolve(ask(0, 0, [0])).sessionId).toBe(0);
  });
});

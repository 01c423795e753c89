/** Offsets and the group APIs, in each version's shape. */
import { describe, expect, test } from "vitest";
import { NO_UUID, uuid } from "../../src/base/ids.js";
import { errorName } from "../../src/protocol/errors.js";
import { FindCoordinatorResponse } from "../../src/protocol/messages/10-find-coordinator.js";
import { OffsetFetchResponse } from "../../src/protocol/messages/09-offset-fetch.js";
import { JoinGroupResponse } from "../../src/protocol/messages/11-join-group.js";
import { LeaveGroupResponse } from "../../src/protocol/messages/13-leave-group.js";
import { Consumer, fetchOffset, stable } from "./consumer.js";
import { context, GroupSim, named, TOPIC_IDS } from "./sim.js";

const day = 24 * 60 * 60_000;

describe("OffsetCommit", () => {
  test("each partition has its own error", async () => {
    const sim = await GroupSim.started();
    const simple = new Consumer(sim);
    expect(await simple.committed(1, { topic: "nowhere" })).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await simple.committed(1, { partition: 3 })).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await simple.committed(1, { metadata: "x".repeat(4_096) })).toBe("NONE");
    expect(await simple.committed(1, { metadata: "x".repeat(4_097) })).toBe("OFFSET_METADATA_TOO_LARGE");
    expect(await simple.committed(1, { metadata: "é".repeat(2_049) })).toBe("OFFSET_METADATA_TOO_LARGE");
  });

  test("a member of a group that nobody knows is told so in its version's words", async () => {
    const sim = await GroupSim.started();
    const lost = new Consumer(sim, { group: "gone" });
    lost.memberId = "m";
    lost.generation = 4;
    expect(await lost.committed(1, { version: 9 })).toBe("GROUP_ID_NOT_FOUND");
    expect(await lost.committed(1, { version: 8 })).toBe("ILLEGAL_GENERATION");
  });

  test("topics by id (v10): the answer carries the id, an unknown one its error", async () => {
    const sim = await GroupSim.started();
    const partitions = [{ partitionIndex: 0, committedOffset: 9n, committedLeaderEpoch: -1, committedMetadata: null }];
    const unknown = uuid("BBBBBBBBBBBBBBBBBBBBBB");
    const request = { groupId: "s", generationIdOrMemberEpoch: -1, memberId: "", groupInstanceId: null, retentionTimeMs: -1n, topics: [{ name: "", topicId: TOPIC_IDS.t, partitions }, { name: "", topicId: unknown, partitions }] };
    const answer = await sim.now(sim.groups.offsetCommit(request, context(10)));
    if (answer === "waits") throw new Error(answer);
    expect(answer.topics?.map((topic) => [topic.topicId, errorName(topic.partitions?.[0]?.errorCode ?? -1)])).toEqual([[TOPIC_IDS.t, "NONE"], [unknown, "UNKNOWN_TOPIC_ID"]]);
    expect(await fetchOffset(sim, "s")).toBe(9);
    const fetched = await sim.now(sim.groups.offsetFetch({ groupId: "", topics: [], requireStable: false, groups: [{ groupId: "s", memberId: null, memberEpoch: -1, topics: [{ name: "", topicId: TOPIC_IDS.t, partitionIndexes: [0] }, { name: "", topicId: unknown, partitionIndexes: [0] }] }] }, context(10)));
    if (fetched === "waits") throw new Error(fetched);
    expect(fetched.groups?.[0]?.topics?.map((topic) => [Number(topic.partitions?.[0]?.committedOffset), errorName(topic.partitions?.[0]?.errorCode ?? -1)])).toEqual([[9, "NONE"], [-1, "UNKNOWN_TOPIC_ID"]]);
  });
});

describe("OffsetFetch", () => {
  const v7 = (topics: null | { name: string; partitionIndexes: number[] }[]) => ({ groupId: "s", topics, groups: [], requireStable: false });

  test("no offset is -1 without an error; null topics are all; every version's answer can be written", async () => {
    const sim = await GroupSim.started();
    const simple = new Consumer(sim, { group: "s" });
    await simple.committed(4, { metadata: "here" });
    await simple.committed(5, { topic: "u", partition: 1 });
    for (let version = 1; version <= 7; version++) {
      const some = await sim.now(sim.groups.offsetFetch(v7([{ name: "t", partitionIndexes: [0, 1] }]), context(version)));
      if (some === "waits") throw new Error(some);
      expect(some.topics?.[0]?.partitions).toEqual([
        { partitionIndex: 0, committedOffset: 4n, committedLeaderEpoch: 3, metadata: "here", errorCode: 0 },
        { partitionIndex: 1, committedOffset: -1n, committedLeaderEpoch: -1, metadata: "", errorCode: 0 },
      ]);
      OffsetFetchResponse.toBytes(some, version);
    }
    const all = await sim.now(sim.groups.offsetFetch(v7(null), context(7)));
    expect(all === "waits" ? all : all.topics?.map((topic) => topic.name)).toEqual(["t", "u"]);
    for (const version of [8, 9, 10]) {
      const groups = ["s", "no-such-group"].map((groupId) => ({ groupId, memberId: null, memberEpoch: -1, topics: null }));
      const many = await sim.now(sim.groups.offsetFetch({ groupId: "", topics: [], groups, requireStable: true }, context(version)));
      if (many === "waits") throw new Error(many);
      expect(many.groups?.map((group) => [group.groupId, group.errorCode, group.topics?.length])).toEqual([["s", 0, 2], ["no-such-group", 0, 0]]);
      OffsetFetchResponse.toBytes(many, version);
    }
  });

  test("version 1 has no place for a group's error but the partitions", async () => {
    const sim = await GroupSim.started();
    sim.resign();
    const answer = await sim.groups.offsetFetch(v7([{ name: "t", partitionIndexes: [0] }]), context(1));
    expect(errorName(answer.topics?.[0]?.partitions?.[0]?.errorCode ?? 0)).toBe("NOT_COORDINATOR");
    OffsetFetchResponse.toBytes(answer, 1);
    expect(named(await sim.groups.offsetFetch(v7(null), context(7)))).toBe("NOT_COORDINATOR");
  });
});

describe("topics come and go (C24)", () => {
  test("a deleted topic takes its offsets along, in the log too", async () => {
    const sim = await GroupSim.started();
    const simple = new Consumer(sim, { group: "s" });
    await simple.committed(4);
    await simple.committed(5, { topic: "u" });
    sim.deleteTopic("t");
    await sim.clock.settle();
    sim.topics.push({ name: "t", id: TOPIC_IDS.t, partitions: 3 });
    await sim.failover();
    expect(await fetchOffset(sim, "s")).toBe(-1);
    expect(await fetchOffset(sim, "s", { topic: "u" })).toBe(5);
  });

  test("a topic made again while nobody looked does not inherit offsets", async () => {
    const sim = await GroupSim.started();
    await new Consumer(sim, { group: "s" }).committed(4);
    sim.topics = sim.topics.map((topic) => (topic.name === "t" ? { ...topic, id: uuid("CCCCCCCCCCCCCCCCCCCCCC") } : topic));
    await sim.failover();
    expect(await fetchOffset(sim, "s")).toBe(-1);
  });
});

describe("expiry (KIP-211)", () => {
  test("a simple group's offsets go when they have lain long enough, and the group with them", async () => {
    const sim = await GroupSim.started();
    await new Consumer(sim, { group: "s" }).committed(4);
    await sim.clock.advance(7 * day - 700_000);
    expect(await fetchOffset(sim, "s")).toBe(4);
    await sim.clock.advance(2 * 700_000);
    expect(await fetchOffset(sim, "s")).toBe(-1);
    expect(sim.groups.inspect()[0]?.groups).toBe(0);
    await sim.failover();
    expect(sim.groups.inspect()[0]?.groups).toBe(0);
  });

  test("a group with very many offsets loses them all in one look, in several batches", async () => {
    const sim = await GroupSim.started({ "offsets.retention.minutes": 60, "offsets.retention.check.interval.ms": 60_000 });
    sim.topics.push({ name: "wide", id: uuid("DDDDDDDDDDDDDDDDDDDDDD"), partitions: 5_000 });
    for (let from = 0; from < 5_000; from += 1_000) {
      const partitions = Array.from({ length: 1_000 }, (_, i) => ({ partitionIndex: from + i, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: "" }));
      await sim.now(sim.groups.offsetCommit({ groupId: "s", generationIdOrMemberEpoch: -1, memberId: "", groupInstanceId: null, retentionTimeMs: -1n, topics: [{ name: "wide", topicId: NO_UUID, partitions }] }, context(9)));
    }
    const before = sim.partition.batches.length;
    await sim.clock.advance(61 * 60_000);
    expect(sim.groups.inspect()[0]?.groups).toBe(0);
    expect(sim.partition.batches.length - before).toBe(3);
  });

  test("a consumer group's count from when it became empty; while it is alive only those of topics it left", async () => {
    const sim = await GroupSim.started({ "offsets.retention.minutes": 60, "offsets.retention.check.interval.ms": 60_000 });
    const a = new Consumer(sim, { sessionTimeoutMs: 1_800_000 });
    await stable(sim, [a]);
    await a.committed(4);
    await a.committed(5, { topic: "u" });
    for (let i = 0; i < 4; i++) {
      await sim.clock.advance(20 * 60_000);
      await a.heartbeat();
    }
    expect(await a.fetch(), "its topic").toBe(4);
    expect(await a.fetch({ topic: "u" }), "not its topic").toBe(-1);
    await a.leave();
    await sim.clock.advance(58 * 60_000);
    expect(await a.fetch()).toBe(4);
    await sim.clock.advance(4 * 60_000);
    expect(await a.fetch()).toBe(-1);
  });

  test("an old client's own retention is kept (v2-4)", async () => {
    const sim = await GroupSim.started({ "offsets.retention.check.interval.ms": 60_000 });
    await new Consumer(sim, { group: "s" }).committed(4, { version: 4, retentionMs: 3_600_000n });
    await sim.failover();
    await sim.clock.advance(3_500_000);
    expect(await fetchOffset(sim, "s")).toBe(4);
    await sim.clock.advance(200_000);
    expect(await fetchOffset(sim, "s")).toBe(-1);
  });
});

describe("DescribeGroups, ListGroups, DeleteGroups, OffsetDelete", () => {
  test("unknown groups, as a real broker answers", async () => {
    const sim = await GroupSim.started();
    const describe5 = await sim.groups.describeGroups({ groups: ["no-such-group"], includeAuthorizedOperations: false }, context(5));
    expect(describe5.groups).toEqual([{ groupId: "no-such-group", groupState: "Dead" }]);
    const describe6 = await sim.groups.describeGroups({ groups: ["no-such-group"], includeAuthorizedOperations: false }, context(6));
    expect(describe6.groups).toEqual([{ groupId: "no-such-group", groupState: "Dead", errorCode: 69, errorMessage: "Group no-such-group not found." }]);
    const deleted = await sim.now(sim.groups.deleteGroups({ groupsNames: ["no-such-group"] }, context(2)));
    expect(deleted).toEqual({ results: [{ groupId: "no-such-group", errorCode: 69 }] });
    const leave = await sim.groups.leaveGroup({ groupId: "no-such-group", memberId: "", members: [{ memberId: "m", groupInstanceId: null, reason: null }] }, context(5));
    expect(leave).toEqual({ errorCode: 0, members: [{ memberId: "m", groupInstanceId: null, errorCode: 25 }] });
    LeaveGroupResponse.toBytes(leave, 5);
    const old = await sim.groups.leaveGroup({ groupId: "no-such-group", memberId: "m", members: [] }, context(1));
    expect(named(old)).toBe("UNKNOWN_MEMBER_ID");
    LeaveGroupResponse.toBytes(old, 1);
  });

  test("listed by state and type, whatever the case", async () => {
    const sim = await GroupSim.started();
    await stable(sim, [new Consumer(sim, { group: "alive" })]);
    await new Consumer(sim, { group: "simple" }).committed(1);
    const list = async (statesFilter: string[], typesFilter: string[]) => {
      const answer = await sim.now(sim.groups.listGroups({ statesFilter, typesFilter }, context(5)));
      return answer === "waits" ? answer : answer.groups?.map((group) => `${group.groupId} ${group.protocolType} ${group.groupState} ${group.groupType}`).sort();
    };
    expect(await list([], [])).toEqual(["alive consumer Stable classic", "simple  Empty classic"]);
    expect(await list(["stable"], [])).toEqual(["alive consumer Stable classic"]);
    expect(await list(["Dead"], [])).toEqual([]);
    expect(await list([], ["CLASSIC"])).toHaveLength(2);
    expect(await list([], ["consumer"])).toEqual([]);
  });

  test("a group is deleted when it is empty, with its offsets, for good", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    await a.committed(1);
    const remove = () => sim.now(sim.groups.deleteGroups({ groupsNames: ["g"] }, context(2)));
    expect(await remove()).toMatchObject({ results: [{ errorCode: 68 }] });
    await a.leave();
    expect(await remove()).toMatchObject({ results: [{ errorCode: 0 }] });
    expect(await remove()).toMatchObject({ results: [{ errorCode: 69 }] });
    expect(await fetchOffset(sim, "g")).toBe(-1);
    await sim.failover();
    expect(sim.groups.inspect()[0]?.groups).toBe(0);
  });

  test("a deletion that is not committed is not told, not even as 'there is none'", async () => {
    const sim = await GroupSim.started();
    await new Consumer(sim, { group: "s" }).committed(6);
    sim.partition.auto = false;
    const removing = sim.groups.deleteGroups({ groupsNames: ["s"] }, context(2));
    await sim.clock.settle();
    expect(await fetchOffset(sim, "s")).toBe("waits");
    expect(await sim.now(sim.groups.deleteGroups({ groupsNames: ["s"] }, context(2)))).toBe("waits");
    sim.partition.auto = true;
    await sim.failover(0);
    expect((await removing).results?.[0]?.errorCode).toBe(16);
    expect(await fetchOffset(sim, "s")).toBe(6);
  });

  test("offsets are deleted one by one, but not from under those who use them (KIP-496)", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    await a.committed(1);
    await a.committed(2, { topic: "u" });
    const request = { groupId: "g", topics: [{ name: "t", partitions: [{ partitionIndex: 0 }, { partitionIndex: 9 }] }, { name: "u", partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] }] };
    const answer = await sim.now(sim.groups.offsetDelete(request, context(0)));
    if (answer === "waits") throw new Error(answer);
    expect(answer.topics?.map((topic) => topic.partitions?.map((one) => errorName(one.errorCode ?? -1)))).toEqual([["GROUP_SUBSCRIBED_TO_TOPIC", "UNKNOWN_TOPIC_OR_PARTITION"], ["NONE", "NONE"]]);
    expect([await a.fetch(), await a.fetch({ topic: "u" })]).toEqual([1, -1]);
    expect(named((await sim.now(sim.groups.offsetDelete({ ...request, groupId: "none" }, context(0)))) as { errorCode?: number })).toBe("GROUP_ID_NOT_FOUND");
  });
});

describe("FindCoordinator", () => {
  const ask = (keyType: number, coordinatorKeys: string[]) => ({ key: coordinatorKeys[0] ?? "", keyType, coordinatorKeys });

  test("the leader of the group's partition, on the listener that the client came through", async () => {
    const sim = await GroupSim.started();
    const answer = await sim.groups.findCoordinator(ask(0, ["g", ""]), { ...context(4), listener: "OUTSIDE" });
    expect(answer.coordinators).toEqual(["g", ""].map((key) => ({ key, nodeId: 1, host: "out", port: 9093, errorCode: 0, errorMessage: "" })));
    expect(await sim.groups.findCoordinator(ask(0, ["g"]), context(2))).toMatchObject({ nodeId: 1, host: "one", port: 9092, errorCode: 0 });
    expect((await sim.groups.findCoordinator(ask(0, []), context(4))).coordinators).toEqual([]);
    for (let version = 0; version <= 6; version++) FindCoordinatorResponse.toBytes(await sim.groups.findCoordinator(ask(0, ["g"]), context(version)), version);
  });

  test.each([[1, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"], [2, "INVALID_REQUEST"], [9, "INVALID_REQUEST"]] as const)("key type %i: %s, which no client tries again", async (keyType, error) => {
    const sim = await GroupSim.started();
    expect(await sim.groups.findCoordinator(ask(keyType, ["k"]), context(6))).toMatchObject({ coordinators: [{ key: "k", nodeId: -1, port: -1 }] });
    expect(named((await sim.groups.findCoordinator(ask(keyType, ["k"]), context(6))).coordinators?.[0] ?? {})).toBe(error);
  });

  test("the first question makes the topic, once; a failure is said and tried again", async () => {
    const sim = await GroupSim.started();
    sim.topics = sim.topics.filter((topic) => topic.name !== "__consumer_offsets");
    sim.adminError = "INVALID_REPLICATION_FACTOR";
    const both = await Promise.all([sim.groups.findCoordinator(ask(0, ["g"]), context(4)), sim.groups.findCoordinator(ask(0, ["h"]), context(4))]);
    for (const answer of both) expect(named(answer.coordinators?.[0] ?? {})).toBe("COORDINATOR_NOT_AVAILABLE");
    expect(sim.admin).toEqual([{ kind: "create-topics", validateOnly: false, topics: [{ name: "__consumer_offsets", partitions: 50, replicationFactor: 3, assignments: [], configs: [{ name: "cleanup.policy", value: "compact" }, { name: "compression.type", value: "producer" }, { name: "segment.bytes", value: "104857600" }] }] }]);
    await sim.clock.settle();
    expect(sim.warnings).toHaveLength(1);
    await sim.groups.findCoordinator(ask(0, ["g"]), context(4));
    expect(sim.admin).toHaveLength(2);
  });
});

test("a refused join can be written in every version", async () => {
  const sim = await GroupSim.started();
  for (let version = 0; version <= 9; version++) {
    const answer = await new Consumer(sim, { version, sessionTimeoutMs: 1 }).joinOnce();
    JoinGroupResponse.toBytes(answer, version);
  }
});

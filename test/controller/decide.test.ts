/** Decisions as a state, a command, and the exact records that come of it. */
import { describe, expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import { decideRegister, fenceBlock, REGISTER_START, unfenceBlock } from "../../src/controller/decide/brokers.js";
import { decideIncremental, decideReplace } from "../../src/controller/decide/configs.js";
import { decideElections, rebalanceRecords, recoverRecords } from "../../src/controller/decide/elections.js";
import { decideIsr } from "../../src/controller/decide/isr.js";
import { START } from "../../src/controller/decide/partition-change.js";
import { place } from "../../src/controller/decide/placement.js";
import { decideCreatePartitions, decideCreateTopics, decideDeleteTopics } from "../../src/controller/decide/topics.js";
import type { NewTopic } from "../../src/coordination/admin.js";
import type { ErrorName } from "../../src/protocol/errors.js";
import { directory, ids, Model } from "./model.js";

function topic(name: string, replicas: readonly (readonly number[])[], configs: NewTopic["configs"] = []): NewTopic {
  return { name, partitions: -1, replicationFactor: -1, assignments: replicas.map((brokers, partition) => ({ partition, brokers: ids(...brokers) })), configs };
}

function make(model: Model, ...topics: readonly NewTopic[]) {
  return model.do(decideCreateTopics(model.image, { kind: "create-topics", topics, validateOnly: false }, model.context)).results;
}

/** Three brokers up, min.insync.replicas 2, topic t with one partition on 1, 2, 3. */
function threeUp(settings: Readonly<Record<string, string>> = { "min.insync.replicas": "2" }, replicas: readonly number[] = [1, 2, 3]): Model {
  const model = new Model(settings);
  model.up(1, 2, 3);
  expect(make(model, topic("t", [replicas]))[0]?.error).toBe("NONE");
  return model;
}

function p(model: Model, index = 0, name = "t") {
  const found = model.image.topic(name)?.partition(index);
  if (found === null || found === undefined) throw new Error("it exists");
  return found;
}

const row = (fields: object) => ({ index: 0, elr: [], lastKnownElr: [], recovering: false, directories: null, unclean: false, ...fields });

describe("fencing", () => {
  test("takes a broker out of the ISR and moves its leaders, in one batch with the fence", () => {
    const model = threeUp();
    const topicId = p(model).topicId;
    expect(fenceBlock(model.image, nodeId(1), START, 2_000, model.context).records).toEqual([
      { kind: "broker-changed", id: 1, epoch: model.image.broker(nodeId(1))?.epoch, fenced: true, stopping: false },
      { kind: "partitions-changed", topicId, rows: [row({ isr: ids(2, 3), leader: 2, leaderEpoch: 1, partitionEpoch: 1 })] },
    ]);
  });

  test("a follower's fence leaves the leader epoch alone", () => {
    const model = threeUp();
    model.fence(3);
    expect(p(model)).toMatchObject({ leader: 1, leaderEpoch: 0, partitionEpoch: 1, isr: [1, 2], elr: [] });
  });

  test("who leaves an ISR below the minimum stays eligible; the last one stays in the ISR without leading", () => {
    const model = threeUp();
    model.fence(3);
    model.fence(2);
    expect(p(model)).toMatchObject({ leader: 1, isr: [1], elr: [2] });
    model.fence(1);
    expect(p(model)).toMatchObject({ leader: null, leaderEpoch: 1, isr: [1], elr: [2] });
  });

  test("an eligible replica leads when it returns before the last of the ISR, which stays eligible; one outside both never does", () => {
    const model = threeUp();
    for (const id of [3, 2, 1]) model.fence(id);
    model.up(3);
    expect(p(model).leader).toBeNull();
    model.up(2);
    expect(p(model)).toMatchObject({ leader: 2, isr: [2], elr: [1], leaderEpoch: 2 });
    expect(model.image.uncleanElections).toBe(0);
  });

  test("with unclean elections allowed somebody leads at once, counted and recovering", () => {
    const model = threeUp({ "min.insync.replicas": "1", "unclean.leader.election.enable": "true" });
    model.fence(3);
    model.fence(2);
    model.up(3);
    model.fence(1);
    expect(p(model)).toMatchObject({ leader: 3, isr: [3], elr: [], recovering: true });
    expect(model.image.uncleanElections).toBe(1);
  });
});

describe("registration", () => {
  test("C27: ends every epoch of the incarnation before, in the same batch, though nobody else can lead", () => {
    const model = threeUp({}, [1]);
    const ask = model.registering(1);
    const { records } = decideRegister(model.image, ask, "s", REGISTER_START, 2_000, model.context);
    expect(records.map((record) => record.kind)).toEqual(["broker-changed", "partitions-changed", "broker-registered"]);
    expect(records[1]).toMatchObject({ rows: [{ leader: null, leaderEpoch: 1, isr: [1] }] });
    model.commit(records);
    expect(model.image.broker(nodeId(1))).toMatchObject({ epoch: model.image.position, fenced: true, stopping: false });
    model.unfence(1);
    expect(p(model)).toMatchObject({ leader: 1, leaderEpoch: 2 });
  });

  test("a new disk leaves every ISR and ELR even where the partition goes offline, and the row names the new directory", () => {
    const model = threeUp({}, [1]);
    model.fence(1);
    expect(model.register(1, { disk: 1 }).ok).toBe(true);
    model.unfence(1);
    expect(p(model)).toMatchObject({ leader: null, isr: [], elr: [], lastKnownElr: [1], directories: [directory(1, 1)] });
  });

  test("recovery that lost something gives up its place only in those partitions", () => {
    const model = threeUp();
    make(model, topic("u", [[1, 2, 3]]));
    model.register(1, { lost: [{ topicId: p(model).topicId, partition: 0 }] });
    expect(p(model).isr).toEqual([2, 3]);
    for (const id of [3, 2]) model.fence(id);
    expect(p(model)).toMatchObject({ isr: [2], elr: [3] });
  });

  const refusals: readonly (readonly [string, (model: Model) => ReturnType<Model["registering"]>, ErrorName])[] = [
    ["another cluster's disk", (model) => ({ ...model.registering(4), clusterId: "other" }), "INCONSISTENT_CLUSTER_ID"],
    ["C26: a build that cannot read the records in use", (model) => ({ ...model.registering(4), features: { min: 2, max: 3 } }), "UNSUPPORTED_VERSION"],
    ["no directory", (model) => ({ ...model.registering(4), directories: [] }), "INVALID_REGISTRATION"],
    ["somebody else's directory", (model) => ({ ...model.registering(4), directories: [directory(1, 0)] }), "INVALID_REGISTRATION"],
    ["a living broker's id with another disk", (model) => model.registering(1, { disk: 9 }), "DUPLICATE_BROKER_REGISTRATION"],
  ];
  test.each(refusals)("refuses %s", (_, ask, error) => {
    const model = threeUp();
    expect(decideRegister(model.image, ask(model), "s", REGISTER_START, 2_000, model.context)).toMatchObject({ records: [], reply: { ok: false, error } });
  });

  test("an unfenced broker is not unfenced again, a fenced one not fenced again", () => {
    const model = threeUp();
    expect(unfenceBlock(model.image, nodeId(1), START, 2_000, model.context).records).toEqual([]);
    model.fence(1);
    expect(fenceBlock(model.image, nodeId(1), START, 2_000, model.context).records).toEqual([]);
  });
});

test("a broker that stops hands over what others can lead and keeps what only it can", () => {
  const model = threeUp();
  make(model, topic("alone", [[1]]));
  model.stop(1);
  expect(p(model)).toMatchObject({ leader: 2, isr: [2, 3] });
  expect(p(model, 0, "alone")).toMatchObject({ leader: 1, isr: [1] });
  expect(model.image.broker(nodeId(1))?.stopping).toBe(true);
});

describe("changes of the ISR", () => {
  const ask = (model: Model, isr: readonly number[], more: object = {}) => {
    const now = p(model);
    const members = isr.map((id) => ({ id: nodeId(id), brokerEpoch: model.image.broker(nodeId(id))?.epoch ?? -1n }));
    return { topicId: now.topicId, partition: 0, leaderEpoch: now.leaderEpoch, partitionEpoch: now.partitionEpoch, isr: members, recovered: false, ...more };
  };

  test("shrink below the minimum keeps who leaves eligible; growth to it clears them", () => {
    const model = threeUp();
    expect(model.do(decideIsr(model.image, nodeId(1), [ask(model, [1])], model.context))).toEqual([{ ok: true, leader: 1, leaderEpoch: 0, partitionEpoch: 1, isr: [1] }]);
    expect(p(model)).toMatchObject({ isr: [1], elr: [2, 3] });
    model.do(decideIsr(model.image, nodeId(1), [ask(model, [1, 3])], model.context));
    expect(p(model)).toMatchObject({ isr: [1, 3], elr: [], partitionEpoch: 2 });
  });

  test("two proposals from one state: the first wins", () => {
    const model = threeUp();
    const [first, second] = [ask(model, [1, 2]), ask(model, [1, 3])];
    expect(model.do(decideIsr(model.image, nodeId(1), [first], model.context))[0]?.ok).toBe(true);
    expect(model.do(decideIsr(model.image, nodeId(1), [second], model.context))).toEqual([{ ok: false, error: "INVALID_UPDATE_VERSION" }]);
    expect(decideIsr(model.image, nodeId(1), [ask(model, [1]), ask(model, [1, 2])], model.context).reply.map((one) => one.ok)).toEqual([true, false]);
  });

  const wrong: readonly (readonly [string, (model: Model) => ReturnType<typeof ask>, string])[] = [
    ["an old leader epoch", (model) => (model.fence(3), model.commit([]), { ...ask(model, [1]), leaderEpoch: -1 as never }), "FENCED_LEADER_EPOCH"],
    ["a leader epoch ahead of us", (model) => ask(model, [1], { leaderEpoch: 9 }), "NOT_CONTROLLER"],
    ["a partition epoch ahead of us", (model) => ask(model, [1], { partitionEpoch: 9 }), "NOT_CONTROLLER"],
    ["an ISR without its leader", (model) => ask(model, [2]), "INVALID_REQUEST"],
    ["a member that holds no replica", (model) => (model.up(4), ask(model, [1, 4])), "INVALID_REQUEST"],
    ["a fenced newcomer", (model) => (model.fence(3), ask(model, [1, 2, 3])), "INELIGIBLE_REPLICA"],
    ["a stopping newcomer", (model) => (model.stop(3), ask(model, [1, 2, 3])), "INELIGIBLE_REPLICA"],
    ["C8: a newcomer's earlier incarnation", (model) => {
      model.fence(3);
      model.up(3);
      const old = ask(model, [1, 2, 3]);
      model.fence(3);
      model.register(3, { disk: 1 });
      model.unfence(3);
      return { ...old, partitionEpoch: p(model).partitionEpoch };
    }, "INELIGIBLE_REPLICA"],
    ["an unknown topic", (model) => ask(model, [1], { topicId: directory(9, 9) }), "UNKNOWN_TOPIC_ID"],
  ];
  test.each(wrong)("refuses %s", (_, make, error) => {
    const model = threeUp();
    const change = make(model);
    expect(decideIsr(model.image, nodeId(1), [change], model.context)).toEqual({ records: [], reply: [{ ok: false, error }] });
  });

  test("only the leader may ask", () => {
    const model = threeUp();
    expect(decideIsr(model.image, nodeId(2), [ask(model, [1, 2])], model.context).reply).toEqual([{ ok: false, error: "INVALID_REQUEST" }]);
  });

  test("after an unclean election the leader is alone until it has recovered", () => {
    const model = threeUp({ "min.insync.replicas": "1", "unclean.leader.election.enable": "true" });
    model.fence(3);
    model.fence(2);
    model.up(2, 3);
    model.fence(1);
    const leader = p(model).leader ?? nodeId(0);
    expect(p(model).recovering).toBe(true);
    expect(decideIsr(model.image, leader, [ask(model, [2, 3])], model.context).reply).toEqual([{ ok: false, error: "INVALID_REQUEST" }]);
    model.do(decideIsr(model.image, leader, [ask(model, [2, 3], { recovered: true })], model.context));
    expect(p(model)).toMatchObject({ recovering: false, isr: [2, 3] });
  });
});

describe("elections that are asked for", () => {
  const elect = (model: Model, type: "preferred" | "unclean", partitions: readonly { topic: string; partition: number }[] | null = [{ topic: "t", partition: 0 }]) =>
    model.do(decideElections(model.image, { kind: "elect-leaders", type, partitions }, model.context)).results.map((one) => one.error);

  test("preferred: needed, not needed, not available", () => {
    const model = threeUp();
    expect(elect(model, "preferred")).toEqual(["ELECTION_NOT_NEEDED"]);
    expect(elect(model, "preferred", null)).toEqual([]);
    model.fence(1);
    expect(elect(model, "preferred")).toEqual(["PREFERRED_LEADER_NOT_AVAILABLE"]);
    expect(elect(model, "preferred", [{ topic: "nope", partition: 0 }])).toEqual(["UNKNOWN_TOPIC_OR_PARTITION"]);
    model.up(1);
    const now = p(model);
    model.do(decideIsr(model.image, nodeId(2), [{ topicId: now.topicId, partition: 0, leaderEpoch: now.leaderEpoch, partitionEpoch: now.partitionEpoch, isr: [1, 2, 3].map((id) => ({ id: nodeId(id), brokerEpoch: model.image.broker(nodeId(id))?.epoch ?? -1n })), recovered: false }], model.context));
    const rebalanced = rebalanceRecords(model.image, 1000, model.context);
    expect(rebalanced).toMatchObject([{ rows: [{ leader: 1, leaderEpoch: 2 }] }]);
    expect(elect(model, "preferred", [{ topic: "t", partition: 0 }, { topic: "t", partition: 0 }])).toEqual(["NONE"]); // named twice, moved once
    expect(p(model).leader).toBe(1);
  });

  test("unclean: only where nobody leads, flagged", () => {
    const model = threeUp();
    for (const id of [3, 2, 1]) model.fence(id);
    expect(elect(model, "unclean")).toEqual(["ELIGIBLE_LEADERS_NOT_AVAILABLE"]);
    model.up(3);
    expect(elect(model, "unclean")).toEqual(["NONE"]);
    expect(p(model)).toMatchObject({ leader: 3, isr: [3], elr: [], recovering: true });
    expect(model.image.uncleanElections).toBe(1);
  });

  test("where nobody is eligible the largest log leads, once all incarnations that are up have reported", () => {
    const model = threeUp();
    const { topicId } = p(model);
    for (const id of [1, 2, 3]) {
      model.register(id, { lost: [{ topicId, partition: 0 }] });
      model.unfence(id);
    }
    expect(p(model)).toMatchObject({ leader: null, isr: [], elr: [] });
    const epochOf = (id: number): bigint => model.image.broker(nodeId(id))?.epoch ?? -1n;
    const ends = new Map([1, 2, 3].map((id) => [nodeId(id), { brokerEpoch: epochOf(id), lastEpoch: id === 2 ? 0 : 1, end: id === 2 ? 99 : id }]));
    const some = new Map([...ends].slice(0, 2));
    expect(recoverRecords(model.image, topicId, 0, some)).toEqual([]);
    const stale = new Map(ends).set(nodeId(3), { brokerEpoch: epochOf(3) - 1n, lastEpoch: 9, end: 9 });
    expect(recoverRecords(model.image, topicId, 0, stale)).toEqual([]);
    expect(recoverRecords(model.image, topicId, 0, ends)).toMatchObject([{ rows: [{ leader: 3, isr: [3], unclean: true, recovering: true }] }]);
  });
});

describe("topics", () => {
  const errors = (model: Model, ...topics: readonly NewTopic[]) => make(model, ...topics).map((one) => one.error);

  test("are made as asked", () => {
    const model = new Model({ "num.partitions": "3", "default.replication.factor": "2" });
    model.up(1, 2, 3);
    const [result] = make(model, { name: "a", partitions: -1, replicationFactor: -1, assignments: [], configs: [{ name: "retention.ms", value: "5" }] });
    expect(result).toMatchObject({ error: "NONE", partitionCount: 3, replicationFactor: 2 });
    expect(result?.configs).toContainEqual({ name: "retention.ms", value: "5", isDefault: false });
    expect(model.image.config("topic", "a")).toEqual(new Map([["retention.ms", "5"]]));
    expect(p(model, 2, "a")).toMatchObject({ leaderEpoch: 0, partitionEpoch: 0 });
  });

  test("are refused one by one, with Kafka's codes", () => {
    const model = threeUp();
    const simple = (name: string, partitions = 1, replicationFactor = 1, configs: NewTopic["configs"] = []): NewTopic => ({ name, partitions, replicationFactor, assignments: [], configs });
    expect(errors(model, simple("t"), simple(""), simple("."), simple("a/b"), simple("x".repeat(250)), simple("z1", 0), simple("z2", 1, 0), simple("z3", 1, 4), simple("z4", 10_001))).toEqual([
      "TOPIC_ALREADY_EXISTS", "INVALID_TOPIC_EXCEPTION", "INVALID_TOPIC_EXCEPTION", "INVALID_TOPIC_EXCEPTION", "INVALID_TOPIC_EXCEPTION", "INVALID_PARTITIONS", "INVALID_REPLICATION_FACTOR", "INVALID_REPLICATION_FACTOR", "POLICY_VIOLATION",
    ]);
    expect(errors(model, simple("twice"), simple("twice"), simple("x".repeat(249)))).toEqual(["INVALID_REQUEST", "INVALID_REQUEST", "NONE"]);
    expect(errors(model, simple("a.b"), simple("a_b"))).toEqual(["NONE", "INVALID_TOPIC_EXCEPTION"]);
    for (const [one, error] of [[simple("q", 1, 1, [{ name: "retention.ms", value: "x" }]), "INVALID_CONFIG"], [topic("r", [[1, 1]]), "INVALID_REPLICA_ASSIGNMENT"], [topic("r", [[9]]), "INVALID_REPLICA_ASSIGNMENT"], [topic("r", [[1], [1, 2]]), "INVALID_REPLICA_ASSIGNMENT"], [{ ...topic("r", [[1]]), partitions: 1 }, "INVALID_REQUEST"]] as const) {
      expect(errors(model, one)).toEqual([error]);
    }
  });

  test("names like __proto__ and constructor are plain names", () => {
    const model = threeUp();
    expect(errors(model, topic("__proto__", [[1]]), topic("constructor", [[1]]))).toEqual(["NONE", "NONE"]);
    expect(model.image.topic("__proto__")?.partitionCount).toBe(1);
  });

  test("while a broker is away its replicas are placed, but not in the ISR", () => {
    const model = threeUp();
    model.fence(2);
    make(model, { name: "n", partitions: 6, replicationFactor: 3, assignments: [], configs: [] });
    for (let i = 0; i < 6; i++) {
      expect([...p(model, i, "n").replicas].sort()).toEqual([1, 2, 3]);
      expect(p(model, i, "n").isr).not.toContain(2);
      expect(p(model, i, "n").leader).toBe(p(model, i, "n").replicas[0]);
    }
  });

  test("validateOnly makes nothing", () => {
    const model = threeUp();
    const { records, reply } = decideCreateTopics(model.image, { kind: "create-topics", topics: [topic("n", [[1]])], validateOnly: true }, model.context);
    expect(records).toEqual([]);
    expect(reply.results[0]?.error).toBe("NONE");
  });

  test("grow only, and once in a request", () => {
    const model = threeUp();
    const grow = (...topics: readonly { name: string; count: number; assignments: null }[]) => model.do(decideCreatePartitions(model.image, { kind: "create-partitions", topics, validateOnly: false }, model.context)).results.map((one) => one.error);
    expect(grow({ name: "t", count: 1, assignments: null }, { name: "nope", count: 2, assignments: null })).toEqual(["INVALID_PARTITIONS", "UNKNOWN_TOPIC_OR_PARTITION"]);
    expect(grow({ name: "t", count: 3, assignments: null }, { name: "t", count: 4, assignments: null })).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"]);
    expect(grow({ name: "t", count: 3, assignments: null })).toEqual(["NONE"]);
    expect(model.image.topic("t")?.partitionCount).toBe(3);
  });

  test("go by name or id, with their settings, once", () => {
    const model = threeUp();
    const { topicId } = p(model);
    const gone = (topics: readonly { name: string | null; id: typeof topicId | null }[]) => model.do(decideDeleteTopics(model.image, { kind: "delete-topics", topics }, model.context)).results.map((one) => one.error);
    model.do(decideIncremental(model.image, { kind: "incremental-alter-configs", validateOnly: false, resources: [{ type: "topic", name: "t", operations: [{ name: "retention.ms", op: "set", value: "1" }] }] }, model.context));
    expect(gone([{ name: null, id: topicId }, { name: "t", id: null }, { name: "u", id: null }, { name: null, id: directory(9, 9) }])).toEqual(["NONE", "UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_ID"]);
    expect(model.image.config("topic", "t").size).toBe(0);
    expect(decideDeleteTopics(model.image, { kind: "delete-topics", topics: [] }, new Model({ "delete.topic.enable": "false" }).context).reply.error).toBe("TOPIC_DELETION_DISABLED");
  });
});

describe("settings", () => {
  const alter = (model: Model, type: "topic" | "broker", name: string, ...operations: readonly { name: string; op: "set" | "delete" | "append" | "subtract"; value: string | null }[]) =>
    model.do(decideIncremental(model.image, { kind: "incremental-alter-configs", validateOnly: false, resources: [{ type, name, operations }] }, model.context)).results[0]?.error;

  test("are set, appended to, subtracted from and removed", () => {
    const model = threeUp();
    expect(alter(model, "topic", "t", { name: "cleanup.policy", op: "append", value: "compact" })).toBe("NONE");
    expect(model.image.config("topic", "t").get("cleanup.policy")).toBe("delete,compact");
    expect(alter(model, "topic", "t", { name: "cleanup.policy", op: "subtract", value: "delete" })).toBe("NONE");
    expect(model.image.config("topic", "t").get("cleanup.policy")).toBe("compact");
    expect(alter(model, "topic", "t", { name: "cleanup.policy", op: "delete", value: null })).toBe("NONE");
    expect(model.image.config("topic", "t").size).toBe(0);
    model.do(decideReplace(model.image, { kind: "alter-configs", validateOnly: false, resources: [{ type: "topic", name: "t", configs: [{ name: "retention.ms", value: "1" }] }] }, model.context));
    model.do(decideReplace(model.image, { kind: "alter-configs", validateOnly: false, resources: [{ type: "topic", name: "t", configs: [{ name: "segment.ms", value: "2" }] }] }, model.context));
    expect(model.image.config("topic", "t")).toEqual(new Map([["segment.ms", "2"]]));
  });

  test.each([
    ["topic", "t", { name: "retention.ms", op: "set", value: "-2" }, "INVALID_CONFIG"],
    ["topic", "t", { name: "retention.ms", op: "set", value: "9223372036854775808" }, "INVALID_CONFIG"],
    ["topic", "t", { name: "no.such", op: "set", value: "1" }, "INVALID_CONFIG"],
    ["topic", "t", { name: "retention.ms", op: "append", value: "1" }, "INVALID_CONFIG"],
    ["topic", "t", { name: "retention.ms", op: "set", value: null }, "INVALID_REQUEST"],
    ["topic", "nope", { name: "retention.ms", op: "set", value: "1" }, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["topic", "t", { name: "min.compaction.lag.ms", op: "set", value: "9223372036854775807" }, "NONE"],
    ["broker", "", { name: "node.id", op: "set", value: "7" }, "INVALID_REQUEST"],
    ["broker", "1", { name: "min.insync.replicas", op: "set", value: "1" }, "INVALID_CONFIG"],
    ["broker", "x", { name: "message.max.bytes", op: "set", value: "7" }, "INVALID_REQUEST"],
    ["broker", "", { name: "message.max.bytes", op: "set", value: "7" }, "NONE"],
  ] as const)("%s %s %o: %s", (type, name, operation, error) => {
    expect(alter(threeUp(), type, name, operation)).toBe(error);
  });

  test("a setting or a resource named twice is refused, and lags must not cross", () => {
    const model = threeUp();
    const one = { name: "retention.ms", op: "set", value: "1" } as const;
    expect(alter(model, "topic", "t", one, one)).toBe("INVALID_REQUEST");
    const resources = [1, 2].map(() => ({ type: "topic" as const, name: "t", operations: [one] }));
    expect(decideIncremental(model.image, { kind: "incremental-alter-configs", validateOnly: false, resources }, model.context).reply.results.map((result) => result.error)).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"]);
    expect(alter(model, "topic", "t", { name: "max.compaction.lag.ms", op: "set", value: "5" }, { name: "min.compaction.lag.ms", op: "set", value: "6" })).toBe("INVALID_CONFIG");
  });

  test("a lower minimum ends eligibility in the same batch: the ISR acknowledges without them from now on", () => {
    const model = threeUp();
    model.fence(3);
    model.fence(2);
    expect(p(model)).toMatchObject({ isr: [1], elr: [2] });
    alter(model, "topic", "t", { name: "min.insync.replicas", op: "set", value: "1" });
    expect(p(model)).toMatchObject({ isr: [1], elr: [] });
  });

  test("the cluster's min.insync.replicas goes back to the controller's, never away", () => {
    const model = threeUp();
    alter(model, "broker", "", { name: "min.insync.replicas", op: "set", value: "3" });
    alter(model, "broker", "", { name: "min.insync.replicas", op: "delete", value: null });
    expect(model.image.config("broker", "").get("min.insync.replicas")).toBe("2");
  });

  test("allowing unclean elections elects where nobody leads", () => {
    const model = threeUp();
    for (const id of [3, 2, 1]) model.fence(id);
    model.up(3);
    expect(p(model).leader).toBeNull();
    alter(model, "topic", "t", { name: "unclean.leader.election.enable", op: "set", value: "true" });
    expect(p(model)).toMatchObject({ leader: 3, recovering: true });
  });
});

describe("placement", () => {
  test.each([[3, 0, 3, 12], [5, 0, 3, 50], [6, 3, 3, 60], [7, 3, 3, 70], [4, 2, 2, 40], [1, 0, 1, 5], [2, 0, 2, 8]])("%i brokers in %i racks, %i replicas, %i partitions: no broker twice, every rack once, leaders even", (count, racks, replicas, partitions) => {
    const model = new Model();
    const brokers = Array.from({ length: count }, (_, i) => ({ id: nodeId(i), rack: racks === 0 ? null : `r${i % racks}` }));
    const placed = place(brokers, { partitions, replicas, firstPartition: 0 }, (end) => model.below(end));
    const leads = new Array<number>(count).fill(0);
    const holds = new Array<number>(count).fill(0);
    for (const held of placed) {
      expect(new Set(held).size).toBe(replicas);
      if (racks >= replicas) expect(new Set(held.map((id) => id % racks)).size).toBe(replicas);
      for (const [i, id] of held.entries()) {
        holds[id] = (holds[id] ?? 0) + 1;
        if (i === 0) leads[id] = (leads[id] ?? 0) + 1;
      }
    }
    expect(Math.max(...leads) - Math.min(...leads)).toBeLessThanOrEqual(1);
    if (racks === 0) expect(Math.max(...holds) - Math.min(...holds)).toBeLessThanOrEqual(Math.ceil((partitions * replicas) / count / 2));
  });
});

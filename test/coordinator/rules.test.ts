/** One rule of the classic protocol a row, decided without any driver. */
import { describe, expect, test } from "vitest";
import { checkCommit, checkOffsetDelete } from "../../src/coordinator/group/commit.js";
import { checkGroup, electProtocol, newGroup, type Effect, type Group, type JoinAnswer, type SyncAnswer, type Turn } from "../../src/coordinator/group/group.js";
import { join, PENDING_MEMBERS_MAX, type JoinAsk } from "../../src/coordinator/group/join.js";
import { heartbeat, leave, onWake } from "../../src/coordinator/group/membership.js";
import { onWritten, sync } from "../../src/coordinator/group/sync.js";
import { subscription } from "./sim.js";

const limits = { membersMax: 3, initialDelayMs: 3_000 };
const turnAt = (nowMs: number): Turn => ({ nowMs, wallMs: 1_000_000 + nowMs, limits, effects: [] });

function ask(given: Partial<JoinAsk> & { readonly waiter: number }): JoinAsk {
  return {
    memberId: "", freshId: `m${given.waiter}`, instanceId: null, clientId: "c", clientHost: "/h", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 60_000,
    protocolType: "consumer", protocols: [{ name: "range", metadata: subscription("t") }], needsId: false, maySkipAssignment: true, ...given,
  };
}

function did(group: Group, nowMs: number, act: (turn: Turn) => void): Effect[] {
  const turn = turnAt(nowMs);
  act(turn);
  checkGroup(group);
  return turn.effects;
}

const answers = (effects: readonly Effect[]) => effects.flatMap((effect) => (effect.do === "answer" ? [{ to: effect.to, error: effect.answer.error }] : []));
const joined = (effects: readonly Effect[], to: number) => effects.find((effect) => effect.do === "answer" && effect.to === to && effect.answer.api === "join") as { readonly answer: JoinAnswer } | undefined;

/** m1 (leader) and m2, dynamic, in generation 1; at 3000 ms. */
function twoMembers(state: "CompletingRebalance" | "Stable" = "Stable"): Group {
  const group = newGroup("g", 0);
  did(group, 0, (turn) => join(group, ask({ waiter: 1 }), turn));
  did(group, 0, (turn) => join(group, ask({ waiter: 2 }), turn));
  did(group, 3_000, (turn) => onWake(group, null, turn));
  did(group, 6_000, (turn) => onWake(group, null, turn));
  expect(group).toMatchObject({ state: "CompletingRebalance", generation: 1, leaderId: "m1" });
  if (state === "Stable") makeStable(group, 6_000);
  return group;
}

function makeStable(group: Group, nowMs: number): void {
  const effects = [...group.members.keys()].flatMap((id, i) =>
    did(group, nowMs, (turn) => sync(group, { waiter: 900 + i, memberId: id, instanceId: group.members.get(id)?.instanceId ?? null, generation: group.generation, protocolType: null, protocolName: null, assignments: new Map([...group.members.keys()].map((to) => [to, Buffer.from(`for ${to}`)])) }, turn)),
  );
  const write = effects.find((effect) => effect.do === "write");
  if (write?.do !== "write") throw new Error("the leader's assignment is written");
  did(group, nowMs, (turn) => onWritten(group, write.then, { outcome: "committed" }, turn));
  expect(group.state).toBe("Stable");
}

describe("JoinGroup", () => {
  test("a member without an id is given one and asked to come again (KIP-394)", () => {
    const group = newGroup("g", 0);
    const effects = did(group, 0, (turn) => join(group, ask({ waiter: 1, needsId: true, freshId: "x" }), turn));
    expect(joined(effects, 1)?.answer).toMatchObject({ error: "MEMBER_ID_REQUIRED", memberId: "x" });
    expect(group.members.size).toBe(0);
    did(group, 1, (turn) => join(group, ask({ waiter: 2, needsId: true, memberId: "x" }), turn));
    expect([...group.members.keys()]).toEqual(["x"]);
    expect(group.pending.size).toBe(0);
  });

  test("an id that is not used within the session timeout is forgotten, and unknown then", () => {
    const group = newGroup("g", 0);
    did(group, 0, (turn) => join(group, ask({ waiter: 1, needsId: true, freshId: "x" }), turn));
    did(group, 9_999, (turn) => onWake(group, "x", turn));
    expect(group.pending.size).toBe(1);
    did(group, 10_000, (turn) => onWake(group, "x", turn));
    expect(group.pending.size).toBe(0);
    expect(answers(did(group, 10_001, (turn) => join(group, ask({ waiter: 2, memberId: "x" }), turn)))).toEqual([{ to: 2, error: "UNKNOWN_MEMBER_ID" }]);
  });

  test("ids that nobody uses have a limit", () => {
    const group = newGroup("g", 0);
    for (let i = 0; i < PENDING_MEMBERS_MAX; i++) group.pending.set(`p${i}`, 1);
    expect(answers(did(group, 0, (turn) => join(group, ask({ waiter: 1, needsId: true }), turn)))).toEqual([{ to: 1, error: "COORDINATOR_LOAD_IN_PROGRESS" }]);
  });

  test.each([
    ["no protocol", { protocols: [] }],
    ["no protocol type", { protocolType: "" }],
  ])("an empty group refuses a member with %s", (_, wrong) => {
    const group = newGroup("g", 0);
    expect(answers(did(group, 0, (turn) => join(group, ask({ waiter: 1, ...wrong }), turn)))).toEqual([{ to: 1, error: "INCONSISTENT_GROUP_PROTOCOL" }]);
  });

  test.each([
    ["another protocol type", { protocolType: "connect" }],
    ["no protocol in common", { protocols: [{ name: "roundrobin", metadata: subscription("t") }] }],
  ])("a group refuses a member with %s", (_, wrong) => {
    const group = twoMembers();
    expect(answers(did(group, 7_000, (turn) => join(group, ask({ waiter: 5, ...wrong }), turn)))).toEqual([{ to: 5, error: "INCONSISTENT_GROUP_PROTOCOL" }]);
    expect(group.state).toBe("Stable");
  });

  test("a full group takes nobody new, and lets its own members in again", () => {
    const group = twoMembers();
    did(group, 7_000, (turn) => join(group, ask({ waiter: 3 }), turn));
    did(group, 7_000, (turn) => join(group, ask({ waiter: 4, memberId: "m1" }), turn));
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m2" }), turn));
    expect(group).toMatchObject({ state: "CompletingRebalance", generation: 2 });
    expect(answers(did(group, 7_000, (turn) => join(group, ask({ waiter: 6 }), turn)))).toEqual([{ to: 6, error: "GROUP_MAX_SIZE_REACHED" }]);
    expect(answers(did(group, 7_000, (turn) => join(group, ask({ waiter: 7, memberId: "m2" }), turn)))).toEqual([{ to: 7, error: "NONE" }]);
  });

  test("most votes choose the protocol, among those that all can speak", () => {
    const group = newGroup("g", 0);
    const speaks = (...names: string[]) => ({ protocols: names.map((name) => ({ name, metadata: subscription("t") })) });
    did(group, 0, (turn) => join(group, ask({ waiter: 1, ...speaks("sticky", "range", "roundrobin") }), turn));
    did(group, 0, (turn) => join(group, ask({ waiter: 2, ...speaks("roundrobin", "range") }), turn));
    did(group, 0, (turn) => join(group, ask({ waiter: 3, ...speaks("roundrobin", "sticky", "range") }), turn));
    expect(electProtocol(group)).toBe("roundrobin");
  });

  test("in Stable a follower with nothing new is told of its generation again; a leader, or news, makes a new one", () => {
    const group = twoMembers();
    const again = did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m2" }), turn));
    expect(joined(again, 5)?.answer).toMatchObject({ error: "NONE", generation: 1, leader: "m1", members: [] });
    expect(group.state).toBe("Stable");
    did(group, 7_000, (turn) => join(group, ask({ waiter: 6, memberId: "m2", protocols: [{ name: "range", metadata: subscription("t", "u") }] }), turn));
    expect(group.state).toBe("PreparingRebalance");
    const leads = twoMembers();
    did(leads, 7_000, (turn) => join(leads, ask({ waiter: 5, memberId: "m1" }), turn));
    expect(leads.state).toBe("PreparingRebalance");
  });

  test("in CompletingRebalance a lost answer is given again, the list of members to the leader only", () => {
    const group = twoMembers("CompletingRebalance");
    const leader = did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m1" }), turn));
    const follower = did(group, 7_000, (turn) => join(group, ask({ waiter: 6, memberId: "m2" }), turn));
    expect(joined(leader, 5)?.answer.members.map((member) => member.memberId)).toEqual(["m1", "m2"]);
    expect(joined(follower, 6)?.answer.members).toEqual([]);
    expect(group).toMatchObject({ state: "CompletingRebalance", generation: 1 });
  });

  test("a join sent twice has its first try answered", () => {
    const group = twoMembers();
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m1" }), turn));
    expect(answers(did(group, 7_100, (turn) => join(group, ask({ waiter: 6, memberId: "m1" }), turn)))).toEqual([{ to: 5, error: "REBALANCE_IN_PROGRESS" }]);
  });

  test("a first rebalance waits for more joiners, again for each, up to the rebalance timeout (KIP-134)", () => {
    const group = newGroup("g", 0);
    const patient = { rebalanceTimeoutMs: 7_000 };
    did(group, 0, (turn) => join(group, ask({ waiter: 1, ...patient }), turn));
    did(group, 1_000, (turn) => join(group, ask({ waiter: 2, ...patient }), turn));
    did(group, 3_000, (turn) => onWake(group, null, turn));
    expect(group.joinDeadlineMs).toBe(6_000);
    did(group, 5_000, (turn) => join(group, ask({ waiter: 3, ...patient }), turn));
    did(group, 6_000, (turn) => onWake(group, null, turn));
    expect(group.joinDeadlineMs).toBe(7_000);
    did(group, 7_000, (turn) => onWake(group, null, turn));
    expect(group).toMatchObject({ state: "CompletingRebalance", generation: 1 });
  });

  test("a rebalance that not all rejoin ends at the longest rebalance timeout, without the late ones", () => {
    const group = twoMembers();
    did(group, 10_000, (turn) => join(group, ask({ waiter: 5, memberId: "m1" }), turn));
    expect(group.joinDeadlineMs).toBe(70_000);
    did(group, 69_999, (turn) => onWake(group, null, turn));
    expect(group.state).toBe("PreparingRebalance");
    did(group, 70_000, (turn) => onWake(group, null, turn));
    expect(group).toMatchObject({ state: "CompletingRebalance", generation: 2 });
    expect([...group.members.keys()]).toEqual(["m1"]);
  });
});

describe("static members (KIP-345)", () => {
  function withStatic(): Group {
    const group = newGroup("g", 0);
    did(group, 0, (turn) => join(group, ask({ waiter: 1 }), turn));
    did(group, 0, (turn) => join(group, ask({ waiter: 2, instanceId: "i" }), turn));
    did(group, 3_000, (turn) => onWake(group, null, turn));
    did(group, 6_000, (turn) => onWake(group, null, turn));
    makeStable(group, 6_000);
    return group;
  }

  test("a known instance without its id takes over: no rebalance, the same assignment, the old id fenced", () => {
    const group = withStatic();
    const effects = did(group, 7_000, (turn) => join(group, ask({ waiter: 5, instanceId: "i", freshId: "m5" }), turn));
    const write = effects.find((effect) => effect.do === "write");
    if (write?.do !== "write") throw new Error("the new id is written");
    expect(write.value.members.map((member) => member.memberId)).toEqual(["m1", "m5"]);
    expect(joined(effects, 5), "no answer before the new id is committed").toBeUndefined();
    const after = did(group, 7_010, (turn) => onWritten(group, write.then, { outcome: "committed" }, turn));
    expect(joined(after, 5)?.answer).toMatchObject({ error: "NONE", memberId: "m5", generation: 1, leader: "m1", skipAssignment: false, members: [] });
    expect(group.state).toBe("Stable");
    expect(Buffer.from(group.members.get("m5")?.assignment ?? []).toString()).toBe("for m2");
    expect(heartbeat(group, { memberId: "m2", instanceId: "i", generation: 1 }, turnAt(7_020))).toBe("FENCED_INSTANCE_ID");
  });

  test("a log that refuses the new id leaves the old one in its place", () => {
    const group = withStatic();
    const before = JSON.stringify([...group.members.keys()]);
    const effects = did(group, 7_000, (turn) => join(group, ask({ waiter: 5, instanceId: "i", freshId: "m5" }), turn));
    const write = effects.find((effect) => effect.do === "write");
    if (write?.do !== "write") throw new Error("the new id is written");
    const after = did(group, 7_000, (turn) => onWritten(group, write.then, { outcome: "refused", error: "NOT_ENOUGH_REPLICAS" }, turn));
    expect(answers(after)).toEqual([{ to: 5, error: "COORDINATOR_NOT_AVAILABLE" }]);
    expect(JSON.stringify([...group.members.keys()])).toBe(before);
    expect(heartbeat(group, { memberId: "m2", instanceId: "i", generation: 1 }, turnAt(7_020))).toBe("NONE");
  });

  test.each([
    ["v9 is told that it leads and need not assign", true, { leader: "m5", skipAssignment: true }, ["m5", "m2"]],
    ["older ones are told of a leader that is gone, so that they do not assign", false, { leader: "m1", skipAssignment: false }, []],
  ])("a leader that comes back: %s (KIP-814)", (_, maySkipAssignment, told, members) => {
    const group = newGroup("g", 0);
    did(group, 0, (turn) => join(group, ask({ waiter: 1, instanceId: "i" }), turn));
    did(group, 0, (turn) => join(group, ask({ waiter: 2 }), turn));
    did(group, 3_000, (turn) => onWake(group, null, turn));
    did(group, 6_000, (turn) => onWake(group, null, turn));
    makeStable(group, 6_000);
    const effects = did(group, 7_000, (turn) => join(group, ask({ waiter: 5, instanceId: "i", freshId: "m5", maySkipAssignment }), turn));
    const write = effects.find((effect) => effect.do === "write");
    if (write?.do !== "write") throw new Error("the new id is written");
    const answer = joined(did(group, 7_000, (turn) => onWritten(group, write.then, { outcome: "committed" }, turn)), 5)?.answer;
    expect(answer).toMatchObject(told);
    expect(answer?.members.map((member) => member.memberId)).toEqual(members);
  });

  test("one that comes back with another choice of protocol makes a new generation", () => {
    const group = newGroup("g", 0);
    const both = (first: string, second: string) => ({ protocols: [first, second].map((name) => ({ name, metadata: subscription("t") })) });
    did(group, 0, (turn) => join(group, ask({ waiter: 1, instanceId: "i", ...both("range", "sticky") }), turn));
    did(group, 3_000, (turn) => onWake(group, null, turn));
    makeStable(group, 3_000);
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5, instanceId: "i", ...both("sticky", "range") }), turn));
    expect(group).toMatchObject({ state: "CompletingRebalance", generation: 2, protocolName: "sticky" });
  });

  test("a static member that does not rejoin stays until its session ends; a dynamic one goes with the rebalance", () => {
    const group = withStatic();
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5 }), turn));
    did(group, 7_000, (turn) => join(group, ask({ waiter: 6, memberId: "m1" }), turn));
    did(group, 67_000, (turn) => onWake(group, null, turn));
    expect([...group.members.keys()]).toEqual(["m1", "m2", "m5"]);
    expect(group.state).toBe("CompletingRebalance");
  });

  test("an admin removes one by its instance id alone", () => {
    const group = withStatic();
    expect(leave(group, { memberId: "", instanceId: "nobody" }, turnAt(7_000))).toBe("UNKNOWN_MEMBER_ID");
    expect(leave(group, { memberId: "other", instanceId: "i" }, turnAt(7_000))).toBe("FENCED_INSTANCE_ID");
    expect(leave(group, { memberId: "", instanceId: "i" }, turnAt(7_000))).toBe("NONE");
    expect([...group.members.keys()]).toEqual(["m1"]);
  });
});

describe("SyncGroup", () => {
  const asks = { waiter: 7, memberId: "m2", instanceId: null, generation: 1, protocolType: null, protocolName: null, assignments: new Map<string, Uint8Array>() };

  test.each([
    ["an unknown member", { memberId: "x" }, "UNKNOWN_MEMBER_ID"],
    ["an older generation", { generation: 0 }, "ILLEGAL_GENERATION"],
    ["a later generation", { generation: 2 }, "ILLEGAL_GENERATION"],
    ["another protocol type", { protocolType: "connect" }, "INCONSISTENT_GROUP_PROTOCOL"],
    ["another protocol", { protocolName: "sticky" }, "INCONSISTENT_GROUP_PROTOCOL"],
    ["an unknown instance", { instanceId: "i" }, "UNKNOWN_MEMBER_ID"],
  ] as const)("%s is refused", (_, wrong, error) => {
    const group = twoMembers("CompletingRebalance");
    expect(answers(did(group, 7_000, (turn) => sync(group, { ...asks, ...wrong }, turn)))).toEqual([{ to: 7, error }]);
  });

  test("nobody gets an assignment before it is committed; who was left out gets an empty one", () => {
    const group = twoMembers("CompletingRebalance");
    expect(answers(did(group, 7_000, (turn) => sync(group, asks, turn)))).toEqual([]);
    const effects = did(group, 7_000, (turn) => sync(group, { ...asks, waiter: 8, memberId: "m1", assignments: new Map([["m1", Buffer.from("all")]]) }, turn));
    const write = effects.find((effect) => effect.do === "write");
    if (write?.do !== "write") throw new Error("the assignment is written");
    expect(answers(effects)).toEqual([]);
    expect(write.value).toMatchObject({ generation: 1, protocol: "range", leader: "m1" });
    const after = did(group, 7_000, (turn) => onWritten(group, write.then, { outcome: "committed" }, turn));
    expect(after.flatMap((effect) => (effect.do === "answer" ? [Buffer.from((effect.answer as SyncAnswer).assignment).toString()] : []))).toEqual(["all", ""]);
    expect(group.state).toBe("Stable");
  });

  test("a leader that asks twice has its first assignment taken", () => {
    const group = twoMembers("CompletingRebalance");
    const first = did(group, 7_000, (turn) => sync(group, { ...asks, memberId: "m1" }, turn));
    const second = did(group, 7_001, (turn) => sync(group, { ...asks, waiter: 8, memberId: "m1" }, turn));
    expect(first.filter((effect) => effect.do === "write")).toHaveLength(1);
    expect(second.filter((effect) => effect.do === "write")).toHaveLength(0);
    expect(answers(second)).toEqual([{ to: 7, error: "REBALANCE_IN_PROGRESS" }]);
  });

  test("a log that refuses makes a new rebalance; one that is late is waited for by whoever asks again", () => {
    const refused = twoMembers("CompletingRebalance");
    const write = did(refused, 7_000, (turn) => sync(refused, { ...asks, memberId: "m1" }, turn)).find((effect) => effect.do === "write");
    if (write?.do !== "write") throw new Error("the assignment is written");
    expect(answers(did(refused, 7_000, (turn) => onWritten(refused, write.then, { outcome: "refused", error: "NOT_ENOUGH_REPLICAS" }, turn)))).toEqual([{ to: 7, error: "COORDINATOR_NOT_AVAILABLE" }]);
    expect(refused.state).toBe("PreparingRebalance");

    const late = twoMembers("CompletingRebalance");
    const slow = did(late, 7_000, (turn) => sync(late, { ...asks, memberId: "m1" }, turn)).find((effect) => effect.do === "write");
    if (slow?.do !== "write") throw new Error("the assignment is written");
    expect(answers(did(late, 12_000, (turn) => onWritten(late, slow.then, { outcome: "late" }, turn)))).toEqual([{ to: 7, error: "COORDINATOR_NOT_AVAILABLE" }]);
    expect(late.state).toBe("CompletingRebalance");
    did(late, 12_100, (turn) => sync(late, { ...asks, waiter: 9 }, turn));
    expect(answers(did(late, 13_000, (turn) => onWritten(late, slow.then, { outcome: "committed" }, turn)))).toEqual([{ to: 9, error: "NONE" }]);
  });

  test("an assignment still on its way does not keep the next generation from its own", () => {
    const group = twoMembers("CompletingRebalance");
    const slow = did(group, 7_000, (turn) => sync(group, { ...asks, memberId: "m1" }, turn)).find((effect) => effect.do === "write");
    if (slow?.do !== "write") throw new Error("the assignment is written");
    leave(group, { memberId: "m1", instanceId: null }, turnAt(7_100));
    did(group, 7_100, (turn) => join(group, ask({ waiter: 9, memberId: "m2" }), turn));
    expect(group).toMatchObject({ state: "CompletingRebalance", generation: 2, leaderId: "m2" });
    const next = did(group, 7_200, (turn) => sync(group, { ...asks, waiter: 10, memberId: "m2", generation: 2 }, turn)).find((effect) => effect.do === "write");
    if (next?.do !== "write") throw new Error("the next assignment is written too");
    expect(answers(did(group, 7_300, (turn) => onWritten(group, slow.then, { outcome: "committed" }, turn)))).toEqual([]);
    expect(answers(did(group, 7_300, (turn) => onWritten(group, next.then, { outcome: "committed" }, turn)))).toEqual([{ to: 10, error: "NONE" }]);
  });

  test("members that never sync go at the rebalance timeout, the leader too", () => {
    const group = twoMembers("CompletingRebalance");
    did(group, 7_000, (turn) => sync(group, asks, turn));
    expect(group.syncDeadlineMs).toBe(66_000);
    const effects = did(group, 66_000, (turn) => onWake(group, null, turn));
    expect(answers(effects)).toEqual([{ to: 7, error: "REBALANCE_IN_PROGRESS" }]);
    expect([...group.members.keys()]).toEqual(["m2"]);
    expect(group).toMatchObject({ state: "PreparingRebalance", leaderId: "m2" });
  });
});

describe("Heartbeat and sessions", () => {
  test.each([
    ["Stable", "NONE"],
    ["CompletingRebalance", "NONE"],
  ] as const)("in %s: %s", (state, error) => {
    expect(heartbeat(twoMembers(state), { memberId: "m2", instanceId: null, generation: 1 }, turnAt(7_000))).toBe(error);
  });

  test("in PreparingRebalance: come and join, with the session extended", () => {
    const group = twoMembers();
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m1" }), turn));
    expect(heartbeat(group, { memberId: "m2", instanceId: null, generation: 1 }, turnAt(8_000))).toBe("REBALANCE_IN_PROGRESS");
    expect(group.members.get("m2")?.deadlineMs).toBe(18_000);
  });

  test.each([
    ["an unknown member", { memberId: "x", instanceId: null, generation: 1 }, "UNKNOWN_MEMBER_ID"],
    ["an old generation", { memberId: "m2", instanceId: null, generation: 0 }, "ILLEGAL_GENERATION"],
  ] as const)("%s is refused", (_, who, error) => {
    expect(heartbeat(twoMembers(), who, turnAt(7_000))).toBe(error);
  });

  test("a session is looked at once per timeout, not once per heartbeat", () => {
    const group = twoMembers();
    let wakes = 0;
    for (let nowMs = 6_100; nowMs < 15_900; nowMs += 100) wakes += did(group, nowMs, (turn) => heartbeat(group, { memberId: "m2", instanceId: null, generation: 1 }, turn)).length;
    expect(wakes).toBe(0);
    const looked = did(group, 16_000, (turn) => onWake(group, "m2", turn));
    expect(looked).toEqual([{ do: "wake", atMs: 25_800, memberId: "m2" }]);
    expect(group.members.has("m2")).toBe(true);
    did(group, 25_800, (turn) => onWake(group, "m2", turn));
    expect(group.members.has("m2")).toBe(false);
    expect(group.state).toBe("PreparingRebalance");
  });

  test("who waits for our answer keeps its session, unless it is new and has waited for five minutes", () => {
    const group = twoMembers();
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m1", rebalanceTimeoutMs: 900_000 }), turn));
    did(group, 7_000, (turn) => join(group, ask({ waiter: 6, rebalanceTimeoutMs: 900_000 }), turn));
    did(group, 17_000, (turn) => onWake(group, "m1", turn));
    expect(group.members.has("m1")).toBe(true);
    const gone = did(group, 307_000, (turn) => onWake(group, "m6", turn));
    expect(answers(gone)).toEqual([{ to: 6, error: "UNKNOWN_MEMBER_ID" }]);
  });
});

describe("LeaveGroup", () => {
  test("the last to leave empties the group, in the log too, at the next generation", () => {
    const group = twoMembers();
    expect(leave(group, { memberId: "m2", instanceId: null }, turnAt(7_000))).toBe("NONE");
    expect(group.state).toBe("PreparingRebalance");
    const effects = did(group, 7_100, (turn) => leave(group, { memberId: "m1", instanceId: null }, turn));
    expect(group).toMatchObject({ state: "Empty", generation: 2, protocolType: "consumer", protocolName: null, leaderId: null });
    expect(effects.find((effect) => effect.do === "write")).toMatchObject({ value: { protocolType: "consumer", generation: 2, protocol: null, leader: null, members: [] } });
  });

  test("a log that will not hear that a group is empty is told again", () => {
    const group = twoMembers();
    leave(group, { memberId: "m2", instanceId: null }, turnAt(7_000));
    const write = did(group, 7_100, (turn) => leave(group, { memberId: "m1", instanceId: null }, turn)).find((effect) => effect.do === "write");
    if (write?.do !== "write") throw new Error("that it is empty is written");
    const refused = did(group, 7_100, (turn) => onWritten(group, write.then, { outcome: "refused", error: "NOT_ENOUGH_REPLICAS" }, turn));
    expect(refused).toEqual([{ do: "wake", atMs: 12_100, memberId: null }]);
    expect(did(group, 12_100, (turn) => onWake(group, null, turn))).toEqual([{ ...write }]);
  });

  test("an id that was given out and not used can be given back", () => {
    const group = newGroup("g", 0);
    did(group, 0, (turn) => join(group, ask({ waiter: 1, needsId: true, freshId: "x" }), turn));
    expect(leave(group, { memberId: "x", instanceId: null }, turnAt(1))).toBe("NONE");
    expect(group.pending.size).toBe(0);
  });
});

describe("OffsetCommit and OffsetDelete", () => {
  test.each([
    ["nobody in particular, to an empty group", () => newGroup("g", 0), { memberId: "", instanceId: null, generation: -1 }, "NONE"],
    ["nobody in particular, to a group with members", twoMembers, { memberId: "", instanceId: null, generation: -1 }, "UNKNOWN_MEMBER_ID"],
    ["a member in its generation", twoMembers, { memberId: "m1", instanceId: null, generation: 1 }, "NONE"],
    ["a member in an older generation", twoMembers, { memberId: "m1", instanceId: null, generation: 0 }, "ILLEGAL_GENERATION"],
    ["a member without a generation", twoMembers, { memberId: "m1", instanceId: null, generation: -1 }, "ILLEGAL_GENERATION"],
    ["a stranger", twoMembers, { memberId: "x", instanceId: null, generation: 1 }, "UNKNOWN_MEMBER_ID"],
    ["a member of nobody's generation, to an empty group", () => newGroup("g", 0), { memberId: "x", instanceId: null, generation: 3 }, "UNKNOWN_MEMBER_ID"],
    ["a member between join and sync", () => twoMembers("CompletingRebalance"), { memberId: "m1", instanceId: null, generation: 1 }, "REBALANCE_IN_PROGRESS"],
  ] as const)("%s", (_, make, who, error) => {
    expect(checkCommit(make(), who, turnAt(7_000))).toBe(error);
  });

  test("members that are still in their generation commit while others join", () => {
    const group = twoMembers();
    did(group, 7_000, (turn) => join(group, ask({ waiter: 5, memberId: "m1" }), turn));
    expect(checkCommit(group, { memberId: "m2", instanceId: null, generation: 1 }, turnAt(7_100))).toBe("NONE");
  });

  test("offsets of a subscribed topic stay (KIP-496)", () => {
    expect(checkOffsetDelete(twoMembers(), "t")).toBe("GROUP_SUBSCRIBED_TO_TOPIC");
    expect(checkOffsetDelete(twoMembers(), "u")).toBe("NONE");
    expect(checkOffsetDelete(newGroup("g", 0), "t")).toBe("NONE");
  });
});

import { describe, expect, test } from "vitest";
import { nextReturn, withNewcomer } from "../../src/raft/core/returning.js";
import { member } from "./cluster.js";
import { Script } from "./transcript.js";

describe("membership", () => {
  test("a learner gets everything and counts for nothing, until it is a voter from the moment the change is appended", () => {
    const s = new Script([1, 2], [3]).elect(1);
    s.crash(2).propose(1, "a").settle();
    expect(s.inspect(1).commit).toBe(2); // 1 and 3 have it, and that is no majority of voters
    s.start(2).settle().skip();
    s.change(1, [1, 2, 3]);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 appends 4@2=members
      1→2 append t2 after 3@2: 4@2=members, commit 3
      1→3 append t2 after 3@2: 4@2=members, commit 3"
    `);
    expect(s.raft(1).log.members.voters.length).toBe(3);
    s.settle().crash(2).propose(1, "b").settle();
    expect(s.inspect(1).commit).toBe(s.inspect(1).last.index);
  });

  test("one voter at a time, and not before the last change is committed", () => {
    const s = new Script([1, 2, 3], [4, 5]).elect(1);
    s.change(1, [1, 2, 3, 4, 5]).change(1, [1, 2, 3, 4], [5]).skip().change(1, [1, 2, 3, 4, 5]);
    expect(s.said()).toBe("1 refuses the change");
    s.settle().skip().change(1, [1, 2, 3, 4, 5]);
    expect(s.said()).not.toContain("refuses");
  });

  test("C11, Ongaro 2015: no change before an entry of the leader's own term is committed", () => {
    const s = new Script([1, 2, 3, 4], [5]).elect(1);
    for (const id of [2, 3, 4, 5]) s.cut(1, id);
    s.change(1, [1, 2, 3, 4, 5]).sync(1).heal().crash(1).skip(); // in 1's log only
    s.wait(3000).timeout(2).deliver(2, 3).deliver(2, 4).deliver(3, 2).deliver(4, 2).sync(2).deliver(2, 3).deliver(2, 4).sync(3, 4).deliver(3, 2).deliver(4, 2);
    expect(s.inspect(2)).toMatchObject({ role: "leader", commit: 2 });
    s.skip().change(2, [2, 3, 4]);
    expect(s.said()).toBe("2 refuses the change");
    s.settle().skip().change(2, [2, 3, 4], [5]).settle(); // its no-op is committed now
    expect(s.said()).not.toContain("refuses");
    s.start(1).settle().wait(3000);
    s.timeout(1).settle();
    expect(s.inspect(1).role).not.toBe("leader");
  });

  test("a change that was not committed is undone with its entry", () => {
    const s = new Script([1, 2, 3], [4]).elect(1);
    s.isolate(1).change(1, [1, 2, 3, 4]);
    expect(s.raft(1).log.members.voters.length).toBe(4);
    s.sync(1).wait(3000).timeout(2).settle().heal();
    s.cluster.reconnect(s.key(1), s.key(2));
    s.settle();
    expect(s.raft(1).log.members.voters.length).toBe(3);
  });

  test("a leader that removes itself leads without counting itself, and goes when that is committed", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.change(1, [2, 3]).sync(1).deliver(1, 2).sync(2).deliver(2, 1);
    expect(s.inspect(1)).toMatchObject({ role: "leader", commit: 2 }); // 1 and 2 have it; of 2 and 3 that is one
    s.skip().deliver(1, 3).sync(3).deliver(3, 1);
    expect(s.said()).toMatchInlineSnapshot(`
      "3 appends 3@2=members
      3→1 has t2 up to 3, on disk 3
      1→2 append t2 after 3@2: nothing, commit 3
      1→3 append t2 after 3@2: nothing, commit 3
      1→2 timeout-now t2
      1 applies 3@2=members
      1 follows nobody t2"
    `);
    s.settle();
    expect([s.inspect(2).role, s.inspect(3).role]).toContain("leader");
    s.wait(5000).skip().event(1, { kind: "tick" });
    expect(s.said()).toBe(""); // it does not stand again
  });
});

describe("a wiped voter", () => {
  const AFTER_MS = 2_000;
  const voters = (s: Script, id = 1) => s.raft(id).log.members.voters.map((one) => `${one.id}${one.directoryId.at(-1)}`).join(" ");
  const learners = (s: Script, id = 1) => s.raft(id).log.members.learners.map((one) => `${one.id}${one.directoryId.at(-1)}`).join(" ");

  /** Heartbeats of the leader go round for as long, and nothing is considered meanwhile. */
  function beat(s: Script, ms: number, id = 1): Script {
    for (const end = s.cluster.now + ms; s.cluster.now < end; ) s.timeout(id).settle();
    return s;
  }

  function wiped(): Script {
    const s = new Script([1, 2, 3], [], { returnAfterMs: AFTER_MS }).elect(1).propose(1, "a").settle();
    s.wipe(3).settle();
    s.cluster.considerMembers();
    return s.settle();
  }

  test("it comes back as a learner that gets everything, counts for nothing and does not vote", () => {
    const s = wiped();
    expect(voters(s)).toBe("10 20 30");
    expect(learners(s)).toBe("31");
    beat(s, 300);
    expect(s.inspect(3).commit).toBe(s.inspect(1).commit);
    s.crash(2).propose(1, "b").settle();
    expect(s.inspect(1).commit).toBeLessThan(s.inspect(1).last.index); // 1 and the learner have it: no majority of 1, 2 and the old 3
    s.crash(1).start(2).settle();
    for (let i = 0; i < 5; i++) s.timeout(2).settle();
    expect(s.inspect(2).role).not.toBe("leader");
    s.timeout(3).settle();
    expect(s.inspect(3).role).toBe("follower");
  });

  test("in step for a while, it takes its old disk's place: the old voter goes first, and the learner votes once that is committed", () => {
    const s = wiped();
    beat(s, AFTER_MS - 500);
    expect(nextReturn(s.raft(1), s.cluster.now)).toBeNull();
    beat(s, 1_000);
    s.cluster.considerMembers();
    expect(voters(s)).toBe("10 20");
    expect(nextReturn(s.raft(1), s.cluster.now)).toBeNull(); // one change at a time
    s.settle();
    s.cluster.considerMembers();
    expect([voters(s), learners(s)]).toEqual(["10 20 31", ""]);
    beat(s.settle(), 300).crash(2).propose(1, "b").settle();
    expect(s.inspect(1).commit).toBe(s.inspect(1).last.index);
    s.start(2).settle().crash(1);
    for (let i = 0; i < 5; i++) s.timeout(3).settle();
    expect(s.inspect(3).role).toBe("leader");
  });

  test("a leader that dies between the two changes has them finished by the next", () => {
    const s = beat(wiped(), AFTER_MS + 500);
    s.cluster.considerMembers();
    s.settle();
    expect(voters(s, 2)).toBe("10 20");
    s.crash(1).start(1).settle();
    for (let i = 0; i < 5 && s.cluster.leader() !== s.key(2); i++) s.timeout(2).settle();
    expect(s.inspect(2).role).toBe("leader");
    beat(s, 300, 2);
    s.cluster.considerMembers();
    expect([voters(s, 2), learners(s, 2)]).toEqual(["10 20 31", ""]);
  });

  test("wiped again half-way, it keeps the claim to a vote; a learner that never voted has none", () => {
    const s = beat(wiped(), AFTER_MS + 500);
    s.cluster.considerMembers();
    s.settle().wipe(3, 2).settle();
    s.cluster.considerMembers();
    expect([voters(s), learners(s)]).toEqual(["10 20", "32"]);
    beat(s.settle(), 300);
    s.cluster.considerMembers();
    expect([voters(s), learners(s)]).toEqual(["10 20 32", ""]);

    const other = new Script([1, 2, 3], [4], { returnAfterMs: AFTER_MS }).elect(1);
    beat(other, 3 * AFTER_MS);
    expect(nextReturn(other.raft(1), other.cluster.now)).toBeNull();
    expect(withNewcomer(other.raft(1).log.members, member(5)).learners.at(-1)).toEqual(member(5));
  });

  test("nothing changes before it has been in step, and its old disk silent, for the whole time; and a learner that is behind does not vote", () => {
    const s = beat(wiped(), AFTER_MS - 500);
    beat(s.isolate(3), 1_500).heal(); // it was behind for a moment
    beat(s, 1_500);
    expect(nextReturn(s.raft(1), s.cluster.now)).toBeNull();
    beat(s, 1_000);
    s.cluster.considerMembers();
    expect(voters(s)).toBe("10 20");
    beat(s.isolate(3).settle().propose(1, "b"), 1_500); // 2 has both
    expect(s.inspect(1).commit).toBe(s.inspect(1).last.index);
    expect(nextReturn(s.raft(1), s.cluster.now)).toBeNull();

    const heard = beat(wiped(), AFTER_MS + 500);
    const { role } = heard.raft(1);
    if (role.name !== "leader") throw new Error("1 leads");
    const old = role.progress.get("3/dir0000000000000000030");
    if (old === undefined) throw new Error("the old disk is a voter");
    expect(nextReturn(heard.raft(1), heard.cluster.now)?.step).toBe("old-leaves");
    old.heardMs = heard.cluster.now - 1_500;
    expect(nextReturn(heard.raft(1), heard.cluster.now)).toBeNull();
  });

  test("a voter is not replaced while its old disk is heard: the learner that stood for it goes", () => {
    const s = new Script([1, 2, 3], [], { returnAfterMs: AFTER_MS }).elect(1);
    s.cluster.add(member(3, 1), []);
    s.cluster.change(withNewcomer(s.raft(1).log.members, member(3, 1)), s.key(1));
    beat(s.settle(), AFTER_MS + 500);
    expect(nextReturn(s.raft(1), s.cluster.now)?.step).toBe("old-is-back");
  });
});

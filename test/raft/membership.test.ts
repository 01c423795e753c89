import { describe, expect, test } from "vitest";
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

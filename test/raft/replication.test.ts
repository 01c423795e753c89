import { describe, expect, test } from "vitest";
import { Script } from "./transcript.js";

describe("replication", () => {
  test("an entry is acknowledged when it is on the follower's disk, and the leader counts itself when it is on its own", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.cut(1, 3).propose(1, "a").deliver(1, 2);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 appends 3@2=a
      1→2 append t2 after 2@2: 3@2=a, commit 2
      1→3 append t2 after 2@2: 3@2=a, commit 2
      2 appends 3@2=a"
    `);
    s.sync(2).deliver(2, 1);
    expect(s.said()).toMatchInlineSnapshot(`"2→1 has t2 up to 3, on disk 3"`);
    s.sync(1);
    expect(s.said()).toMatchInlineSnapshot(`"1 applies 3@2=a"`);
  });

  test("a quorum of followers commits while the leader's own disk is slow", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "a").deliver(1, 2).deliver(1, 3).sync(2, 3).deliver(2, 1).skip().deliver(3, 1);
    expect(s.said()).toMatchInlineSnapshot(`"1 applies 3@2=a"`);
  });

  test("a heartbeat is answered at once, of what is on disk, however slow the disk is", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "a").deliver(1, 2).skip();
    s.timeout(1).deliver(1, 2);
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 append t2 after 3@2: nothing, commit 2
      1→3 append t2 after 3@2: nothing, commit 2
      2→1 has t2 up to 3, on disk 2"
    `);
    expect(s.inspect(2).held).toBe(1);
  });

  test("appends go in a pipeline up to its limit, and on with each answer", () => {
    const s = new Script([1, 2, 3], [], { inflightMax: 2 }).elect(1);
    s.cut(1, 3);
    for (const text of ["a", "b", "c", "d"]) s.propose(1, text);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 appends 3@2=a
      1→2 append t2 after 2@2: 3@2=a, commit 2
      1→3 append t2 after 2@2: 3@2=a, commit 2
      1 appends 4@2=b
      1→2 append t2 after 3@2: 4@2=b, commit 2
      1→3 append t2 after 3@2: 4@2=b, commit 2
      1 appends 5@2=c
      1 appends 6@2=d"
    `);
    s.deliver(1, 2).sync(2).skip().deliver(2, 1);
    expect(s.said()).toMatchInlineSnapshot(`"1→2 append t2 after 4@2: 5@2=c 6@2=d, commit 2"`);
  });

  test("logs that differ are brought together in one exchange a term", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.isolate(1);
    for (const text of ["a", "b", "c", "d", "e"]) s.propose(1, text);
    s.settle().wait(2000).timeout(2).settle().propose(2, "x").settle();
    s.heal().skip();
    s.cluster.reconnect(s.key(1), s.key(2));
    s.settle().timeout(2).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 append t2 after 7@2: nothing, commit 2
      2→1 append t3 after 4@3: nothing, commit 4
      2→1 differs t3 at 0, maybe not at 0@0
      1 saves t3 vote none
      1→2 differs t3 at 4, maybe not at 3@2
      1 follows 2 t3
      2→1 append t3 after 2@2: 3@3=noop 4@3=x, commit 4
      1 cuts from 3
      1 appends 3@3=noop 4@3=x
      1 applies 3@3=noop 4@3=x
      1→2 has t3 up to 4, on disk 4
      2→1 append t3 after 4@3: nothing, commit 4
      2→3 append t3 after 4@3: nothing, commit 4
      1→2 has t3 up to 4, on disk 4
      3→2 has t3 up to 4, on disk 4
      3 applies 4@3=x"
    `);
  });

  test("a gap, as after a lost connection, is found by the next append and filled", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.cut(1, 2).propose(1, "lost").heal().skip().propose(1, "b").deliver(1, 2).deliver(2, 1).deliver(1, 2);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 appends 4@2=b
      1→2 append t2 after 3@2: 4@2=b, commit 2
      1→3 append t2 after 3@2: 4@2=b, commit 2
      2→1 differs t2 at 3, maybe not at 2@2
      1→2 append t2 after 2@2: 3@2=lost 4@2=b, commit 2
      2 appends 3@2=lost 4@2=b"
    `);
  });

  test("C9, figure 8: an entry of an older term on a majority is not committed by counting, only through one of the leader's own", () => {
    const s = new Script([1, 2, 3, 4, 5], [], { batchMaxBytes: 1 }).elect(1);
    for (const id of [3, 4, 5]) s.cut(1, id);
    s.propose(1, "old").deliver(1, 2).sync(1, 2).crash(1).heal(); // (a) on 1 and 2 only
    s.wait(3000).timeout(5); // (b) 5 leads with the votes of 3 and 4, and dies with its no-op
    for (const id of [3, 4]) s.deliver(5, id).deliver(id, 5);
    s.sync(5);
    for (const id of [3, 4]) s.deliver(5, id).sync(id).deliver(id, 5);
    expect(s.inspect(5)).toMatchObject({ role: "leader", term: 3 });
    s.sync(5).crash(5).start(1).wait(3000).timeout(1).settle().timeout(1); // (c) 1 hears of term 3, and leads again in 4
    for (const id of [2, 3]) s.deliver(1, id).deliver(id, 1);
    s.sync(1);
    for (const id of [2, 3]) s.deliver(1, id).sync(id).deliver(id, 1);
    expect(s.inspect(1)).toMatchObject({ role: "leader", term: 4, last: { index: 4, term: 4 } });
    s.sync(1).skip().deliver(1, 3).deliver(3, 1).deliver(1, 3).deliver(3, 1).deliver(1, 3, 1).sync(3).deliver(3, 1, 1);
    expect(s.said()).toMatchInlineSnapshot(`
      "3→1 differs t4 at 3, maybe not at 2@2
      3 follows 1 t4
      1→3 append t4 after 2@2: 3@2=old, commit 0
      3 appends 3@2=old
      3→1 has t4 up to 3, on disk 3
      1→3 append t4 after 3@2: 4@4=noop, commit 0"
    `);
    expect(s.inspect(1).commit).toBeLessThan(3); // "old" is on the disks of 1, 2 and 3
    s.settle();
    expect(s.inspect(1).commit).toBe(4);
  });

  test("a sync that began before a cut claims nothing of what was cut and written again", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "a").deliver(1, 2); // 2 has 3@2, its sync has begun
    const append = (term: number, index: number, entryTerm: number) =>
      ({ kind: "message", from: s.key(3), message: { kind: "append", term, previous: { index: 2, term: 2 }, entries: [{ index, term: entryTerm, kind: "data", payload: Buffer.from("b") }], commit: 2, round: 1 } }) as const;
    s.event(2, append(3, 3, 3)).event(2, { ...append(4, 3, 2), message: { ...append(4, 3, 2).message, entries: [{ index: 3, term: 2, kind: "data", payload: Buffer.from("a") }] } });
    expect(s.raft(2).log.last).toEqual({ index: 3, term: 2 });
    s.sync(2); // of the first write only
    expect(s.inspect(2).durable).toBe(2);
    s.sync(2);
    expect(s.inspect(2).durable).toBe(3);
  });

  test("the term of a compacted index is not known, and never taken for 0", () => {
    const s = new Script([1, 2, 3]).elect(1);
    for (let round = 0; round < 2; round++) {
      s.propose(1, "a").propose(1, "b").settle();
      s.cluster.compact(s.key(1));
    }
    const { log } = s.raft(1);
    expect(log.base.index).toBeGreaterThan(2);
    expect(log.termAt(log.base.index - 1)).toBeNull();
    expect(() => log.slice(1, 3)).toThrow("compacted");
  });
});

describe("reads", () => {
  test("a read waits for the no-op, gets the commit index, and a round of its own", () => {
    const s = new Script([1, 2, 3]);
    s.timeout(1).deliver(1, 2).deliver(2, 1).sync(1).deliver(1, 2).sync(2).deliver(2, 1).skip();
    expect(s.inspect(1).role).toBe("leader");
    s.cluster.read(s.key(1));
    expect(s.said()).toBe("");
    s.deliver(1, 2).sync(1, 2).deliver(2, 1).skip().deliver(1, 2).deliver(2, 1);
    expect(s.said()).toMatchInlineSnapshot(`
      "2→1 has t2 up to 2, on disk 2
      2 applies 1@1=members 2@2=noop
      1 reads at 2"
    `);
  });

  test("C14: a leader that was paused answers no read from before, though it still thinks that it leads", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.isolate(1).wait(5000).timeout(2).settle().propose(2, "newer").settle().heal().skip();
    expect(s.inspect(1).role).toBe("leader");
    const id = s.cluster.read(s.key(1));
    s.settle();
    expect(s.cluster.reads.get(id)?.answer).toBe("failed");
  });
});

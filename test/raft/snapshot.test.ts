import { describe, expect, test } from "vitest";
import { Script } from "./transcript.js";

/** Leader 1 has compacted what 3 lacks. */
function behind(): Script {
  const s = new Script([1, 2, 3], [], { chunkBytes: 600 }).elect(1);
  s.crash(3);
  for (let round = 0; round < 2; round++) {
    s.propose(1, `a${round}`).propose(1, `b${round}`).settle();
    s.cluster.compact(s.key(1));
  }
  s.propose(1, "after").settle();
  return s;
}

describe("snapshots", () => {
  test("come in chunks, are checked and durable before they count, and entries follow", () => {
    const s = behind();
    s.skip().start(3).settle().timeout(1).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "3 starts
      1→3 append t2 after 7@2: nothing, commit 7
      3→1 differs t2 at 7, maybe not at 2@2
      3 follows 1 t2
      1→3 snapshot t2 6@2 from byte 0
      3 installs 6@2
      3 begins its log anew after 6@2
      3 restores 6@2
      3→1 installed t2 6
      1→3 append t2 after 6@2: 7@2=after, commit 7
      3 appends 7@2=after
      3 applies 7@2=after
      3→1 has t2 up to 7, on disk 7
      1→2 append t2 after 7@2: nothing, commit 7
      1→3 append t2 after 7@2: nothing, commit 7
      2→1 has t2 up to 7, on disk 7
      2 applies 7@2=after
      3→1 has t2 up to 7, on disk 7"
    `);
    expect(s.inspect(3)).toMatchObject({ commit: s.inspect(1).commit, applied: s.inspect(1).commit });
  });

  test("C15: a newer one made while chunks are under way, and two installs in a row", () => {
    const s = behind();
    s.start(3).deliver(1, 3).deliver(3, 1).deliver(1, 3, 1);
    s.propose(1, "c").deliver(1, 2).sync(1, 2).deliver(2, 1);
    s.cluster.compact(s.key(1));
    s.settle().timeout(1).settle();
    expect(s.inspect(3).commit).toBe(s.inspect(1).commit);
    s.crash(3);
    for (let round = 0; round < 2; round++) {
      s.propose(1, `d${round}`).settle();
      s.cluster.compact(s.key(1));
    }
    s.start(3).settle().timeout(1).settle();
    expect(s.inspect(3).commit).toBe(s.inspect(1).commit);
    expect(new Set(s.cluster.states()).size).toBe(1);
  });

  test("C15: entries that commit further while it is being checked are not lowered by it", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "a").settle().timeout(1).settle();
    s.cluster.compact(s.key(1));
    const [of] = s.cluster.node(s.key(1)).disk.snapshots;
    s.crash(3).start(3).skip(); // it does not know what is committed
    expect(s.inspect(3).commit).toBe(0);
    s.event(3, { kind: "message", from: s.key(1), message: { kind: "snapshot", term: 2, point: { index: 3, term: 2 }, position: 0, total: of!.bytes, chunk: of!.data, round: 9 } });
    const append = { kind: "append", term: 2, previous: { index: 3, term: 2 }, entries: [{ index: 4, term: 2, kind: "data", payload: Buffer.from("b") }], commit: 4, round: 9 } as const;
    s.event(3, { kind: "message", from: s.key(1), message: append });
    expect(s.inspect(3)).toMatchObject({ commit: 4, applied: 4 });
    s.cluster.finishInstall(s.key(3));
    expect(s.inspect(3)).toMatchObject({ commit: 4, applied: 4, last: { index: 4 } });
    expect(s.said()).not.toContain("restores");
    expect(s.said()).not.toContain("anew");
  });

  test("C15: a membership that changes while it is installed is that of the log in the end", () => {
    const s = behind();
    s.start(3).deliver(1, 3).deliver(3, 1).deliver(1, 3);
    s.change(1, [1, 2], [3]).deliver(1, 2).sync(1, 2).deliver(2, 1);
    s.settle().timeout(1).settle().timeout(1).settle();
    expect(s.raft(3).log.members.voters.length).toBe(2);
    expect(s.inspect(3).commit).toBe(s.inspect(1).commit);
  });

  test("one that arrives damaged is asked for again", () => {
    const s = behind();
    s.start(3).deliver(1, 3).deliver(3, 1).deliver(1, 3).deliver(3, 1).deliver(1, 3);
    const node = s.cluster.node(s.key(3));
    expect(node.installing).not.toBeNull();
    node.incoming = node.incoming.subarray(1);
    s.settle();
    for (let i = 0; i < 12; i++) s.timeout(1).settle();
    expect(s.inspect(3).commit).toBe(s.inspect(1).commit);
  });

  test("C16: a voter that lost what it acknowledged votes for nobody until it has reached what a leader of now has committed", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.isolate(3).propose(1, "kept by 1 and 2").settle().propose(1, "and this").settle().heal();
    s.crash(2);
    s.cluster.damage(s.key(2), 2); // it has only what 3 has
    s.crash(1).start(2).wait(3000).skip();
    s.timeout(2).timeout(3).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "3→1 pre-vote t3 last 2@2
      3→2 pre-vote t3 last 2@2
      3 follows nobody t2
      2→3 pre-vote refused t2"
    `);
    s.start(1).settle().wait(3000).timeout(1).settle();
    expect(s.inspect(1).role).toBe("leader");
    s.timeout(1).settle().timeout(1).settle();
    expect(s.inspect(2).repair).toBe(false);
    expect(s.cluster.states()).toHaveLength(3);
    expect(new Set(s.cluster.states()).size).toBe(1);
  });

  test("C25: after a cold start of two of three the newest commits are there; of the others, nobody leads without them", () => {
    const s = new Script([1, 2, 3]);
    s.crash(3).elect(1).propose(1, "x").settle().timeout(1).settle();
    s.crash(1, 2).start(2, 3).wait(3000);
    s.timeout(3).settle();
    expect(s.inspect(3).role).not.toBe("leader");
    s.timeout(2).settle();
    expect(s.inspect(2).role).toBe("leader");
    expect(s.cluster.states()[1]).toContain("x");
  });

  test("C17: two of five frozen, one loses power, the others come back: one history", () => {
    const s = new Script([1, 2, 3, 4, 5]).elect(1);
    s.isolate(4).isolate(5).propose(1, "a").settle().timeout(1).settle().crash(1).heal().isolate(2).isolate(3);
    for (const [from, to] of [[4, 5], [5, 4]] as const) s.cluster.cut.delete(`${s.key(from)}>${s.key(to)}`);
    s.start(1).wait(5000);
    s.timeout(4).settle(); // 1 is back and has "a"; 4 and 5 lack it
    expect(s.inspect(4).role).not.toBe("leader");
    s.timeout(1).settle();
    expect(s.inspect(1).role).toBe("leader");
    s.heal();
    s.cluster.heal(20);
    expect(new Set(s.cluster.states()).size).toBe(1);
    expect(s.cluster.states()[0]).toContain("a");
  });
});

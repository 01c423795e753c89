import { describe, expect, test } from "vitest";
import { Script } from "./transcript.js";

describe("elections", () => {
  test("pre-votes first, then votes that leave when they are durable, then a no-op; ready once that is committed and applied", () => {
    const s = new Script([1, 2, 3]);
    s.timeout(1).deliver(1, 2).deliver(2, 1);
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 pre-vote t2 last 1@1
      1→3 pre-vote t2 last 1@1
      2→1 pre-vote granted t2
      1 saves t2 vote 1
      1 follows nobody t2"
    `);
    s.sync(1).deliver(1, 2);
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 vote t2 last 1@1
      1→3 vote t2 last 1@1
      2 saves t2 vote none
      2 saves t2 vote 1
      2 follows nobody t2"
    `);
    s.sync(2).deliver(2, 1);
    expect(s.said()).toMatchInlineSnapshot(`
      "2→1 vote granted t2
      1 appends 2@2=noop
      1→2 append t2 after 1@1: 2@2=noop, commit 0
      1→3 append t2 after 1@1: 2@2=noop, commit 0
      1 leads t2"
    `);
    s.deliver(1, 2).sync(1, 2).deliver(2, 1);
    expect(s.said()).toMatchInlineSnapshot(`
      "2 appends 2@2=noop
      2 follows 1 t2
      2→1 has t2 up to 2, on disk 2
      1 applies 1@1=members 2@2=noop
      1 leads t2, ready"
    `);
  });

  test("a single voter leads when its own vote is durable, and commits when its own entry is", () => {
    const s = new Script([1]);
    s.timeout(1);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 saves t2 vote 1
      1 follows nobody t2"
    `);
    s.sync(1);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 appends 2@2=noop
      1 leads t2"
    `);
    s.sync(1);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 applies 1@1=members 2@2=noop
      1 leads t2, ready"
    `);
  });

  test("C10: a vote that was sent is kept over a crash; one that was not written was never sent", () => {
    const s = new Script([1, 2, 3]);
    s.cut(1, 3).cut(2, 3);
    s.timeout(1).deliver(1, 2).deliver(2, 1).sync(1).deliver(1, 2).skip();
    s.crash(2).start(2);
    expect(s.inspect(2)).toMatchObject({ term: 1, votedFor: null }); // it had not been written
    s.skip().event(2, { kind: "message", from: s.key(3), message: { kind: "vote", term: 2, last: { index: 1, term: 1 }, transfer: false } });
    s.sync(2).crash(2).start(2).skip();
    s.event(2, { kind: "message", from: s.key(1), message: { kind: "vote", term: 2, last: { index: 1, term: 1 }, transfer: false } });
    expect(s.said()).toMatchInlineSnapshot(`"2→1 vote refused t2"`);
  });

  test("C10: stepping down in a term keeps the vote, so a second candidate of it does not get one", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.event(1, { kind: "disk", stalled: true }).skip();
    s.event(1, { kind: "message", from: s.key(3), message: { kind: "vote", term: 2, last: { index: 9, term: 2 }, transfer: true } });
    expect(s.said()).toMatchInlineSnapshot(`"1→3 vote refused t2"`);
    expect(s.inspect(1).votedFor).toBe(s.key(1));
  });

  test("a log that is less complete gets neither pre-vote nor vote", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.isolate(3).propose(1, "x").settle().crash(1).heal().wait(2000).skip();
    s.timeout(3).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "3→1 pre-vote t3 last 2@2
      3→2 pre-vote t3 last 2@2
      3 follows nobody t2
      2→3 pre-vote refused t2"
    `);
    s.event(2, { kind: "message", from: s.key(3), message: { kind: "vote", term: 9, last: { index: 2, term: 2 }, transfer: false } }).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "2 saves t9 vote none
      2→3 vote refused t9
      2 follows nobody t9
      3 saves t9 vote none
      3 follows nobody t9"
    `);
  });

  test("two that ask at once: the one behind in order of ids waits", () => {
    const s = new Script([1, 2, 3]);
    s.timeout(1).timeout(2).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 pre-vote t2 last 1@1
      1→3 pre-vote t2 last 1@1
      2→1 pre-vote t2 last 1@1
      2→3 pre-vote t2 last 1@1
      2→1 pre-vote granted t2
      3→1 pre-vote granted t2
      1→2 pre-vote granted t2
      3→2 pre-vote granted t2
      1 saves t2 vote 1
      1 follows nobody t2
      1→2 vote t2 last 1@1
      1→3 vote t2 last 1@1
      2 saves t2 vote none
      2 saves t2 vote 1
      2 follows nobody t2
      3 saves t2 vote none
      3 saves t2 vote 1
      3 follows nobody t2
      2→1 vote granted t2
      3→1 vote granted t2
      1 appends 2@2=noop
      1→2 append t2 after 1@1: 2@2=noop, commit 0
      1→3 append t2 after 1@1: 2@2=noop, commit 0
      1 leads t2
      2 appends 2@2=noop
      2 follows 1 t2
      3 appends 2@2=noop
      3 follows 1 t2
      2→1 has t2 up to 2, on disk 2
      3→1 has t2 up to 2, on disk 2
      1 applies 1@1=members 2@2=noop
      1 leads t2, ready"
    `);
  });

  test("who comes back from a cut does not disturb: its pre-votes are refused while the leader is heard, and its term has not moved", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.isolate(3).run(10_000);
    expect(s.inspect(3)).toMatchObject({ role: "prospective", term: 2 });
    s.heal().skip();
    s.cluster.now = s.raft(3).electionAtMs; // it asks before it hears the leader
    s.event(3, { kind: "tick" }).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "3→1 pre-vote t3 last 2@2
      3→2 pre-vote t3 last 2@2
      1→3 pre-vote refused t2
      2→3 pre-vote refused t2"
    `);
    s.run(5000);
    expect(s.inspect(1)).toMatchObject({ role: "leader", term: 2 });
    expect(s.inspect(3).leader).toBe(s.key(1));
  });

  test("even a vote of a higher term does not move who hears a leader, unless the leader asked for it", () => {
    const s = new Script([1, 2, 3]).elect(1);
    const vote = (transfer: boolean) => ({ kind: "message", from: s.key(3), message: { kind: "vote", term: 7, last: { index: 9, term: 6 }, transfer } }) as const;
    s.event(2, vote(false));
    expect(s.said()).toMatchInlineSnapshot(`"2→3 vote refused t2"`);
    s.event(2, vote(true)).sync(2);
    expect(s.said()).toMatchInlineSnapshot(`
      "2 saves t7 vote none
      2 saves t7 vote 3
      2 follows nobody t7
      2→3 vote granted t7"
    `);
  });

  test("a leader that nobody answers steps down within an election timeout, before it could serve anything stale", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.cut(2, 1).cut(3, 1); // it is heard, and hears nobody
    for (let i = 0; i < 20 && s.inspect(1).role === "leader"; i++) s.timeout(1);
    s.skip();
    expect(s.inspect(1)).toMatchObject({ role: "follower", term: 2 });
    s.heal().settle().wait(1500).timeout(2).settle().skip();
    expect([s.inspect(1).role, s.inspect(2).role, s.inspect(3).role].filter((role) => role === "leader")).toEqual(["leader"]);
  });

  test("a leader whose process is gone is replaced at once, with the help of who knows it too", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "a").settle().timeout(1).settle().skip();
    const killedAt = s.cluster.now;
    s.crash(1).skip(); // connections lost, and no dial yet
    s.event(2, { kind: "disconnected", peer: s.key(1), refused: true });
    s.timeout(2).settle(); // 3 has not noticed, and refuses
    expect(s.said()).toMatchInlineSnapshot(`
      "2 follows nobody t2
      2→1 pre-vote t3 last 3@2
      2→3 pre-vote t3 last 3@2
      3→2 pre-vote refused t2"
    `);
    s.event(3, { kind: "disconnected", peer: s.key(1), refused: true });
    s.timeout(3).settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "3 follows nobody t2
      3→1 pre-vote t3 last 3@2
      3→2 pre-vote t3 last 3@2
      2→3 pre-vote granted t3
      3 saves t3 vote 3
      3 follows nobody t3
      3→1 vote t3 last 3@2
      3→2 vote t3 last 3@2
      2 saves t3 vote none
      2 saves t3 vote 3
      2 follows nobody t3
      2→3 vote granted t3
      3 appends 4@3=noop
      3→1 append t3 after 3@2: 4@3=noop, commit 3
      3→2 append t3 after 3@2: 4@3=noop, commit 3
      3 leads t3
      2 appends 4@3=noop
      2 follows 3 t3
      2→3 has t3 up to 4, on disk 4
      3 applies 4@3=noop
      3 leads t3, ready"
    `);
    expect(s.cluster.now - killedAt).toBeLessThan(150);
  });

  test("a stalled disk ends leadership: heartbeats stop, nothing is accepted, and it does not stand again until the disk goes on", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "never on my disk").skip();
    s.event(1, { kind: "disk", stalled: true });
    s.propose(1, "too late").timeout(1);
    expect(s.said()).toMatchInlineSnapshot(`
      "1 follows nobody t2
      1 takes no proposal"
    `);
    s.event(1, { kind: "disk", stalled: false }).timeout(1);
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 pre-vote t3 last 3@2
      1→3 pre-vote t3 last 3@2"
    `);
  });

  test("leadership is handed over: proposals wait, the heir gets everything and stands at once", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.propose(1, "a").event(1, { kind: "transfer", to: s.key(2) }).propose(1, "b").settle();
    expect(s.said()).toMatchInlineSnapshot(`
      "1 appends 3@2=a
      1→2 append t2 after 2@2: 3@2=a, commit 2
      1→3 append t2 after 2@2: 3@2=a, commit 2
      1 takes no proposal
      2 appends 3@2=a
      3 appends 3@2=a
      2→1 has t2 up to 3, on disk 3
      3→1 has t2 up to 3, on disk 3
      1→2 timeout-now t2
      1 applies 3@2=a
      2 saves t3 vote 2
      2 follows nobody t3
      2→1 vote t3 last 3@2 transfer
      2→3 vote t3 last 3@2 transfer
      1 saves t3 vote none
      1 saves t3 vote 2
      1 follows nobody t3
      3 saves t3 vote none
      3 saves t3 vote 2
      3 follows nobody t3
      1→2 vote granted t3
      3→2 vote granted t3
      2 appends 4@3=noop
      2→1 append t3 after 3@2: 4@3=noop, commit 2
      2→3 append t3 after 3@2: 4@3=noop, commit 2
      2 leads t3
      1 appends 4@3=noop
      1 follows 2 t3
      3 appends 4@3=noop
      3 follows 2 t3
      1→2 has t3 up to 4, on disk 4
      3→2 has t3 up to 4, on disk 4
      2 applies 3@2=a 4@3=noop
      2 leads t3, ready"
    `);
    expect(s.inspect(2)).toMatchObject({ role: "leader", term: 3 });
  });

  test("an heir that does not come costs an election timeout, and proposals go on", () => {
    const s = new Script([1, 2, 3]).elect(1);
    s.crash(2).skip().event(1, { kind: "transfer", to: s.key(2) }).propose(1, "a");
    expect(s.said()).toMatchInlineSnapshot(`
      "1→2 timeout-now t2
      1 takes no proposal"
    `);
    for (let i = 0; i < 10; i++) s.timeout(1).settle();
    s.skip().propose(1, "b").settle();
    expect(s.said()).toContain("1 applies");
  });

  test.each([
    ["C12: 1 and 3 do not reach each other", 3, [[1, 3], [3, 1]]],
    ["C12: a node that the leader does not hear, one way", 3, [[2, 1]]],
    ["C12: five nodes, 4 hangs on 2 only, 5 on 3 only", 5, [[1, 3], [3, 1], [4, 1], [1, 4], [4, 3], [3, 4], [4, 5], [5, 4], [5, 1], [1, 5], [5, 2], [2, 5]]],
  ] as const)("%s: there is a leader, and it stays", (_, size, cuts) => {
    const s = new Script(Array.from({ length: size }, (__, i) => i + 1)).elect(1);
    for (const [from, to] of cuts) s.cut(from, to);
    s.run(10_000);
    const leader = s.cluster.leader();
    expect(leader).not.toBeNull();
    const terms = s.cluster.leaders.size;
    s.run(60_000);
    expect(s.cluster.leaders.size - terms).toBeLessThanOrEqual(1);
    expect(s.cluster.propose("still")).toBe(true);
  });
});

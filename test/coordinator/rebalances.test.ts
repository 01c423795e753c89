/** Whole rebalances, as clients live through them. */
import { describe, expect, test } from "vitest";
import { assign, Consumer, stable, state } from "./consumer.js";
import { GroupSim, named, subscription } from "./sim.js";

describe("eager, three members", () => {
  test("they join together, one leads and assigns, each gets its own", async () => {
    const sim = await GroupSim.started();
    const [a, b, c] = [new Consumer(sim), new Consumer(sim), new Consumer(sim)];
    await stable(sim, [a, b, c]);
    expect([a.generation, b.generation, c.generation]).toEqual([1, 1, 1]);
    expect([a, b, c].map((one) => one.leader)).toEqual([true, false, false]);
    expect(a.members).toEqual([a.memberId, b.memberId, c.memberId]);
    expect([a, b, c].map((one) => one.assignment)).toEqual([a, b, c].map((one) => `for ${one.memberId}`));
    expect(await state(sim)).toBe("Stable");
    expect(await a.heartbeat()).toBe("NONE");
    expect(sim.halts).toEqual([]);
  });

  test("a member that is killed is missed after its session timeout; the others share its work in the next generation", async () => {
    const sim = await GroupSim.started();
    const [a, b, c] = [new Consumer(sim), new Consumer(sim), new Consumer(sim)];
    await stable(sim, [a, b, c]);
    for (let i = 0; i < 4; i++) {
      await sim.clock.advance(2_400);
      expect([await a.heartbeat(), await b.heartbeat()]).toEqual(["NONE", "NONE"]);
    }
    await sim.clock.advance(500); // c has been silent for longer than its session
    expect(await a.heartbeat()).toBe("REBALANCE_IN_PROGRESS");
    const joins = Promise.all([a.join(), b.join()]);
    await sim.clock.settle();
    await joins; // without waiting for any timeout: nobody is missing
    await assign(sim, [a, b]);
    expect([a.generation, b.generation]).toEqual([2, 2]);
    expect(a.members).toEqual([a.memberId, b.memberId]);
    expect(await c.heartbeat()).toBe("UNKNOWN_MEMBER_ID");
  });

  test("a leader that leaves hands the lead to the next", async () => {
    const sim = await GroupSim.started();
    const [a, b, c] = [new Consumer(sim), new Consumer(sim), new Consumer(sim)];
    await stable(sim, [a, b, c]);
    expect(await a.leave()).toBe("NONE");
    expect(await b.heartbeat()).toBe("REBALANCE_IN_PROGRESS");
    const joins = Promise.all([c.join(), b.join()]);
    await sim.clock.settle();
    await joins;
    expect([b.leader, c.leader]).toEqual([true, false]);
    await assign(sim, [b, c]);
    expect(await state(sim)).toBe("Stable");
    expect(await a.heartbeat()).toBe("UNKNOWN_MEMBER_ID");
  });

  test("when the last has left the group is Empty, and its offsets stay", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    expect(await a.committed(42)).toBe("NONE");
    expect(await a.leave()).toBe("NONE");
    expect(await state(sim)).toBe("Empty");
    expect(await a.fetch()).toBe(42);
  });

  test("a leader that dies before it assigns is replaced at the rebalance timeout, and nobody waits longer", async () => {
    const sim = await GroupSim.started();
    const [a, b] = [0, 1].map(() => new Consumer(sim, { rebalanceTimeoutMs: 20_000, sessionTimeoutMs: 30_000 })) as [Consumer, Consumer];
    const joins = Promise.all([a.join(), b.join()]);
    await sim.clock.advance(6_000);
    await joins;
    const waits = b.sync();
    expect(await sim.now(waits)).toBe("waits");
    await sim.clock.advance(20_000);
    expect(named(await waits)).toBe("REBALANCE_IN_PROGRESS");
    const again = b.join();
    await sim.clock.settle();
    await again;
    expect(b.leader).toBe(true);
    await assign(sim, [b]);
    expect(b.generation).toBe(2);
  });
});

test("cooperative: what consumers own travels in bytes that the coordinator does not read; a second round follows at once", async () => {
  const sim = await GroupSim.started();
  const owned = (text: string) => [{ name: "cooperative-sticky", metadata: Buffer.concat([subscription("t"), Buffer.from(text)]) }];
  const a = new Consumer(sim, { protocols: owned("none") });
  await stable(sim, [a]);
  const b = new Consumer(sim, { protocols: owned("none") });
  const joinsB = b.join();
  await sim.clock.settle();
  expect(await a.heartbeat()).toBe("REBALANCE_IN_PROGRESS");
  expect(await a.committed(7), "a goes on working while others join").toBe("NONE");
  const revoking = new Consumer(sim, { protocols: owned("owns 0 1 2") });
  revoking.memberId = a.memberId;
  const first = await sim.now(revoking.joinOnce());
  if (first === "waits") throw new Error("everybody is there");
  await joinsB;
  expect(Buffer.from(first.members?.[0]?.metadata ?? []).toString("latin1")).toContain("owns 0 1 2");
  await assign(sim, [revoking, b]);
  // The second round: the member that gave something up joins again with what it owns now.
  const smaller = new Consumer(sim, { protocols: owned("owns 0 1") });
  smaller.memberId = a.memberId;
  const rejoin = smaller.joinOnce();
  await sim.clock.settle();
  expect(await b.heartbeat()).toBe("REBALANCE_IN_PROGRESS");
  const others = b.joinOnce();
  await sim.clock.settle();
  await Promise.all([rejoin, others]);
  await assign(sim, [smaller, b]);
  expect([smaller.generation, b.generation]).toEqual([3, 3]);
});

test("a static member restarts within its session: no rebalance, the same assignment, and its old process is fenced", async () => {
  const sim = await GroupSim.started();
  const [a, b] = [new Consumer(sim, { instanceId: "one" }), new Consumer(sim, { instanceId: "two" })];
  await stable(sim, [a, b]);
  const restarted = new Consumer(sim, { instanceId: "two" });
  expect(named((await sim.now(restarted.joinOnce())) as Awaited<ReturnType<typeof restarted.joinOnce>>)).toBe("NONE");
  expect(restarted.generation).toBe(1);
  expect(restarted.memberId).not.toBe(b.memberId);
  await restarted.sync();
  expect(restarted.assignment).toBe(`for ${b.memberId}`);
  expect(await state(sim)).toBe("Stable");
  expect(await a.heartbeat()).toBe("NONE");
  expect(await b.heartbeat()).toBe("FENCED_INSTANCE_ID");
  expect(await b.committed(1)).toBe("FENCED_INSTANCE_ID");
  // The new id survives a change of coordinators.
  await sim.failover();
  expect(await restarted.heartbeat()).toBe("NONE");
  expect(await b.heartbeat()).toBe("FENCED_INSTANCE_ID");
});

test("joiners of one deployment share a generation: the first pause starts again for each", async () => {
  const sim = await GroupSim.started();
  const consumers = [0, 1, 2, 3].map(() => new Consumer(sim));
  const joins: Promise<unknown>[] = [];
  for (const consumer of consumers) {
    joins.push(consumer.join());
    await sim.clock.advance(2_000);
  }
  await sim.clock.advance(6_000);
  await Promise.all(joins);
  expect(consumers.map((consumer) => consumer.generation)).toEqual([1, 1, 1, 1]);
});

test("older clients: version 0 knows no member ids to bring back, no rebalance timeout, and is let in at once", async () => {
  const sim = await GroupSim.started({ "group.initial.rebalance.delay.ms": 0 });
  const old = new Consumer(sim, { version: 0, rebalanceTimeoutMs: -1 });
  const joining = old.joinOnce();
  await sim.clock.advance(0);
  const answer = await joining;
  expect(named(answer)).toBe("NONE");
  expect(answer.protocolName).toBe("range");
  expect(named(await new Consumer(sim, { version: 5, sessionTimeoutMs: 5_999 }).joinOnce())).toBe("INVALID_SESSION_TIMEOUT");
  expect(named(await new Consumer(sim, { version: 5, sessionTimeoutMs: 1_800_001 }).joinOnce())).toBe("INVALID_SESSION_TIMEOUT");
  expect(named(await new Consumer(sim, { group: "" }).joinOnce())).toBe("INVALID_GROUP_ID");
  const refused = await new Consumer(sim, { version: 5, sessionTimeoutMs: 1 }).joinOnce();
  expect(refused.protocolName, "not nullable before version 7").toBe("");
});

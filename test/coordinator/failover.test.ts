/** What a change of coordinators must not do (reliability.md §2 G1-G7, §3 C23), and what an unwilling log must not do. */
import { describe, expect, test } from "vitest";
import { buildBatch } from "../../src/records/builder.js";
import { endMarker } from "../../src/records/control.js";
import { offsetRecord } from "../../src/coordinator/group/group-records.js";
import { assign, Consumer, fetchOffset, stable, state } from "./consumer.js";
import { GroupSim, named } from "./sim.js";

describe("failover", () => {
  test("members go on under the next coordinator as if nothing had happened", async () => {
    const sim = await GroupSim.started();
    const [a, b] = [new Consumer(sim), new Consumer(sim, { instanceId: "i" })];
    await stable(sim, [a, b]);
    expect(await a.committed(10)).toBe("NONE");
    await sim.failover();
    expect(await state(sim)).toBe("Stable");
    expect(await a.heartbeat()).toBe("NONE");
    expect(await b.heartbeat()).toBe("NONE");
    expect(await a.fetch()).toBe(10);
    await b.sync();
    expect(b.assignment).toBe(`for ${b.memberId}`);
    expect(await a.committed(11)).toBe("NONE");
  });

  test("sessions begin anew at the next coordinator: who is silent is missed there", async () => {
    const sim = await GroupSim.started();
    const [a, b] = [new Consumer(sim), new Consumer(sim)];
    await stable(sim, [a, b]);
    await sim.failover();
    await sim.clock.advance(9_000);
    expect(await a.heartbeat()).toBe("NONE");
    await sim.clock.advance(1_500);
    expect(await a.heartbeat()).toBe("REBALANCE_IN_PROGRESS");
    expect(await b.heartbeat()).toBe("UNKNOWN_MEMBER_ID");
  });

  test("an assignment that was not committed was not given to anybody, and does not come back by itself", async () => {
    const sim = await GroupSim.started();
    const [a, b] = [new Consumer(sim), new Consumer(sim)];
    const joins = Promise.all([a.join(), b.join()]);
    await sim.clock.advance(6_000);
    await joins;
    sim.partition.auto = false;
    const syncs = [a.sync({ [a.memberId]: "all" }), b.sync()];
    expect(await sim.now(Promise.race(syncs))).toBe("waits");
    sim.partition.auto = true;
    await sim.failover(0);
    expect((await Promise.all(syncs)).map(named)).toEqual(["NOT_COORDINATOR", "NOT_COORDINATOR"]);
    expect(await a.heartbeat()).toBe("UNKNOWN_MEMBER_ID");
  });

  test("nothing is served before the high watermark has reached what was read", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    sim.partition.auto = false;
    const uncommitted = a.commit(99);
    await sim.clock.settle();
    sim.resign();
    expect(await uncommitted).toBe("NOT_COORDINATOR");
    sim.groups.close();
    sim.make();
    sim.lead(); // the batch survived, its commit did not
    await sim.clock.advance(1_000);
    expect(await fetchOffset(sim, "g")).toBe("COORDINATOR_LOAD_IN_PROGRESS");
    expect(await a.heartbeat(), "a heartbeat meets loading with patience").toBe("NONE");
    expect(named((await sim.now(a.sync())) as Awaited<ReturnType<typeof a.sync>>)).toBe("REBALANCE_IN_PROGRESS");
    const listed = await sim.groups.listGroups({ statesFilter: [], typesFilter: [] }, { version: 5, clientId: "", clientHost: "" });
    expect(named(listed)).toBe("COORDINATOR_LOAD_IN_PROGRESS");
    sim.partition.commit();
    sim.partition.auto = true;
    await sim.clock.advance(20);
    expect(await fetchOffset(sim, "g")).toBe(99);
  });

  test("a broker that leads no longer answers nothing but that", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    const joining = new Consumer(sim).join();
    await sim.clock.settle();
    sim.resign();
    expect(named(await joining)).toBe("NOT_COORDINATOR");
    expect(await a.heartbeat()).toBe("NOT_COORDINATOR");
    expect(await a.committed(1)).toBe("NOT_COORDINATOR");
    expect(await a.fetch()).toBe("NOT_COORDINATOR");
    expect(await a.leave()).toBe("NOT_COORDINATOR");
    expect(await state(sim)).toBe("");
    expect(sim.groups.inspect()).toEqual([]);
  });
});

describe("zombies (C23)", () => {
  test("a member that slept through a rebalance commits nothing", async () => {
    const sim = await GroupSim.started();
    const [a, b] = [new Consumer(sim), new Consumer(sim)];
    await stable(sim, [a, b]);
    expect(await b.committed(5)).toBe("NONE");
    for (let i = 0; i < 5; i++) {
      await sim.clock.advance(2_500);
      await a.heartbeat();
    }
    const again = a.join();
    await sim.clock.settle();
    await again;
    await assign(sim, [a]);
    expect(await b.committed(6)).toBe("UNKNOWN_MEMBER_ID");
    b.memberId = a.memberId; // even under a name that is known
    expect(await b.committed(6)).toBe("ILLEGAL_GENERATION");
    expect(await a.fetch()).toBe(5);
  });

  test("a coordinator whose reign ended without its knowing acknowledges nothing, in flight or new", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    sim.partition.auto = false;
    const inFlight = a.commit(7);
    const reading = sim.groups.describeGroups({ groups: ["g"], includeAuthorizedOperations: false }, { version: 5, clientId: "", clientHost: "" });
    await sim.clock.settle();
    sim.partition.endReign(); // the log knows; the coordinator has not been told
    await sim.clock.settle();
    const late = a.commit(8);
    expect(await sim.now(late)).toBe("NOT_COORDINATOR");
    expect(await a.heartbeat()).toBe("NOT_COORDINATOR");
    expect((await sim.now(reading)) === "waits" ? "waits" : named((await reading).groups?.[0] ?? {})).toBe("NOT_COORDINATOR");
    expect(await sim.now(inFlight)).not.toBe("NONE");
    sim.resign();
    expect(await inFlight).toBe("NOT_COORDINATOR");
  });

  test("without a lease, reads wait for the controller's word; commits need none, since the log is their judge", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    await a.committed(3);
    sim.leased = false;
    sim.confirms = [true, false];
    expect(await a.fetch()).toBe(3);
    expect(await a.fetch()).toBe("COORDINATOR_NOT_AVAILABLE");
    expect(await a.committed(4)).toBe("NONE");
    expect(sim.asked).toBe(2);
    sim.leased = true;
    expect(await a.fetch()).toBe(4);
    expect(sim.asked).toBe(2);
  });
});

describe("a log that refuses or tarries", () => {
  test("a refused commit changes nothing, and says what the client may do", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    await a.committed(3);
    const end = sim.partition.end;
    for (const [refusal, told] of [["NOT_ENOUGH_REPLICAS", "COORDINATOR_NOT_AVAILABLE"], ["NOT_LEADER_OR_FOLLOWER", "NOT_COORDINATOR"], ["KAFKA_STORAGE_ERROR", "NOT_COORDINATOR"], ["MESSAGE_TOO_LARGE", "INVALID_COMMIT_OFFSET_SIZE"]] as const) {
      sim.partition.refuse = refusal;
      expect(await a.committed(4)).toBe(told);
      expect(await a.fetch()).toBe(3);
    }
    sim.partition.refuse = null;
    expect(sim.partition.end).toBe(end);
    expect(await a.committed(5)).toBe("NONE");
    await sim.failover();
    expect(await a.fetch()).toBe(5);
  });

  test("a refused assignment reaches nobody and starts the rebalance again", async () => {
    const sim = await GroupSim.started();
    const [a, b] = [new Consumer(sim), new Consumer(sim)];
    const joins = Promise.all([a.join(), b.join()]);
    await sim.clock.advance(6_000);
    await joins;
    sim.partition.refuse = "NOT_ENOUGH_REPLICAS";
    const syncs = await sim.now(Promise.all([b.sync(), a.sync({ [a.memberId]: "all" })]));
    expect(syncs === "waits" ? syncs : syncs.map(named)).toEqual(["COORDINATOR_NOT_AVAILABLE", "COORDINATOR_NOT_AVAILABLE"]);
    expect(await a.heartbeat()).toBe("REBALANCE_IN_PROGRESS");
    sim.partition.refuse = null;
    const again = Promise.all([a.join(), b.join()]);
    await sim.clock.settle();
    await again;
    await assign(sim, [a, b]);
    expect(a.generation).toBe(2);
  });

  test("a commit that is not replicated in time has an open outcome; reads do not show it before it is certain", async () => {
    const sim = await GroupSim.started();
    const a = new Consumer(sim);
    await stable(sim, [a]);
    await a.committed(3);
    sim.partition.auto = false;
    const slow = a.commit(4);
    expect(await a.fetch()).toBe("waits");
    await sim.clock.advance(5_001);
    expect(await slow).toBe("COORDINATOR_NOT_AVAILABLE");
    expect(await sim.now(a.commit(5))).toBe("waits");
    sim.partition.commit();
    sim.partition.auto = true;
    await sim.clock.settle();
    expect(await a.fetch()).toBe(5);
  });

  test("what comes in the same tick as a deletion meets the group deleted, or, when the log refuses, as it was", async () => {
    for (const refuse of [null, "NOT_ENOUGH_REPLICAS"] as const) {
      const sim = await GroupSim.started({ "group.initial.rebalance.delay.ms": 0 });
      await new Consumer(sim, { group: "s" }).committed(6);
      sim.partition.refuse = refuse;
      const removing = sim.groups.deleteGroups({ groupsNames: ["s"] }, { version: 2, clientId: "", clientHost: "" });
      const member = new Consumer(sim, { group: "s" });
      const joining = member.join();
      await sim.clock.advance(0);
      expect((await removing).results?.[0]?.errorCode).toBe(refuse === null ? 0 : 15);
      expect(named(await joining)).toBe("NONE");
      expect(await fetchOffset(sim, "s")).toBe(refuse === null ? -1 : 6);
      sim.partition.refuse = null;
      await assign(sim, [member]);
      await sim.failover();
      expect(await member.heartbeat()).toBe("NONE");
    }
  });

  test("many groups of one tick share a batch, and each has its own answer", async () => {
    const sim = await GroupSim.started();
    const commits = Array.from({ length: 50 }, (_, i) => new Consumer(sim, { group: `simple${i}` }).commit(i));
    const more = new Consumer(sim, { group: "simple0" }).commit(1_000, { partition: 1 });
    const batches = sim.partition.batches.length;
    await sim.clock.settle();
    expect([...new Set([...(await Promise.all(commits)), await more])]).toEqual(["NONE"]);
    expect(sim.partition.batches.length - batches).toBe(1);
    expect(await fetchOffset(sim, "simple49")).toBe(49);
    expect(await fetchOffset(sim, "simple0", { partition: 1 })).toBe(1_000);
  });
});

test("commits of a transaction in the log wait for its marker: fetched before, after, and never when aborted", async () => {
  const sim = await GroupSim.started();
  await new Consumer(sim, { group: "tx" }).committed(1);
  const producer = { id: 77n, epoch: 0, sequence: 0 };
  const value = (offset: bigint) => ({ offset, leaderEpoch: -1, metadata: "", commitMs: 1, expireMs: -1, topicId: null });
  const write = (bytes: Uint8Array) => {
    const log = sim.partition.beginReign();
    log.append(bytes);
  };
  const open = (offset: bigint) => buildBatch([{ ...offsetRecord("tx", "t", 0, value(offset)), timestamp: 1 }], { producer, transactional: true });
  write(open(2n));
  await sim.failover(Infinity);
  expect(await fetchOffset(sim, "tx")).toBe(1);
  expect(await fetchOffset(sim, "tx", { requireStable: true })).toBe("UNSTABLE_OFFSET_COMMIT");
  write(endMarker("commit", producer, { coordinatorEpoch: 0, timestamp: 2 }));
  await sim.failover(Infinity);
  expect(await fetchOffset(sim, "tx", { requireStable: true })).toBe(2);
  write(open(3n));
  write(endMarker("abort", producer, { coordinatorEpoch: 0, timestamp: 3 }));
  await sim.failover(Infinity);
  expect(await fetchOffset(sim, "tx", { requireStable: true })).toBe(2);
  expect(sim.halts).toEqual([]);
});

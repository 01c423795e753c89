/**
 * Random commands, random crashes: whatever happens, the invariants of reliability.md §2 hold for what clients were told.
 *
 *  G1, G5  in a generation whose assignment was given out, each member was given what the leader said, and nobody two things
 *  G2      generations that come with an assignment never go back
 *  G3      a commit is acknowledged only to the current generation's member
 *  G4      what is fetched is the last acknowledged commit, or a later one whose outcome is open; never a spurious -1
 *  G7      after the reign has ended its coordinator acknowledges nothing
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeRecord } from "../../src/coordinator/group/group-records.js";
import { readRecords } from "../../src/records/record.js";
import type { ErrorName } from "../../src/protocol/errors.js";
import { Consumer, fetchOffset, type Joined, type Synced } from "./consumer.js";
import { GroupSim, named } from "./sim.js";

type Command =
  | { readonly do: "join" | "sync" | "heartbeat" | "leave" | "commit" | "restart"; readonly who: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "crash"; readonly keep: number }
  | { readonly do: "stall" | "flow" | "refuse" | "accept" | "fetch" };

const who = fc.integer({ min: 0, max: 3 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("join" as const, "sync" as const), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("heartbeat" as const, "commit" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "restart" as const), who }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(0, 10, 500, 3_000, 9_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), keep: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("stall" as const, "flow" as const, "refuse" as const, "accept" as const, "fetch" as const) }) },
);

/** What clients saw, judged as it comes in. */
class Oracle {
  readonly #given = new Map<string, string>(); // generation and member to assignment
  readonly #plans = new Map<number, Set<string>>(); // generation to what its leaders said, as they said it
  readonly #owners = new Map<string, number>();
  #generation = 0;
  #acked = -1;
  readonly #open = new Set<number>(); // commits without a certain outcome
  reign = 0;
  acks = 0;
  assignments = 0;

  /** @param text unique: no leader says the same twice */
  plan(generation: number, text: string): void {
    const said = this.#plans.get(generation) ?? new Set();
    this.#plans.set(generation, said.add(text));
  }

  synced(generation: number, member: string, client: number, assignment: string): void {
    this.assignments++;
    expect(generation, "G2: assignments come in generations that never go back").toBeGreaterThanOrEqual(this.#generation);
    this.#generation = generation;
    const key = `${generation} ${member}`;
    expect(this.#given.get(key) ?? assignment, "G1: a member of a generation owns one thing").toBe(assignment);
    this.#given.set(key, assignment);
    if (assignment === "") return;
    expect(this.#plans.get(generation)?.has(assignment), "G5: as a leader of the generation said").toBe(true);
    expect(this.#owners.get(assignment) ?? client, "G1: one owner, under whatever member id its instance has").toBe(client);
    this.#owners.set(assignment, client);
  }

  invoked(offset: number): void {
    this.#open.add(offset);
  }

  committed(offset: number, error: ErrorName, sent: { readonly reign: number }): void {
    if (error === "NONE") {
      expect(sent.reign, "G7: the reign that took it acknowledges it").toBe(this.reign);
      this.acks++;
      this.#acked = Math.max(this.#acked, offset);
      return;
    }
    // Only what the coordinator decided before it wrote is certain not to be in the log.
    const certain: readonly ErrorName[] = ["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "FENCED_INSTANCE_ID", "GROUP_ID_NOT_FOUND"];
    if (certain.includes(error)) this.#open.delete(offset);
  }

  get acked(): number {
    return this.#acked;
  }

  /** @param floor what was acknowledged when the question was put */
  fetched(offset: number, floor: number): void {
    expect(offset, "G4: never below the last acknowledged commit").toBeGreaterThanOrEqual(floor);
    if (offset > this.#acked) {
      expect(this.#open.has(offset), "G4: what is above it was sent by somebody").toBe(true);
      this.#acked = offset; // it was read: it must stay
    }
  }
}

async function run(commands: readonly Command[]): Promise<Oracle> {
  const sim = await GroupSim.started({ "group.initial.rebalance.delay.ms": 100 });
  const oracle = new Oracle();
  const consumers = [0, 1, 2, 3].map((i) => new Consumer(sim, i === 3 ? { instanceId: "static" } : {}));
  const asked: Promise<unknown>[] = [];
  const broken: unknown[] = [];
  let offsets = 0;
  let plans = 0;
  const later = <T>(promise: Promise<T>, then: (value: T) => void) => asked.push(promise.then(then).catch((error: unknown) => void broken.push(error)));

  const join = (consumer: Consumer) => {
    const memberId = consumer.memberId;
    const copy = new Consumer(sim, consumer.options);
    later(copy.joinOnce(memberId), (answer: Joined) => {
      if (consumer.memberId === memberId) consumer.take(answer); // an answer to an older question is not heard
      const error = named(answer);
      if ((error === "MEMBER_ID_REQUIRED" || error === "UNKNOWN_MEMBER_ID" || error === "FENCED_INSTANCE_ID") && consumer.instanceId !== null && error !== "MEMBER_ID_REQUIRED") consumer.memberId = "";
    });
  };
  const sync = (consumer: Consumer) => {
    const { generation, memberId } = consumer;
    const plan = consumer.leader ? Object.fromEntries(consumer.members.map((id) => [id, `p${++plans}`])) : {};
    for (const text of Object.values(plan)) oracle.plan(generation, text);
    later(consumer.sync(plan), (answer: Synced) => {
      if (named(answer) === "NONE") oracle.synced(generation, memberId, consumers.indexOf(consumer), Buffer.from(answer.assignment ?? []).toString());
    });
  };
  const commit = (consumer: Consumer) => {
    const offset = ++offsets;
    const sent = { reign: oracle.reign };
    oracle.invoked(offset);
    later(consumer.commit(offset), (error) => oracle.committed(offset, error, sent));
  };

  for (const one of commands) {
    switch (one.do) {
      case "join":
        join(consumers[one.who] as Consumer);
        break;
      case "sync":
        sync(consumers[one.who] as Consumer);
        break;
      case "heartbeat":
        later((consumers[one.who] as Consumer).heartbeat(), () => undefined);
        break;
      case "commit":
        commit(consumers[one.who] as Consumer);
        break;
      case "leave":
        later((consumers[one.who] as Consumer).leave(), () => undefined);
        break;
      case "restart":
        (consumers[one.who] as Consumer).memberId = "";
        break;
      case "advance":
        await sim.clock.advance(one.ms);
        break;
      case "fetch": {
        const floor = oracle.acked;
        const seen = await fetchOffset(sim, "g");
        if (typeof seen === "number") oracle.fetched(seen, floor);
        break;
      }
      case "stall":
        sim.partition.auto = false;
        break;
      case "flow":
        sim.partition.auto = true;
        sim.partition.commit();
        break;
      case "refuse":
        sim.partition.refuse = "NOT_ENOUGH_REPLICAS";
        break;
      case "accept":
        sim.partition.refuse = null;
        break;
      case "crash":
        await sim.clock.settle();
        oracle.reign++;
        sim.partition.auto = true;
        await sim.failover(sim.partition.highWatermark + one.keep);
        break;
    }
  }
  sim.partition.auto = true;
  sim.partition.refuse = null;
  sim.partition.commit();
  await sim.clock.advance(400_000); // every wait has an end
  expect(await sim.now(Promise.all(asked).then(() => "answered")), "every request has an answer").toBe("answered");
  if (broken.length > 0) throw broken[0];
  checkLog(sim);
  oracle.reign++;
  const before = await picture(sim);
  await sim.failover(0);
  expect(await picture(sim), "what is read from the log is what was in memory").toEqual(before);
  expect(sim.halts).toEqual([]);
  expect(sim.groups.inspect()[0]?.waiters ?? 0).toBe(0);
  const last = await fetchOffset(sim, "g");
  if (typeof last === "number") oracle.fetched(last, oracle.acked);
  return oracle;
}

/** What a group is to the world, at rest. */
async function picture(sim: GroupSim): Promise<unknown> {
  const described = await sim.now(sim.groups.describeGroups({ groups: ["g"], includeAuthorizedOperations: false }, { version: 5, clientId: "", clientHost: "" }));
  return [described === "waits" ? described : described.groups?.[0], await fetchOffset(sim, "g")];
}

/** Generations in the log rise; each record can be read. */
function checkLog(sim: GroupSim): void {
  let generation = 0;
  for (const batch of sim.partition.batches) {
    for (const record of readRecords(batch.bytes)) {
      const read = decodeRecord(record.key ?? Buffer.alloc(0), record.value);
      if (read.kind !== "group" || read.value === null) continue;
      expect(read.value.generation, "G2 in the log").toBeGreaterThanOrEqual(generation);
      generation = read.value.generation;
    }
  }
}

/** Commands that lead somewhere: between them everybody's next step, so that rebalances complete often. */
const story = fc.array(fc.oneof({ weight: 3, arbitrary: fc.array(command, { minLength: 1, maxLength: 4 }) }, { weight: 2, arbitrary: fc.constant(round()) }), { minLength: 3, maxLength: 25 }).map((parts) => parts.flat());

function round(): Command[] {
  const all = [0, 1, 2, 3];
  const each = (what: "join" | "sync" | "commit") => all.map((i): Command => ({ do: what, who: i }));
  return [...each("join"), { do: "advance", ms: 0 }, ...each("join"), { do: "advance", ms: 500 }, ...each("sync"), { do: "advance", ms: 10 }, ...each("sync"), { do: "advance", ms: 10 }, ...each("commit"), { do: "fetch" }];
}

test("under crashes, stalls and refusals clients are told nothing that must be taken back", { timeout: 60_000 }, async () => {
  let acks = 0;
  let assignments = 0;
  await fc.assert(
    fc.asyncProperty(story, async (commands) => {
      const oracle = await run(commands);
      acks += oracle.acks;
      assignments += oracle.assignments;
    }),
    { numRuns: Number(process.env["KONTIKI_RUNS"] ?? 100), interruptAfterTimeLimit: 45_000, markInterruptAsFailure: false, seed: Number(process.env["KONTIKI_SEED"] ?? 20261125) },
  );
  expect(acks, "the runs got somewhere").toBeGreaterThan(100);
  expect(assignments, "the runs got somewhere").toBeGreaterThan(100);
});

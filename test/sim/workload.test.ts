import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildBatch } from "../../src/records/builder.js";
import { FOREIGN, valueOf } from "../../src/sim/oracle/history.js";
import type { Plan } from "../../src/sim/plan.js";
import { runPlan } from "../../src/sim/run-plan.js";
import { assigned, assignment, deal } from "../../src/sim/workload/consumer-protocol.js";
import { readAll } from "../../src/sim/workload/fetcher.js";
import { payload, valueIn } from "../../src/sim/workload/payload.js";
import { startWorkload, type Workload } from "../../src/sim/workload/workload.js";

test("a payload tells its value, and any flipped bit in it", () => {
  const value = valueOf(17, 123_456);
  const bytes = payload(value, 40);
  expect(bytes.length).toBe(40);
  expect(valueIn(bytes)).toBe(value);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(valueIn(flipped)).toBe(FOREIGN);
  }
  expect(valueIn(bytes.subarray(0, 15))).toBe(FOREIGN);
  expect(valueIn(null)).toBe(FOREIGN);
});

test("an answer is read from where it was asked for, up to the batch that is cut off", () => {
  const batch = (baseOffset: number, count: number) => buildBatch(Array.from({ length: count }, (_, i) => ({ key: null, value: payload(valueOf(1, baseOffset + i), 20), timestamp: 1 })), { baseOffset, leaderEpoch: 4, codec: "gzip" });
  const bytes = Buffer.concat([batch(10, 3), batch(13, 2), batch(15, 2).subarray(0, 70)]);
  expect(readAll(bytes, 11)).toEqual({ offsets: [11, 12, 13, 14], values: [11, 12, 13, 14].map((at) => valueOf(1, at)), last: 14, batchEpoch: 4, damage: null });
  const damaged = Uint8Array.from(bytes);
  damaged[80] = (damaged[80] ?? 0) ^ 1;
  expect(readAll(damaged, 11).damage).toContain("checksum");
});

test("every partition is dealt to one member, and an assignment reads back", () => {
  const shares = deal(["a", "b", "c"], [{ topic: "t", partitions: 7 }, { topic: "u", partitions: 2 }]);
  const all = [...shares.values()].flat();
  expect(all.length).toBe(9);
  expect(new Set(all.map(({ topic, index }) => `${topic}-${index}`)).size).toBe(9);
  const [share = []] = shares.values();
  expect(assigned(assignment(share))).toEqual(share);
  expect(assigned(new Uint8Array(0))).toEqual([]);
});

/** Every kind of client, at a pace that keeps the test short. */
function plan(seed: string, change: Partial<Plan> = {}): Plan {
  const producer = { kind: "producer", topic: "t", codec: "none", recordsPerBatch: 3, recordBytes: 60, everyMs: 150, inFlight: 5, requestTimeoutMs: 3_000 } as const;
  return {
    version: 1,
    seed,
    nodes: 3,
    phases: { faultsMs: 14_000, coreMs: 0, healedMs: 40_000 },
    core: [1, 2, 3],
    settings: { "offsets.topic.num.partitions": "2", "group.initial.rebalance.delay.ms": "100" },
    topics: [{ name: "t", partitions: 3, replicas: 3, configs: {} }],
    clients: [
      { ...producer, name: "p1", acks: -1, idempotent: true },
      { ...producer, name: "p2", acks: -1, idempotent: false, codec: "gzip", inFlight: 2 },
      { ...producer, name: "p3", acks: 1, idempotent: false, codec: "lz4" },
      { ...producer, name: "p4", acks: 0, idempotent: false, codec: "snappy" },
      { kind: "reader", name: "r1", topic: "t", maxWaitMs: 100, isolation: "read-uncommitted" },
      { kind: "group", name: "g", group: "group", topics: ["t"], members: 3, static: false, sessionMs: 6_000, commitEveryMs: 400, churn: 0.1 },
      { kind: "admin", name: "a", everyMs: 300 },
    ],
    faults: [],
    ...change,
  };
}

const kills: Plan["faults"] = [5_000, 8_000, 11_000].map((atMs, i) => ({ kind: "kill", atMs, forMs: 1_500, nodes: [i + 1], with: {} }));

async function run(one: Plan) {
  const workloads: Workload[] = [];
  const result = await runPlan(one, { workload: (given) => (workloads[0] = startWorkload(given)), invariants: () => [] });
  const [workload] = workloads;
  if (workload === undefined) throw new Error("the run has no workload");
  const { history } = workload.oracle;
  const count = (f: string, type?: string) => history.entries.filter((entry) => entry.f === f && (type === undefined || ("type" in entry && entry.type === type))).length;
  return { result, workload, history, count };
}

test("without faults every kind of client does its work, nothing is lost and nothing is amiss", async () => {
  const { result, count, history } = await run(plan("workload 1"));
  expect(result.violations).toEqual([]);
  for (const acknowledged of Object.values(result.acknowledged)) expect(acknowledged).toBeGreaterThan(200);
  expect(result.requests.failed + result.requests.unknown).toBeLessThan(result.requests.ok / 20);
  expect(count("assigned")).toBeGreaterThan(2);
  expect(count("commit", "ok")).toBeGreaterThan(20);
  expect(count("committed")).toBeGreaterThan(3);
  expect(count("admin", "ok")).toBeGreaterThan(5);
  expect(count("final-log")).toBeGreaterThanOrEqual(3);
  expect(history.entries.at(-1)?.f).toBe("over");
});

test("with nodes killed one after another much is unknown, and still nothing is amiss", async () => {
  const { result, count } = await run(plan("workload 2", { faults: kills }));
  expect(result.violations).toEqual([]);
  expect(result.bites["kill"] ?? 0).toBeGreaterThanOrEqual(2);
  expect(result.acknowledged.all).toBeGreaterThan(200);
  expect(count("write", "info")).toBeGreaterThan(0);
  expect(count("over")).toBe(1);
});

test("one plan gives one history", async () => {
  const one = plan("workload 3", { phases: { faultsMs: 8_000, coreMs: 0, healedMs: 40_000 }, faults: [{ kind: "kill", atMs: 5_000, forMs: 1_500, nodes: [2], with: {} }] });
  const [a, b] = [await run(one), await run(one)];
  expect([...b.history.lines()]).toEqual([...a.history.lines()]);
  expect(b.result.traceHash).toBe(a.result.traceHash);
});

test("a node that was down while a topic was made anew under its old name comes back", async () => {
  const kept = JSON.parse(readFileSync(join(__dirname, "plans/topic-made-anew-while-down.json"), "utf8")) as Plan;
  const { result } = await run(kept);
  expect(result.violations).toEqual([]);
});

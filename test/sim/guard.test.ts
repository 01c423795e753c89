/** While a simulation runs, nobody reaches the real world. */
import { expect, test } from "vitest";
import { raiseGuard, RealWorldTouched } from "../../src/sim/outside.js";
import { Simulation } from "../../src/sim/simulation.js";

const crypto = process.getBuiltinModule("node:crypto");
const timers = process.getBuiltinModule("node:timers");

const REACHES: readonly (readonly [string, () => unknown])[] = [
  ["Date.now", () => Date.now()],
  ["new Date()", () => new Date()],
  ["Date()", () => Date()],
  ["setTimeout", () => setTimeout(() => undefined, 1)],
  ["setInterval", () => setInterval(() => undefined, 1)],
  ["setImmediate", () => setImmediate(() => undefined)],
  ["timers.setTimeout", () => timers.setTimeout(() => undefined, 1)],
  ["performance.now", () => performance.now()],
  ["Math.random", () => Math.random()],
  ["crypto.randomBytes", () => crypto.randomBytes(4)],
  ["crypto.randomUUID", () => crypto.randomUUID()],
  ["globalThis.crypto.getRandomValues", () => globalThis.crypto.getRandomValues(new Uint8Array(1))],
  ["globalThis.crypto.randomUUID", () => globalThis.crypto.randomUUID()],
  ["process.nextTick", () => process.nextTick(() => undefined)],
  ["process.hrtime", () => process.hrtime()],
  ["process.hrtime.bigint", () => process.hrtime.bigint()],
];

test("the globals throw while a simulation runs, in an event and in the promises after it, and are themselves again afterwards", async () => {
  const before = [Date, Date.now, setTimeout, setImmediate, Math.random, process.nextTick, Object.getOwnPropertyDescriptor(performance, "now"), Buffer.allocUnsafe];
  const sim = new Simulation({ seed: 1 });
  const world = sim.machine("n1").start().world({ role: "broker" });
  const caught = new Map<string, unknown>();
  world.clock.after(1, () => {
    for (const [name, reach] of REACHES) {
      try {
        caught.set(name, reach());
      } catch (error) {
        caught.set(name, error);
      }
    }
  });
  let after: unknown = null;
  const chain = async () => {
    await world.clock.sleep(2);
    await Promise.resolve();
    try {
      Math.random();
    } catch (error) {
      after = error;
    }
  };
  void chain();
  await sim.run(10);
  for (const [name] of REACHES) expect(caught.get(name), name).toBeInstanceOf(RealWorldTouched);
  expect(after).toBeInstanceOf(RealWorldTouched);
  expect([Date, Date.now, setTimeout, setImmediate, Math.random, process.nextTick, Object.getOwnPropertyDescriptor(performance, "now"), Buffer.allocUnsafe]).toEqual(before);
  expect(Date.now()).toBeGreaterThan(0);
  expect(new Date().getTime()).toBeGreaterThan(0);
});

test("what only computes is let through, and fresh memory looks the same each time", () => {
  const lift = raiseGuard();
  try {
    expect(new Date(5).toISOString()).toBe("1970-01-01T00:00:00.005Z");
    expect(new Date(5)).toBeInstanceOf(Date);
    expect(Date.UTC(2020, 0)).toBe(1577836800000);
    expect(Math.max(1, 2)).toBe(2);
    expect(crypto.createHash("sha256").update("x").digest("hex")).toHaveLength(64);
    expect(new Set(Buffer.allocUnsafe(500))).toEqual(new Set([0xa7]));
  } finally {
    lift();
  }
});

test("a package is kept out as well", async () => {
  const { Kafka } = await import("kafkajs");
  const sim = new Simulation({ seed: 1 });
  let failed: unknown = null;
  sim.at(1, () => {
    new Kafka({ brokers: ["localhost:1"], logLevel: 0, retry: { retries: 0 } }).producer().connect().catch((error: unknown) => (failed = error));
  });
  await sim.run(10);
  expect(String(failed)).toContain("was used while a simulation runs");
});

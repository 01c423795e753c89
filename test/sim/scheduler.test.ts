/** Virtual time: order, busy and frozen threads, drift and jumps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Seeded } from "../../src/sim/seeded.js";
import { Simulation } from "../../src/sim/simulation.js";

function one(seed = 1) {
  const sim = new Simulation({ seed });
  const machine = sim.machine("n1");
  const process = machine.start();
  return { sim, machine, process, world: process.world({ role: "broker" }) };
}

describe("threads", () => {
  test("a busy thread makes its events wait, in their order, and nobody else's", async () => {
    const { sim, machine, process, world } = one();
    const controller = process.world({ role: "controller" });
    const seen: string[] = [];
    const at = () => Math.round(sim.nowMs);
    for (const ms of [10, 20, 30, 2000]) world.clock.after(ms, () => seen.push(`broker ${ms} at ${at()}`));
    controller.clock.after(20, () => seen.push(`controller 20 at ${at()}`));
    sim.at(15, () => machine.busy(1000, "broker"));
    await sim.run(3000);
    expect(seen).toEqual(["broker 10 at 10", "controller 20 at 20", "broker 20 at 1015", "broker 30 at 1015", "broker 2000 at 2000"]);
  });

  test("what is due at the moment at which a thread is free comes after what has waited for it", async () => {
    const { sim, machine, world } = one();
    const { thread } = world.life;
    const seen: number[] = [];
    for (const ms of [1015, 30, 20]) sim.scheduler.at(ms, thread, () => seen.push(ms));
    sim.at(15, () => machine.busy(1000));
    await sim.run(2000);
    expect(seen).toEqual([20, 30, 1015]);
  });

  test("within a handler that takes its time the clock goes on, and what it plans comes after", async () => {
    const { sim, machine, world } = one();
    machine.disk.fault({ callMs: 500 });
    const file = world.disk.open("f", { create: true });
    const seen: number[] = [];
    world.clock.after(1000, () => {
      const before = world.clock.nowMs();
      file.writeAt(0, [new Uint8Array(10)]);
      const took = world.clock.nowMs() - before;
      expect(took).toBeGreaterThan(100);
      world.clock.after(5, () => seen.push(sim.nowMs - 1000 - took));
    });
    await sim.run(60_000);
    expect(seen[0]).toBeGreaterThanOrEqual(5);
    expect(sim.bites.get("call-slow")).toBeGreaterThan(0);
  });

  test("a frozen machine does nothing, and then what it missed, late and in order", async () => {
    const { sim, machine, world } = one();
    const seen: string[] = [];
    for (const ms of [10, 20, 5000]) world.clock.after(ms, () => seen.push(`${ms} at ${Math.round(sim.nowMs)}`));
    sim.at(5, () => machine.freeze());
    sim.at(1000, () => machine.resume());
    await sim.run(900);
    expect(seen).toEqual([]);
    await sim.run(6000);
    expect(seen).toEqual(["10 at 1000", "20 at 1000", "5000 at 5000"]);
  });

  test("a process that is killed while it stands still has a successor that runs", async () => {
    const { sim, machine } = one();
    machine.freeze();
    machine.crash();
    const next = machine.start().world({ role: "broker" });
    let fired = false;
    next.clock.after(10, () => (fired = true));
    await sim.run(100);
    expect(fired).toBe(true);
  });

  test("a rejection that nobody owns ends the node in whose event it came, and no other", async () => {
    const { sim, process, world } = one();
    const other = sim.machine("n2").start().world({ role: "broker" });
    const seen: unknown[] = [];
    const listeners = globalThis.process.listeners("unhandledRejection"); // vitest's own would fail this file
    globalThis.process.removeAllListeners("unhandledRejection");
    try {
      world.clock.after(5, () => void Promise.reject(new Error("nobody's")));
      world.clock.after(50, () => seen.push("too late"));
      await sim.run(100);
    } finally {
      for (const listener of listeners) globalThis.process.on("unhandledRejection", listener);
    }
    expect([world.halted, process.ended, other.halted, seen]).toEqual([true, true, false, []]);
    expect(sim.halts[0]).toMatchObject({ machine: "n1", role: "broker", reason: "a fault that belongs to nobody" });
  });
});

describe("clocks", () => {
  test("no timer is early by its own clock, whatever the drift and whenever it changes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ delayMs: fc.double({ min: 0, max: 5000, noNaN: true }), atMs: fc.nat(5000) }), { maxLength: 20 }), fc.array(fc.record({ rate: fc.double({ min: 0.9, max: 1.1, noNaN: true }), atMs: fc.nat(8000) }), { maxLength: 5 }), async (timers, drifts) => {
        const { sim, machine, world } = one();
        let fired = 0;
        let lastDeadlineMs = 0;
        for (const { delayMs, atMs } of timers) {
          sim.at(atMs, () => {
            const deadlineMs = world.clock.nowMs() + delayMs;
            world.clock.after(delayMs, () => {
              fired++;
              const nowMs = world.clock.nowMs();
              expect(nowMs).toBeGreaterThanOrEqual(deadlineMs);
              expect(nowMs - deadlineMs).toBeLessThan(0.001);
              expect(deadlineMs).toBeGreaterThanOrEqual(lastDeadlineMs - 0.001);
              lastDeadlineMs = deadlineMs;
            });
          });
        }
        for (const { rate, atMs } of drifts) sim.at(atMs, () => machine.drift(rate));
        await sim.run(20_000);
        expect(sim.halts.map((halt) => halt.cause)).toEqual([]);
        expect(fired).toBe(timers.length);
        expect(world.inspect().timers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("wall time jumps without monotonic time, and drifts with it", async () => {
    const { sim, machine, world } = one();
    const [wallMs, nowMs] = [world.clock.wallMs(), world.clock.nowMs()];
    machine.jumpWall(-3_600_000);
    expect([world.clock.wallMs() - wallMs, world.clock.nowMs() - nowMs]).toEqual([-3_600_000, 0]);
    machine.jumpWall(3_600_000);
    machine.drift(1.05);
    expect(Math.abs(world.clock.wallMs() - wallMs)).toBeLessThanOrEqual(1);
    await sim.run(10_000);
    expect(world.clock.nowMs() - nowMs).toBeCloseTo(10_500, 3);
    expect(Math.abs(world.clock.wallMs() - wallMs - 10_500)).toBeLessThanOrEqual(1);
  });
});

describe("runs", () => {
  test("a run ends at its time, at its condition, or fails at its cap of events", async () => {
    const { sim, world } = one();
    let count = 0;
    const again = () => {
      count++;
      world.clock.after(1, again);
    };
    again();
    expect(await sim.run(100)).toBe("time");
    expect([count, sim.nowMs]).toEqual([101, 100]);
    expect(await sim.run(1000, { stopWhen: () => count === 150 })).toBe("stopped");
    expect(count).toBe(150);
    await expect(sim.run(1e9, { maxEvents: 500 })).rejects.toThrow("cap of 500 events");
  });

  test("what is asked after each event sees all that the event caused, and may end the run", async () => {
    const { sim, world } = one();
    let settled = 0;
    let begun = 0;
    for (let i = 0; i < 20; i++) {
      world.clock.after(i, () => {
        begun++;
        const chain = async () => {
          for (let hop = 0; hop < 50; hop++) await Promise.resolve();
          settled++;
        };
        void chain();
      });
    }
    sim.afterEvent = () => {
      expect(settled).toBe(begun);
      if (settled === 15) throw new Error("an invariant");
    };
    await expect(sim.run(100)).rejects.toThrow("an invariant");
    expect(begun).toBe(15);
  });
});

describe("draws", () => {
  test("a fork depends on its name and the seed, and on nothing that was drawn", () => {
    const [a, b] = [Seeded.from(5), Seeded.from(5)];
    for (let i = 0; i < 10; i++) a.next();
    a.fork("other").next();
    const draws = (seeded: Seeded) => Array.from({ length: 8 }, () => seeded.next());
    expect(draws(a.fork("x"))).toEqual(draws(b.fork("x")));
    expect(draws(b.fork("x"))).not.toEqual(draws(b.fork("y")));
    expect(draws(Seeded.from(5))).not.toEqual(draws(Seeded.from(6)));
    expect(draws(b.fork("x").fork("y"))).not.toEqual(draws(b.fork("y").fork("x")));
  });

  test("draws spread evenly, and latencies lie around what is usual", () => {
    const seeded = Seeded.from("spread");
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const at = seeded.below(16);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    const latencies = Array.from({ length: 10_000 }, () => seeded.around(1)).sort((a, b) => a - b);
    expect(latencies[5000]).toBeGreaterThan(0.5);
    expect(latencies[5000]).toBeLessThan(1.5);
    expect(latencies.at(-1)).toBeLessThanOrEqual(20);
    expect(latencies.at(-100)).toBeGreaterThan(2);
  });
});

/** What crashes leave on a simulated disk, and its faults. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeFileAtomically } from "../../src/world/atomic-file.js";
import { DiskFault } from "../../src/world/disk.js";
import { Simulation } from "../../src/sim/simulation.js";
import type { SimWorld } from "../../src/sim/world.js";
import type { NameOrder } from "../../src/sim/file-tree.js";

const PAGE = 4096;
const SECTOR = 512;

function made(seed: number, names: NameOrder = "any") {
  const sim = new Simulation({ seed, guarded: false });
  const machine = sim.machine("n1", { disk: { names } });
  const start = (): SimWorld => machine.start().world({ role: "broker" });
  return { sim, machine, start };
}

const filled = (bytes: number, value: number) => new Uint8Array(bytes).fill(value);

async function faultOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => null, (error: unknown) => (error instanceof DiskFault ? error.code : error));
}

describe("a loss of power", () => {
  const act = fc.oneof(
    fc.record({ kind: fc.constant("write" as const), position: fc.nat(5 * PAGE), length: fc.integer({ min: 1, max: 3 * PAGE }) }),
    fc.record({ kind: fc.constant("truncate" as const), bytes: fc.nat(6 * PAGE) }),
    fc.record({ kind: fc.constant("sync" as const) }),
    fc.record({ kind: fc.constant("write while it syncs" as const), position: fc.nat(5 * PAGE), length: fc.integer({ min: 1, max: PAGE }) }),
  );

  test("keeps what was synced; of each page written since, the old, the new, or a beginning of the new up to a sector", async () => {
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.array(act, { minLength: 1, maxLength: 14 }), async (seed, acts) => {
        const { sim, machine, start } = made(seed);
        const world = start();
        const file = world.disk.open("f", { create: true });
        let versions: Uint8Array[] = [new Uint8Array(0)]; // contents since the last sync, that one first
        let value = 0;
        await sim.drive(async () => {
          await world.disk.syncDirectory(".");
          for (const one of acts) {
            if (one.kind === "sync") {
              await file.sync();
              versions = [versions.at(-1) ?? new Uint8Array(0)];
              continue;
            }
            if (one.kind === "write while it syncs") {
              const syncing = file.sync();
              versions = [versions.at(-1) ?? new Uint8Array(0)];
              file.writeAt(one.position, [filled(one.length, ++value)]);
              await syncing;
            } else if (one.kind === "write") file.writeAt(one.position, [filled(one.length, ++value)]);
            else file.truncate(one.bytes);
            versions.push(machine.disk.cached("/data/f") ?? new Uint8Array(0));
          }
        });
        machine.powerLoss();
        const left = machine.disk.durable("/data/f");
        expect(left).not.toBeNull();
        if (left === null) return;
        expect(Buffer.compare(machine.disk.cached("/data/f") ?? Buffer.alloc(0), left)).toBe(0);
        const [old, newest] = [versions[0] ?? new Uint8Array(0), versions.at(-1) ?? new Uint8Array(0)];
        expect(left.length).toBeGreaterThanOrEqual(Math.min(...[old, newest].map((one) => one.length)));
        expect(left.length).toBeLessThanOrEqual(Math.max(...[old, newest].map((one) => one.length)));
        for (let from = 0; from < left.length; from += PAGE) {
          const page = left.subarray(from, from + PAGE);
          const pageOf = (bytes: Uint8Array) => Buffer.concat([bytes.subarray(from, from + page.length), Buffer.alloc(PAGE)]).subarray(0, page.length); // beyond the end: zeros
          const [was, is] = [pageOf(old), pageOf(newest)];
          const cuts = Array.from({ length: PAGE / SECTOR + 1 }, (_, i) => i * SECTOR);
          const cut = cuts.findLast((at) => Buffer.concat([is.subarray(0, at), was.subarray(at)]).equals(page));
          expect(cut, `page at ${from}`).toBeDefined();
          ends.add(is.equals(page) ? "new" : was.equals(page) ? "old" : "torn");
        }
        sim.end();
      }),
      { numRuns: 300 },
    );
    expect([...ends].sort()).toEqual(["new", "old", "torn"]);
  });

  test.each(["any", "journal"] as const)("keeps names that were synced, and a renaming whole or not at all (%s)", async (names) => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { sim, machine, start } = made(seed, names);
      const world = start();
      await sim.drive(async () => {
        const { disk } = world;
        for (const name of ["kept", "from", "removed"]) {
          const file = disk.open(name, { create: true });
          file.writeAt(0, [filled(3, 1)]);
          await file.sync();
        }
        await disk.syncDirectory(".");
        disk.open("created", { create: true });
        await disk.rename("from", "to");
        await disk.unlink("removed");
      });
      machine.powerLoss();
      const left = machine.disk.durablePaths().map((path) => path.slice(6));
      expect(left).toContain("kept");
      expect(left.includes("from")).toBe(!left.includes("to"));
      seen.add(left.filter((name) => name !== "kept").join(","));
      const world2 = start();
      await sim.drive(async () => {
        expect((await world2.disk.list(".")).map((entry) => entry.name)).toEqual(left);
        expect(await world2.disk.readFile(left.includes("to") ? "to" : "from")).toEqual(filled(3, 1));
      });
      sim.end();
    }
    // A journal loses the newest; without one, any of the three may be lost: created, renamed, removed.
    expect(seen.size).toBe(names === "journal" ? 4 : 8);
  });

  test("an atomic replacement leaves the old content or the new, at whichever call of it power fails or the process is killed", async () => {
    const seen = new Set<string>();
    for (const how of ["power", "kill"] as const) {
      for (let calls = 1; calls <= 16; calls++) {
        for (let seed = 0; seed < 6; seed++) {
          const { sim, machine, start } = made(seed * 1000 + calls, seed % 2 === 0 ? "any" : "journal");
          const world = start();
          let promised = false;
          const state = (value: number) => filled(6000, value);
          await sim.drive(() => writeFileAtomically(world.disk, "state", state(1)));
          machine.crashAfter(calls, world, how);
          sim.at(sim.nowMs, () => void writeFileAtomically(world.disk, "state", state(2)).then(() => (promised = true), () => undefined));
          await sim.run(sim.nowMs + 1000);
          machine.powerLoss(); // also after a kill: what was promised must be there without the page cache
          const left = machine.disk.durable("/data/state");
          expect([state(1), state(2)].some((one) => Buffer.compare(one, left ?? new Uint8Array(0)) === 0)).toBe(true);
          if (promised) expect(left?.[0]).toBe(2);
          seen.add(`${how} ${promised ? "after" : "before"} ${left?.[0] ?? 0}`);
          sim.end();
        }
      }
    }
    expect([...seen].sort()).toEqual(["kill after 2", "kill before 1", "kill before 2", "power after 2", "power before 1", "power before 2"]);
  });

  test("changes the boot id, which a kill does not", async () => {
    const { sim, machine, start } = made(1);
    const id = () => {
      const world = start();
      return sim.drive(() => world.disk.bootId());
    };
    const first = await id();
    machine.crash();
    expect(await id()).toBe(first);
    machine.powerLoss();
    expect(await id()).not.toBe(first);
  });
});

describe("a kill", () => {
  test("keeps the page cache, and of the write that it interrupts any beginning", async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const { sim, machine, start } = made(seed);
      const world = start();
      const file = world.disk.open("f", { create: true });
      file.writeAt(0, [filled(10, 1)]);
      machine.crashAfter(1, world);
      expect(() => file.writeAt(10, [filled(5, 2), filled(5, 3)])).toThrow("halted");
      expect(world.halted).toBe(true);
      const left = machine.disk.cached("/data/f") ?? new Uint8Array(0);
      expect(left.slice(0, 10)).toEqual(filled(10, 1));
      lengths.add(left.length);
      const again = start();
      expect(await sim.drive(() => again.disk.readFile("f"))).toEqual(left);
      sim.end();
    }
    expect(lengths.size).toBeGreaterThan(5);
  });

  test("strikes at each call in turn, at both ends of an awaited one", async () => {
    const reached: string[] = [];
    for (let calls = 1; calls <= 6; calls++) {
      const { sim, machine, start } = made(1);
      const world = start();
      const file = world.disk.open("f", { create: true });
      const steps: string[] = [];
      machine.crashAfter(calls, world);
      sim.at(0, () => {
        const work = async () => {
          file.writeAt(0, [filled(1, 1)]);
          steps.push("written");
          await file.sync();
          steps.push("synced");
          await world.clock.sleep(1);
          steps.push("slept");
        };
        work().catch(() => steps.push("thrown"));
      });
      await sim.run(100);
      reached.push(steps.join());
      sim.end();
    }
    expect(reached).toEqual(["thrown", "written", "written", "written,synced", "written,synced", "written,synced,slept"]);
  });
});

describe("faults of a disk", () => {
  test("a failed sync forgets its pages while later ones say ok: the cache has them, the disk never will", async () => {
    const { sim, machine, start } = made(1);
    const world = start();
    await sim.drive(async () => {
      const file = world.disk.open("f", { create: true });
      await world.disk.syncDirectory(".");
      file.writeAt(0, [filled(PAGE, 1)]);
      machine.disk.fault({ syncs: "fail-once" });
      expect(await faultOf(file.sync())).toBe("failed");
      file.writeAt(PAGE, [filled(10, 2)]);
      await file.sync();
      expect(file.readAt(0, new Uint8Array(PAGE))).toBe(PAGE);
    });
    const left = machine.disk.durable("/data/f");
    expect([left?.length, left?.[0], left?.[PAGE]]).toEqual([PAGE + 10, 0, 2]);
    expect(machine.disk.cached("/data/f")?.[0]).toBe(1);
    expect(sim.bites.get("sync-failed")).toBe(1);
  });

  test("a lying disk says ok and has nothing without power", async () => {
    const { sim, machine, start } = made(1);
    const world = start();
    await sim.drive(async () => {
      const file = world.disk.open("f", { create: true });
      await world.disk.syncDirectory(".");
      machine.disk.fault({ syncs: "lie" });
      file.writeAt(0, [filled(100, 1)]);
      await file.sync();
    });
    machine.powerLoss();
    expect(machine.disk.durable("/data/f")?.some((byte) => byte !== 0)).toBe(false);
    expect(sim.bites.get("sync-lied")).toBe(1);
  });

  test("a full disk takes no more bytes, and what lies there can still be overwritten and removed", async () => {
    const { sim, start, machine } = made(1);
    const small = sim.machine("n2", { disk: { capacityBytes: 10_000 } });
    const world = small.start().world({ role: "broker" });
    await sim.drive(async () => {
      const file = world.disk.open("f", { create: true });
      file.writeAt(0, [filled(9_000, 1)]);
      expect(() => file.writeAt(9_000, [filled(2_000, 1)])).toThrow("full");
      file.writeAt(8_000, [filled(1_000, 2)]);
      expect(await world.disk.freeBytes(".")).toBe(1_000);
      file.truncate(1_000);
      expect(await world.disk.freeBytes(".")).toBe(9_000);
      file.close();
      await world.disk.unlink("f");
      expect(await world.disk.freeBytes(".")).toBe(10_000);
    });
    const other = start();
    machine.disk.fault({ full: true });
    expect(() => other.disk.open("f", { create: true })).toThrow("full");
    expect(sim.bites.get("disk-full")).toBe(2);
  });

  test("a stalled disk answers when it is well again, and its node lives meanwhile", async () => {
    const { sim, machine, start } = made(1);
    const world = start();
    const file = world.disk.open("f", { create: true });
    machine.disk.fault({ stalled: true });
    let syncedMs = 0;
    let ticks = 0;
    sim.at(0, () => void file.sync().then(() => (syncedMs = sim.nowMs)));
    for (let ms = 0; ms < 5_000; ms += 100) world.clock.after(ms, () => ticks++);
    sim.at(4_000, () => machine.disk.fault({ stalled: false }));
    await sim.run(3_000);
    expect([syncedMs, ticks > 25, world.inspect().pending]).toEqual([0, true, 1]);
    await sim.run(6_000);
    expect(syncedMs).toBeGreaterThan(4_000);
    expect(world.inspect().pending).toBe(0);
  });

  test("writes and reads fail, bits flip, a wiped disk is empty", async () => {
    const { sim, machine, start } = made(1);
    const world = start();
    await sim.drive(async () => {
      const file = world.disk.open("f", { create: true });
      file.writeAt(0, [filled(100, 0)]);
      await file.sync();
      await world.disk.syncDirectory(".");
      machine.disk.fault({ writes: "fail", reads: "fail" });
      expect(() => file.writeAt(0, [filled(1, 1)])).toThrow("failed");
      expect(await faultOf(file.read(0, new Uint8Array(10)))).toBe("failed");
      expect(await faultOf(world.disk.unlink("f"))).toBe("failed");
      machine.disk.fault({ writes: "ok", reads: "ok" });
      expect(machine.disk.flipBit("/data/f", 7, 3)).toBe(true);
      const into = new Uint8Array(100);
      await file.read(0, into);
      expect([into[6], into[7]]).toEqual([0, 8]);
    });
    expect(machine.disk.flipBit("/data/f", 100, 0)).toBe(false);
    machine.crash();
    machine.disk.wipe();
    expect([machine.disk.durablePaths(), machine.disk.cached("/data/f")]).toEqual([[], null]);
  });
});

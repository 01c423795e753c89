import { expect, test } from "vitest";
import { PoolGate, type PoolWork } from "../../src/host/thread-pool.js";

/** Runs this many of each kind through a gate and tells the most that ran at once. */
async function most(threads: number, work: readonly PoolWork[]): Promise<{ readonly syncs: number; readonly all: number; readonly done: number }> {
  const gate = new PoolGate(threads);
  const running = { sync: 0, other: 0 };
  let [syncs, all, done] = [0, 0, 0];
  await Promise.all(
    work.map((kind, i) =>
      gate.run(kind, async () => {
        running[kind]++;
        syncs = Math.max(syncs, running.sync);
        all = Math.max(all, running.sync + running.other);
        for (let turn = 0; turn < i % 4; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
        running[kind]--;
        done++;
        if (i % 5 === 0) throw new Error("work may fail");
      }).catch(() => undefined),
    ),
  );
  return { syncs, all, done };
}

test.each([
  [1, 1, 1],
  [4, 1, 2],
  [6, 2, 4],
  [16, 12, 14],
])("with %i threads at most %i syncs and %i pieces of data work run at once, and all of it runs", async (threads, syncs, all) => {
  const work = Array.from({ length: 200 }, (_, i): PoolWork => (i % 3 === 0 ? "other" : "sync"));
  expect(await most(threads, work)).toEqual({ syncs, all, done: 200 });
  expect(await most(threads, work.map(() => "sync"))).toEqual({ syncs, all: syncs, done: 200 });
});

test("syncs begin in the order in which they were asked for", async () => {
  const gate = new PoolGate(4);
  const order: number[] = [];
  await Promise.all(Array.from({ length: 20 }, (_, i) => gate.run("sync", () => Promise.resolve(void order.push(i)))));
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

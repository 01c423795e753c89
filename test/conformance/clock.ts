import { describe, expect, test } from "vitest";
import { Halted } from "../../src/world/world.js";
import { expectNeverSettled, later, type MakeMaking, within } from "./making.js";

export function describeClock(name: string, make: MakeMaking): void {
  describe(`Clock: ${name}`, () => {
    test("timers fire in order of deadline, then of creation, and never early", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        const delays = [7, 0, 3.5, 3.25, 3, 3, 12, 0.5, 0, 7];
        const fired: { readonly at: number; readonly i: number }[] = [];
        const startMs = clock.nowMs();
        const latest = later();
        delays.forEach((delayMs, i) => clock.after(delayMs, () => {
          fired.push({ at: clock.nowMs(), i });
          if (fired.length === delays.length) latest.resolve();
        }));
        // Creation takes time of its own, so that only clearly different delays are sure to be ordered by deadline.
        await latest.promise;
        for (const { at, i } of fired) expect(at - startMs).toBeGreaterThanOrEqual(delays[i] ?? 0);
        const order = fired.map(({ i }) => i);
        expect(order.indexOf(4)).toBeLessThan(order.indexOf(5)); // equal delays: by creation
        expect(order.indexOf(1)).toBeLessThan(order.indexOf(8));
        expect(order.indexOf(0)).toBeLessThan(order.indexOf(9));
        expect(order.at(-1)).toBe(6);
      }));

    test("a timer that is late to be created but due earlier fires first", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        const order: string[] = [];
        const done = later();
        clock.after(30, () => {
          order.push("long");
          done.resolve();
        });
        clock.after(2, () => order.push("short"));
        await done.promise;
        expect(order).toEqual(["short", "long"]);
      }));

    test("what one timer resolves comes before the next timer that is due", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        const order: string[] = [];
        const done = later();
        clock.after(1, () => {
          order.push("first");
          const chain = async () => {
            for (let i = 0; i < 5; i++) await Promise.resolve();
            order.push("its chain");
          };
          void chain();
        });
        clock.after(1, () => {
          order.push("second");
          done.resolve();
        });
        await done.promise;
        expect(order).toEqual(["first", "its chain", "second"]);
      }));

    test("a cancelled timer does not fire, even when it is due together with the one that cancels it", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        const fired: number[] = [];
        const timers = Array.from({ length: 5000 }, (_, i) => clock.after(i % 3, () => fired.push(i)));
        const extra = clock.after(4, () => fired.push(-2));
        clock.after(4, () => extra.cancel()); // too late: it fired just before
        const victim = { cancel: () => undefined as void };
        clock.after(4, () => victim.cancel());
        victim.cancel = clock.after(4, () => fired.push(-1)).cancel;
        timers.forEach((timer, i) => {
          if (i % 100 !== 0) timer.cancel();
        });
        await clock.sleep(10);
        timers[0]?.cancel(); // no effect once fired
        expect(fired.sort((a, b) => a - b)).toEqual([-2, ...Array.from({ length: 50 }, (_, i) => i * 100)]);
      }));

    test("soon runs after the event and its promises, in order of calls", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        const order: string[] = [];
        const done = later();
        clock.soon(() => order.push("soon 1"));
        clock.soon(() => {
          order.push("soon 2");
          clock.soon(() => {
            order.push("soon of soon");
            done.resolve();
          });
        });
        void Promise.resolve().then(() => order.push("promise"));
        order.push("event");
        await done.promise;
        expect(order).toEqual(["event", "promise", "soon 1", "soon 2", "soon of soon"]);
      }));

    test("yield gives timers their turn", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        let fired = false;
        clock.after(2, () => (fired = true));
        let turns = 0;
        while (!fired && turns < 10_000_000) {
          turns++;
          await clock.yield();
        }
        expect(fired).toBe(true);
      }));

    test("time goes forward in fractions, and wall time is whole milliseconds of our era", () =>
      within(make, async (making) => {
        const { clock } = await making.world();
        const before = clock.nowMs();
        await clock.sleep(3);
        expect(clock.nowMs() - before).toBeGreaterThanOrEqual(3);
        expect(Number.isInteger(clock.wallMs())).toBe(true);
        expect(clock.wallMs()).toBeGreaterThan(Date.UTC(2020, 0));
      }));

    test("after halt no timer fires, nothing awaited settles, and synchronous calls throw", () =>
      within(make, async (making) => {
        const [dead, living] = [await making.world(), await making.world()];
        let fired = 0;
        for (const delayMs of [0, 1, 5, 20]) dead.clock.after(delayMs, () => fired++);
        dead.clock.soon(() => fired++);
        const awaited = [dead.clock.sleep(1), dead.clock.yield()];
        dead.halt("test");
        awaited.push(dead.clock.sleep(0), dead.clock.yield());
        await expectNeverSettled(living, awaited);
        expect(fired).toBe(0);
        expect(() => dead.clock.nowMs()).toThrow(Halted);
        expect(() => dead.clock.wallMs()).toThrow(Halted);
        expect(() => dead.clock.after(1, () => undefined)).toThrow(Halted);
        expect(() => dead.clock.soon(() => undefined)).toThrow(Halted);
      }));

    test("what a callback throws halts its own World and no other", () =>
      within(make, async (making) => {
        const [dead, living] = [await making.world(), await making.world()];
        dead.clock.after(1, () => {
          throw new Error("a bug");
        });
        await living.clock.sleep(30);
        expect([dead.halted, living.halted]).toEqual([true, false]);
      }));

    test("an owned promise that is rejected halts, one that is fulfilled does not", () =>
      within(make, async (making) => {
        const [dead, living] = [await making.world(), await making.world()];
        dead.own(Promise.reject(new Error("nobody waited")), "work");
        living.own(Promise.resolve(), "work");
        await living.clock.sleep(1);
        expect([dead.halted, living.halted]).toEqual([true, false]);
      }));
  });
}

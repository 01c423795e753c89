import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "../world/clock.js";
import type { Life } from "./life.js";

export function makeClock(life: Life): Clock {
  let soon: (() => void)[] = [];
  let planned = false;
  const runSoon = () => {
    planned = false;
    const batch = soon;
    soon = [];
    for (const fn of batch) life.run(fn);
  };
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    after(delayMs: number, fn: () => void): Timer {
      life.check();
      const handle = setTimeout(() => {
        forget();
        life.run(fn);
      }, Math.max(0, Math.min(delayMs, 0x7fffffff)));
      const cancel = () => clearTimeout(handle);
      const forget = life.keep(cancel);
      return {
        cancel() {
          forget();
          cancel();
        },
      };
    },
    sleep(delayMs: number): Promise<void> {
      return new Promise((resolve) => this.after(delayMs, resolve));
    },
    soon(fn: () => void): void {
      life.check();
      soon.push(fn);
      if (planned) return;
      planned = true;
      setImmediate(runSoon);
    },
    yield: () => life.living(new Promise<void>((resolve) => setImmediate(resolve))),
  };
}

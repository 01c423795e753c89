/** Something that callers wait for: all are woken when it happens, and look again whether it is what they need. Nobody polls. */
import type { World } from "../world/world.js";

export class News {
  #waiting: (() => void)[] = [];

  constructor(readonly world: World) {}

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when it happens next, or after `deadlineMs`. */
  wait(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        resolve();
      };
      const timer = this.world.clock.after(deadlineMs, () => {
        this.#waiting = this.#waiting.filter((one) => one !== wake);
        resolve();
      });
      this.#waiting.push(wake);
    });
  }

  happened(): void {
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
  }
}

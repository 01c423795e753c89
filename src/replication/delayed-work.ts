/** Work that is done a while after it was asked for. Its timer stands only while somebody has asked: what is at rest costs nothing. */
import type { Timer } from "../world/clock.js";
import type { World } from "../world/world.js";

export class DelayedWork {
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  /** Asked for while it was being done: it is done once more. */
  #again = false;
  #closed = false;

  constructor(readonly world: World, readonly what: string, readonly delayMs: () => number, readonly work: () => Promise<void>) {}

  /** Cheap when it has been asked for already. */
  ask(): void {
    if (this.#timer !== null || this.#again || this.#closed) return;
    if (this.#running === null) this.#timer = this.world.clock.after(this.delayMs(), () => this.#begin());
    else this.#again = true;
  }

  /** Resolves when none of it is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #begin(): void {
    this.#timer = null;
    this.#running = this.work().then(() => {
      this.#running = null;
      const again = this.#again;
      this.#again = false;
      if (again) this.ask();
    });
    this.world.own(this.#running, this.what);
  }
}

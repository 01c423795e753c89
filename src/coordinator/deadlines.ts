/** Many deadlines, one timer: set for the earliest, on a heap. Nothing is cancelled; whoever is woken looks whether it still matters. */
import { Heap } from "../base/heap.js";
import type { Clock, Timer } from "../world/clock.js";

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly ring: () => void;
}

export class Deadlines {
  readonly #heap = new Heap<Entry>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order));
  #order = 0;
  #timer: { readonly atMs: number; readonly timer: Timer } | null = null;
  #closed = false;

  constructor(readonly clock: Clock) {}

  get count(): number {
    return this.#heap.size;
  }

  at(atMs: number, ring: () => void): void {
    if (this.#closed || atMs === Infinity) return;
    this.#heap.push({ atMs, order: this.#order++, ring });
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#timer = null;
  }

  #arm(): void {
    const next = this.#heap.peek();
    if (next === undefined || this.#closed) return;
    if (this.#timer !== null) {
      if (this.#timer.atMs <= next.atMs) return;
      this.#timer.timer.cancel();
    }
    const timer = this.clock.after(Math.max(0, next.atMs - this.clock.nowMs()), () => this.#ring());
    this.#timer = { atMs: next.atMs, timer };
  }

  #ring(): void {
    this.#timer = null;
    const nowMs = this.clock.nowMs();
    for (let next = this.#heap.peek(); next !== undefined && next.atMs <= nowMs && !this.#closed; next = this.#heap.peek()) {
      this.#heap.pop();
      next.ring();
    }
    this.#arm();
  }
}

/**
 * Time on Node. All timers of a World stand in one heap behind a single Node timer: Node keeps a list for each duration and drops
 * fractions, so on its own it neither fires in order of deadline nor keeps "not before".
 */
import { performance } from "node:perf_hooks";
import { Heap } from "../base/heap.js";
import type { Clock, Timer } from "../world/clock.js";
import { type Life, never } from "./life.js";

const LONGEST_WAIT_MS = 0x7fffffff; // setTimeout takes no more; a longer timer is looked at again then
const SWEEP_FROM = 1024; // cancelled timers are kept in the heap until they are this many and half of it

interface Planned {
  readonly deadlineMs: number;
  readonly order: number;
  /** Null once cancelled or fired. */
  fn: (() => void) | null;
}

export class HostClock implements Clock {
  readonly #life: Life;
  #timers = new Heap<Planned>(isBefore);
  #created = 0;
  #cancelled = 0;
  #armed: NodeJS.Timeout | null = null;
  #armedForMs = Infinity;
  #firing = false;

  constructor(life: Life) {
    this.#life = life;
    life.keep(() => this.#end());
  }

  nowMs(): number {
    this.#life.check();
    return performance.now();
  }

  wallMs(): number {
    this.#life.check();
    return Date.now();
  }

  after(delayMs: number, fn: () => void): Timer {
    this.#life.check();
    const planned: Planned = { deadlineMs: performance.now() + Math.max(0, delayMs), order: this.#created++, fn };
    this.#timers.push(planned);
    this.#arm();
    return { cancel: () => this.#cancel(planned) };
  }

  sleep(delayMs: number): Promise<void> {
    if (this.#life.halted) return never();
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** setImmediate runs after the sockets that are ready in this turn of the loop, so what they caused leaves together. */
  soon(fn: () => void): void {
    this.#life.check();
    setImmediate(() => this.#life.run(fn));
  }

  yield(): Promise<void> {
    if (this.#life.halted) return never();
    return new Promise((resolve) => setImmediate(() => this.#life.run(resolve)));
  }

  #arm(): void {
    const next = this.#timers.peek();
    if (this.#firing || next === undefined || next.deadlineMs >= this.#armedForMs) return;
    if (this.#armed !== null) clearTimeout(this.#armed);
    this.#armedForMs = next.deadlineMs;
    const waitMs = Math.ceil(next.deadlineMs - performance.now());
    this.#armed = setTimeout(() => this.#fire(), Math.max(1, Math.min(waitMs, LONGEST_WAIT_MS)));
  }

  /** Runs one due timer; the next one gets a turn of its own, so that what the first one resolved comes before it. */
  #fire(): void {
    this.#armed = null;
    this.#armedForMs = Infinity;
    this.#firing = false;
    if (this.#life.halted) return;
    const due = this.#nextDue();
    if (due !== null) this.#life.run(due);
    if (this.#life.halted) return;
    this.#dropCancelledHead();
    const next = this.#timers.peek();
    if (next === undefined) return;
    if (next.deadlineMs > performance.now()) return this.#arm();
    this.#firing = true; // no Node timer while an immediate is on its way
    if (this.#armed !== null) clearTimeout(this.#armed);
    setImmediate(() => this.#fire());
  }

  #nextDue(): (() => void) | null {
    this.#dropCancelledHead();
    const next = this.#timers.peek();
    if (next === undefined || next.deadlineMs > performance.now()) return null;
    this.#timers.pop();
    const fn = next.fn;
    next.fn = null;
    return fn;
  }

  #dropCancelledHead(): void {
    while (this.#timers.peek()?.fn === null) {
      this.#timers.pop();
      this.#cancelled--;
    }
  }

  #cancel(planned: Planned): void {
    if (planned.fn === null) return;
    planned.fn = null;
    this.#cancelled++;
    if (this.#cancelled < SWEEP_FROM || this.#cancelled * 2 < this.#timers.size) return;
    const kept = new Heap<Planned>(isBefore);
    for (let one = this.#timers.pop(); one !== undefined; one = this.#timers.pop()) if (one.fn !== null) kept.push(one);
    this.#timers = kept;
    this.#cancelled = 0;
  }

  #end(): void {
    if (this.#armed !== null) clearTimeout(this.#armed);
    this.#timers = new Heap<Planned>(isBefore);
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.deadlineMs < b.deadlineMs || (a.deadlineMs === b.deadlineMs && a.order < b.order);
}

/** Clocks. A machine has one that drifts and jumps; a World reads it and sets timers on it, through the thread that it runs on. */
import type { Clock, Timer } from "../world/clock.js";
import type { Life } from "./life.js";
import { type Scheduler, SimEvent } from "./scheduler.js";

const ERA_MS = Date.UTC(2026, 0, 1); // when every simulation begins
const YIELD_MS = 0.01; // what the others' turn takes at least, so that who yields in a loop gets older
const NANOSECOND_MS = 1e-6;

/** The oscillator and the wall clock of one machine. */
export class MachineClock {
  readonly #scheduler: Scheduler;
  #rate = 1;
  #sinceMs: number; // true time at which the rate last changed
  #baseMs: number; // monotonic time then
  #wallAheadMs = 0;

  constructor(scheduler: Scheduler, options: { readonly baseMs: number; readonly wallAheadMs: number }) {
    this.#scheduler = scheduler;
    this.#sinceMs = scheduler.nowMs;
    this.#baseMs = options.baseMs;
    this.#wallAheadMs = options.wallAheadMs;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Monotonic time at a true time. */
  monotonicMs(trueMs: number): number {
    return this.#baseMs + (trueMs - this.#sinceMs) * this.#rate;
  }

  wallMs(trueMs: number): number {
    return Math.floor(ERA_MS + this.#baseWallMs(trueMs));
  }

  /** The first true time at which the monotonic clock shows at least `monotonicMs`. */
  trueMs(monotonicMs: number): number {
    let at = this.#sinceMs + (monotonicMs - this.#baseMs) / this.#rate;
    while (this.monotonicMs(at) < monotonicMs) at += NANOSECOND_MS; // rounding must not make a timer early
    return at;
  }

  /** From now on it runs faster or slower than true time. Timers that wait are moved with it. */
  drift(rate: number, owns: (event: SimEvent) => boolean): void {
    const nowMs = this.#scheduler.nowMs;
    this.#wallAheadMs += nowMs * (this.#rate - rate);
    this.#baseMs = this.monotonicMs(nowMs);
    this.#sinceMs = nowMs;
    this.#rate = rate;
    this.#scheduler.replan((event) => {
      if (event.deadlineMs !== null && owns(event)) event.atMs = Math.max(nowMs, this.trueMs(event.deadlineMs));
      return event;
    });
  }

  /** Wall time jumps; monotonic time does not. */
  jump(byMs: number): void {
    this.#wallAheadMs += byMs;
  }

  #baseWallMs(trueMs: number): number {
    return trueMs * this.#rate + this.#wallAheadMs;
  }
}

export class SimClock implements Clock {
  /** Timers set and neither fired nor cancelled. */
  open = 0;
  readonly #life: Life;
  readonly #machine: MachineClock;
  readonly #scheduler: Scheduler;

  constructor(life: Life, machine: MachineClock, scheduler: Scheduler) {
    this.#life = life;
    this.#machine = machine;
    this.#scheduler = scheduler;
  }

  nowMs(): number {
    this.#life.alive();
    return this.#machine.monotonicMs(this.#life.thread.nowMs);
  }

  wallMs(): number {
    this.#life.alive();
    return this.#machine.wallMs(this.#life.thread.nowMs);
  }

  after(delayMs: number, fn: () => void): Timer {
    this.#life.check();
    return this.#after(delayMs, fn);
  }

  sleep(delayMs: number): Promise<void> {
    return this.#life.awaited<void>((resolve) => void this.#after(delayMs, resolve));
  }

  soon(fn: () => void): void {
    this.#life.check();
    this.#scheduler.at(this.#life.thread.nowMs, this.#life.thread, () => this.#life.run(fn));
  }

  yield(): Promise<void> {
    const { thread } = this.#life;
    return this.#life.awaited<void>((resolve) => void this.#scheduler.at(thread.nowMs + YIELD_MS, thread, () => this.#life.run(resolve)));
  }

  #after(delayMs: number, fn: () => void): Timer {
    const { thread } = this.#life;
    const deadlineMs = this.#machine.monotonicMs(thread.nowMs) + Math.max(0, delayMs);
    const fire = () => {
      this.open--;
      this.#life.run(fn);
    };
    const event = this.#scheduler.at(this.#machine.trueMs(deadlineMs), thread, fire, deadlineMs);
    this.open++;
    return {
      cancel: () => {
        if (event.fn !== null) this.open--;
        this.#scheduler.cancel(event);
      },
    };
  }
}

/**
 * Virtual time: one queue of events, ordered by time and then by the order in which they were planned.
 *
 * An event belongs to a thread of a node, or to the simulation itself. A thread that is busy, because a handler or a slow call took its time, or
 * that is frozen, makes its events wait; they run in their order when it is free. So what is late makes everything behind it late.
 */
import { assert } from "../base/assert.js";
import { Heap } from "../base/heap.js";
import type { Observer } from "./observer.js";
import type { Trace } from "./trace.js";

const SWEEP_FROM = 1024; // cancelled events stay in the queue until they are this many and half of it

export class SimEvent {
  constructor(
    /** Moved only when its machine's clock changes its rate. */
    public atMs: number,
    readonly order: number,
    readonly thread: Thread | null,
    /** Null once run or cancelled. */
    public fn: (() => void) | null,
    /** For timers: the deadline by the machine's own clock. */
    readonly deadlineMs: number | null = null,
  ) {}
}

export class Scheduler {
  nowMs = 0;
  /** Events run. */
  count = 0;
  /** The thread whose event runs now. */
  current: Thread | null = null;
  readonly trace: Trace;
  /** Told what reaches disks and wires; null: nobody watches. */
  observer: Observer | null = null;
  #queue = new Heap<SimEvent>(isBefore);
  #soon: SimEvent[] = []; // of this very moment, in order
  #soonHead = 0;
  #orders = 0;
  #cancelled = 0;
  #threads = 0;

  constructor(trace: Trace) {
    this.trace = trace;
  }

  thread(name: string): Thread {
    return new Thread(this, ++this.#threads, name);
  }

  /** @param atMs true virtual time; a past one is now */
  at(atMs: number, thread: Thread | null, fn: () => void, deadlineMs: number | null = null): SimEvent {
    assert(atMs < Infinity, "an event has a time");
    const event = new SimEvent(Math.max(atMs, this.nowMs), this.#orders++, thread, fn, deadlineMs);
    if (event.atMs === this.nowMs) this.#soon.push(event);
    else this.#queue.push(event);
    return event;
  }

  cancel(event: SimEvent): void {
    if (event.fn === null) return;
    event.fn = null;
    this.#cancelled++;
    if (this.#cancelled >= SWEEP_FROM && this.#cancelled * 2 >= this.#queue.size) this.replan((one) => one);
  }

  /** Puts each event that has not run yet into the queue anew, as `change` says: the same one, another, or none. */
  replan(change: (event: SimEvent) => SimEvent | null): void {
    const queue = new Heap<SimEvent>(isBefore);
    for (let one = this.#queue.pop(); one !== undefined; one = this.#queue.pop()) {
      if (one.fn === null) continue;
      const kept = change(one);
      if (kept !== null) queue.push(kept);
    }
    this.#queue = queue;
    this.#cancelled = 0;
  }

  /** Events that wait for their time, cancelled ones that are still there included. */
  get planned(): number {
    return this.#queue.size;
  }

  /** When the next event is due; Infinity if there is none. */
  nextMs(): number {
    this.#dropCancelled();
    if (this.#soonHead < this.#soon.length) return this.nowMs;
    return this.#queue.peek()?.atMs ?? Infinity;
  }

  /** Runs the next event that is due by `untilMs` on a free thread; false if there is none, and then it is `untilMs`. */
  runNext(untilMs: number): boolean {
    for (;;) {
      const event = this.#take(untilMs);
      if (event === null) {
        if (untilMs !== Infinity) this.nowMs = Math.max(this.nowMs, untilMs);
        return false;
      }
      const { thread } = event;
      if (thread !== null && !thread.admits(event)) continue;
      const fn = event.fn;
      if (fn === null) continue;
      event.fn = null;
      this.#run(thread, fn);
      return true;
    }
  }

  #run(thread: Thread | null, fn: () => void): void {
    this.count++;
    this.trace.note("event", thread?.id ?? 0, this.nowMs, 0);
    this.current = thread;
    if (thread !== null) thread.events++;
    fn(); // `current` stays until the next event: the promises that this one settles run after it
  }

  #take(untilMs: number): SimEvent | null {
    this.#dropCancelled();
    const soon = this.#soon[this.#soonHead];
    const queued = this.#queue.peek();
    if (soon !== undefined && (queued === undefined || soon.atMs < queued.atMs || (soon.atMs === queued.atMs && soon.order < queued.order))) {
      if (++this.#soonHead === this.#soon.length || this.#soonHead > 1024) {
        this.#soon.splice(0, this.#soonHead);
        this.#soonHead = 0;
      }
      return soon;
    }
    if (queued === undefined || queued.atMs > untilMs) return null;
    this.#queue.pop();
    this.nowMs = queued.atMs;
    return queued;
  }

  #dropCancelled(): void {
    while (this.#soonHead < this.#soon.length && this.#soon[this.#soonHead]?.fn === null) {
      this.#cancelled--;
      if (++this.#soonHead === this.#soon.length) {
        this.#soon.length = 0;
        this.#soonHead = 0;
      }
    }
    while (this.#queue.peek()?.fn === null) {
      this.#queue.pop();
      this.#cancelled--;
    }
  }
}

/** One thread of one process: it does one thing at a time, and what comes meanwhile waits in order. */
export class Thread {
  readonly id: number;
  readonly name: string;
  events = 0;
  #scheduler: Scheduler;
  #busyUntilMs = 0;
  #frozenSinceMs: number | null = null;
  #dead = false;
  #waiting: SimEvent[] = [];
  #wake: SimEvent | null = null;

  constructor(scheduler: Scheduler, id: number, name: string) {
    this.#scheduler = scheduler;
    this.id = id;
    this.name = name;
  }

  /** What time it is for the code that runs here: later than true time within a handler that took its time. */
  get nowMs(): number {
    return Math.max(this.#scheduler.nowMs, this.#busyUntilMs);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** True time at which it was frozen; null if it runs. */
  get frozenSinceMs(): number | null {
    return this.#frozenSinceMs;
  }

  /** It is occupied for so long from now on, or from when it is free: a slow handler, a slow synchronous call. */
  spend(ms: number): void {
    this.#busyUntilMs = this.nowMs + ms;
    if (this.#waiting.length > 0) this.#arm();
  }

  freeze(): void {
    this.#frozenSinceMs ??= this.#scheduler.nowMs;
    if (this.#wake !== null) this.#scheduler.cancel(this.#wake);
    this.#wake = null;
  }

  resume(): void {
    if (this.#frozenSinceMs === null) return;
    this.#frozenSinceMs = null;
    if (this.#waiting.length > 0) this.#arm();
  }

  /** Its events do not run any more. */
  end(): void {
    this.#dead = true;
    this.#waiting = [];
    if (this.#wake !== null) this.#scheduler.cancel(this.#wake);
  }

  /** For the scheduler: whether the event may run now. If not, it is kept here or, once dead, dropped. */
  admits(event: SimEvent): boolean {
    if (this.#dead) return false;
    if (this.#frozenSinceMs === null && this.#waiting.length === 0 && this.#busyUntilMs <= this.#scheduler.nowMs) return true;
    this.#waiting.push(event);
    if (this.#frozenSinceMs === null) this.#arm();
    return false;
  }

  #arm(): void {
    if (this.#wake !== null || this.#frozenSinceMs !== null) return;
    this.#wake = this.#scheduler.at(this.#busyUntilMs, null, () => this.#runWaiting());
  }

  #runWaiting(): void {
    this.#wake = null;
    if (this.#frozenSinceMs !== null || this.#dead) return;
    if (this.#busyUntilMs > this.#scheduler.nowMs) return this.#arm();
    let event = this.#waiting.shift();
    while (event !== undefined && event.fn === null) event = this.#waiting.shift(); // cancelled while it waited
    const fn = event?.fn ?? null;
    if (event === undefined || fn === null) return;
    event.fn = null;
    if (this.#waiting.length > 0) this.#arm(); // ahead of what the event plans
    this.#scheduler.current = this;
    this.events++;
    fn();
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

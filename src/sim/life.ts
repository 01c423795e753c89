/**
 * The life of one simulated World: the flag that every part asks before it acts and every callback passes through. Here calls are counted as
 * well, so that a fault can strike at the Nth of them: before a synchronous one, or where an awaited one begins or settles.
 */
import { Halted } from "../world/world.js";
import type { Thread } from "./scheduler.js";

export interface Halt {
  readonly reason: string;
  /** A fault or a broken invariant; undefined for a clean stop and for a crash that was dealt. */
  readonly cause: unknown;
}

export class Life {
  /** Synchronous calls, and beginnings and ends of awaited ones. */
  calls = 0;
  /** Awaited calls under way. */
  pending = 0;
  readonly thread: Thread;
  #halted = false;
  #crashAt = Infinity;
  #crash: () => void = () => undefined;
  readonly #closers = new Set<() => void>();
  readonly #onHalt: (halt: Halt) => void;

  constructor(thread: Thread, onHalt: (halt: Halt) => void) {
    this.thread = thread;
    this.#onHalt = onHalt;
  }

  get halted(): boolean {
    return this.#halted;
  }

  /** Deals `crash` at the `count`th call from now. It must halt this life. */
  crashAfter(count: number, crash: () => void): void {
    this.#crashAt = this.calls + count;
    this.#crash = crash;
  }

  /** For calls that have no effect outside: they only refuse when it is dead. */
  alive(): void {
    if (this.#halted) throw new Halted("this node has halted");
  }

  /** Before each synchronous act on the world. A crash that is due strikes here. */
  check(): void {
    if (this.#halted) throw new Halted("this node has halted");
    if (++this.calls >= this.#crashAt) {
      this.strike();
      this.alive();
    }
  }

  /** True if the crash is due at this very call, which may then do a part of its work before it calls `strike`. */
  dueAtThisCall(): boolean {
    return this.calls + 1 >= this.#crashAt;
  }

  strike(): void {
    this.#crashAt = Infinity;
    this.#crash();
  }

  /** An awaited call. What it settles passes on only while alive; `begin` is not run by the dead. */
  awaited<T>(begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> {
    if (this.#halted) return never();
    if (++this.calls >= this.#crashAt) {
      this.strike();
      if (this.#halted) return never();
    }
    return new Promise<T>((resolve, reject) => {
      this.pending++;
      const settle = <V>(pass: (value: V) => void) => (value: V) => {
        if (this.#halted) return;
        this.pending--;
        if (++this.calls >= this.#crashAt) {
          this.strike();
          if (this.#halted) return;
        }
        pass(value);
      };
      begin(settle(resolve), settle(reject));
    });
  }

  /** Something to be ended at halt; returns how to forget it. */
  keep(close: () => void): () => void {
    this.#closers.add(close);
    return () => this.#closers.delete(close);
  }

  /** Runs a callback only while alive; what it throws halts this World and no other. */
  run(fn: () => void): void {
    if (this.#halted) return;
    try {
      fn();
    } catch (error) {
      if (!(this.#halted && error instanceof Halted)) this.halt("a callback failed", error);
    }
  }

  halt(reason: string, cause?: unknown): void {
    if (this.#halted) return;
    this.#halted = true;
    this.pending = 0;
    this.thread.end();
    const closers = [...this.#closers];
    this.#closers.clear();
    for (const close of closers) close();
    this.#onHalt({ reason, cause });
  }
}

export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

/**
 * The life of one World: the one flag that every part asks before it acts and every callback passes through, so that after `halt`
 * nothing reaches disk, network or timers, and what was awaited never settles.
 */
import { Halted } from "../world/world.js";

export class Life {
  #halted = false;
  readonly #closers = new Set<() => void>();
  readonly #onHalt: (reason: string, cause: unknown) => void;

  constructor(onHalt: (reason: string, cause: unknown) => void) {
    this.#onHalt = onHalt;
  }

  get halted(): boolean {
    return this.#halted;
  }

  /** Called before each synchronous act. */
  check(): void {
    if (this.#halted) throw new Halted("this node has halted");
  }

  /** Something to be ended at halt; returns how to forget it. */
  keep(close: () => void): () => void {
    this.#closers.add(close);
    return () => this.#closers.delete(close);
  }

  /** Starts an awaited act and passes its result on, both only while alive. */
  living<T>(act: () => Promise<T>): Promise<T> {
    if (this.#halted) return never();
    return new Promise((resolve, reject) => {
      act().then(
        (value) => {
          if (!this.#halted) resolve(value);
        },
        (error: unknown) => {
          if (!this.#halted) reject(error);
        },
      );
    });
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
    for (const close of [...this.#closers]) {
      try {
        close();
      } catch {
        // It is being thrown away; the next one must be closed all the same.
      }
    }
    this.#closers.clear();
    this.#onHalt(reason, cause);
  }
}

export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

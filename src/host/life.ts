/** The life of one World. After halt nothing reaches disk, network or timers, and what was awaited never settles. */
import { Halted } from "../world/world.js";

export class Life {
  #halted = false;
  readonly #closers = new Set<() => void>();

  constructor(readonly onHalt: (reason: string, cause: unknown) => void) {}

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

  /** Passes a result on only while alive. */
  async living<T>(promise: Promise<T>): Promise<T> {
    try {
      const value = await promise;
      if (this.#halted) return await never();
      return value;
    } catch (error) {
      if (this.#halted) return await never();
      throw error;
    }
  }

  /** Runs a callback only while alive; what it throws halts. */
  run(fn: () => void): void {
    if (this.#halted) return;
    try {
      fn();
    } catch (error) {
      if (error instanceof Halted) return;
      this.halt("a callback failed", error);
    }
  }

  halt(reason: string, cause?: unknown): void {
    if (this.#halted) return;
    this.#halted = true;
    for (const close of [...this.#closers]) {
      try {
        close();
      } catch {
        // It is being thrown away anyway.
      }
    }
    this.#closers.clear();
    this.onHalt(reason, cause);
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

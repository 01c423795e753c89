/**
 * Before a broker that has not been heard by the controller within its lease reads out coordinator state, it asks: somebody else may lead by now
 * (design §8). Many readers share a question, but never one that was put before they came.
 */
import type { Coordination } from "../coordination/coordination.js";

export class LeaseGate {
  #asking: Promise<boolean> | null = null;
  #next: Promise<boolean> | null = null;

  constructor(readonly coordination: Coordination, readonly deadlineMs: number) {}

  /** Null: nothing to wait for. */
  check(): Promise<boolean> | null {
    if (this.coordination.leased) return null;
    if (this.#asking === null) return this.#ask();
    // The question under way may have been answered before this reader came: it shares the one after it.
    this.#next ??= this.#asking.then(() => {
      this.#next = null;
      return this.#ask();
    });
    return this.#next;
  }

  #ask(): Promise<boolean> {
    const asking = this.coordination.confirmLease(this.deadlineMs).finally(() => {
      if (this.#asking === asking) this.#asking = null;
    });
    this.#asking = asking;
    return asking;
  }
}

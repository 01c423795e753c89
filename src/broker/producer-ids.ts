/** Hands out producer ids from blocks that the controller gives to this broker alone. */
import type { Coordination } from "../coordination/coordination.js";
import type { ErrorName } from "../protocol/errors.js";

export type ProducerIdOutcome = { readonly ok: true; readonly id: bigint } | { readonly ok: false; readonly error: ErrorName };

export class ProducerIds {
  #next = 0n;
  #end = 0n;
  #refill: Promise<ErrorName | null> | null = null;

  constructor(readonly coordination: Coordination) {}

  /** Waits for the controller when the block is used up; many callers share one request. */
  async next(): Promise<ProducerIdOutcome> {
    while (this.#next === this.#end) {
      this.#refill ??= this.#fill();
      const error = await this.#refill;
      if (error !== null) return { ok: false, error };
    }
    const id = this.#next;
    this.#next += 1n;
    return { ok: true, id };
  }

  async #fill(): Promise<ErrorName | null> {
    const block = await this.coordination.allocateProducerIds();
    this.#refill = null;
    if (!block.ok) return block.error === "NOT_CONTROLLER" ? "COORDINATOR_NOT_AVAILABLE" : block.error;
    this.#next = block.first;
    this.#end = block.first + BigInt(block.count);
    return null;
  }
}

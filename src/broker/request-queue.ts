/**
 * The order of one connection, decided without I/O. Requests begin one at a time, as in Kafka, but the next may begin once the one before is
 * *admitted* (a Produce whose batches have their place in their logs), not only once it is answered. Answers leave in the order of requests.
 */
import { assert } from "../base/assert.js";

export interface Slot<Answer> {
  state: "running" | "admitted" | "answered";
  answer: Answer | null;
}

export class RequestQueue<Frame, Answer> {
  readonly #waiting: Frame[] = [];
  readonly #slots: Slot<Answer>[] = [];
  #waitingBytes = 0;

  constructor(readonly limits: { readonly slots: number; readonly waitingBytes: number }, readonly sizeOf: (frame: Frame) => number) {}

  push(frame: Frame): void {
    this.#waiting.push(frame);
    this.#waitingBytes += this.sizeOf(frame);
  }

  /** The next request to begin, if its turn has come. */
  take(): { readonly frame: Frame; readonly slot: Slot<Answer> } | null {
    const last = this.#slots.at(-1);
    if (this.#slots.length >= this.limits.slots || (last !== undefined && last.state === "running")) return null;
    const frame = this.#waiting.shift();
    if (frame === undefined) return null;
    this.#waitingBytes -= this.sizeOf(frame);
    const slot: Slot<Answer> = { state: "running", answer: null };
    this.#slots.push(slot);
    return { frame, slot };
  }

  admit(slot: Slot<Answer>): void {
    if (slot.state === "running") slot.state = "admitted";
  }

  answer(slot: Slot<Answer>, answer: Answer): void {
    assert(slot.state !== "answered", "a request is answered once");
    slot.state = "answered";
    slot.answer = answer;
  }

  /** Answers that may leave now, oldest first. */
  ready(): Answer[] {
    const out: Answer[] = [];
    for (let head = this.#slots[0]; head !== undefined && head.state === "answered"; head = this.#slots[0]) {
      if (head.answer !== null) out.push(head.answer);
      this.#slots.shift();
    }
    return out;
  }

  /** True while the sender should be held back. */
  get full(): boolean {
    return this.#waiting.length >= this.limits.slots || this.#waitingBytes >= this.limits.waitingBytes;
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#slots.length === 0;
  }

  /** Answers never sent, so that what they lend can be given back. */
  abandon(): Answer[] {
    const out: Answer[] = [];
    for (const slot of this.#slots) if (slot.answer !== null) out.push(slot.answer);
    this.#slots.length = 0;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    return out;
  }
}

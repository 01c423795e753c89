/** Those who wait for something to be committed and applied: reads, membership changes, and the end of our own leadership. */
import type { ChangeResult, ReadPoint } from "./quorum.js";
import type { Index, LogPoint, Term } from "./types.js";

/** Reads by the id that the core knows them by. Their number is bounded by the core, which fails those above its limit. */
export class PendingReads {
  readonly #waiting = new Map<number, (point: ReadPoint) => void>();
  #confirmed: { readonly id: number; readonly index: Index }[] = [];
  #next = 1;

  get size(): number {
    return this.#waiting.size;
  }

  add(resolve: (point: ReadPoint) => void): number {
    const id = this.#next++;
    this.#waiting.set(id, resolve);
    return id;
  }

  /** A quorum has confirmed the index; what is missing is our own state machine. */
  confirm(id: number, index: Index): void {
    this.#confirmed.push({ id, index });
  }

  fail(id: number): void {
    this.#settle(id, { ok: false });
  }

  reached(applied: Index): void {
    if (this.#confirmed.length === 0) return;
    const due = this.#confirmed.filter((read) => read.index <= applied);
    this.#confirmed = this.#confirmed.filter((read) => read.index > applied);
    for (const { id, index } of due) this.#settle(id, { ok: true, index });
  }

  failAll(): void {
    this.#confirmed = [];
    for (const id of [...this.#waiting.keys()]) this.fail(id);
  }

  #settle(id: number, point: ReadPoint): void {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.(point);
  }
}

/** Membership changes: one at a time by Raft's own rule, so few. */
export class PendingChanges {
  #waiting: { readonly index: Index; readonly term: Term; readonly resolve: (result: ChangeResult) => void }[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  add(index: Index, term: Term, resolve: (result: ChangeResult) => void): void {
    this.#waiting.push({ index, term, resolve });
  }

  /** An entry of another term at its index means that the change was dropped, or may have been. */
  reached(applied: LogPoint): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((one) => one.index <= applied.index);
    this.#waiting = this.#waiting.filter((one) => one.index > applied.index);
    for (const { index, term, resolve } of due) resolve(index === applied.index && term === applied.term ? { ok: true, index } : UNKNOWN);
  }

  /** Leadership was lost: nobody here will hear how it ended. */
  giveUp(): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of all) resolve(UNKNOWN);
  }
}

const UNKNOWN: ChangeResult = { ok: false, error: "unknown", message: "leadership was lost before the change was known to be committed" };

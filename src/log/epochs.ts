/**
 * Where each leader's reign begins in this log: the cache behind truncation by epoch (KIP-101, KIP-279). Epochs and starts rise
 * together. Kept in `leader-epoch-checkpoint` (text, version 0) and, for every reign with a batch, in the batches themselves.
 */
import { assert } from "../base/assert.js";

export interface EpochStart {
  readonly epoch: number;
  readonly start: number;
}

export class Epochs {
  #entries: EpochStart[];

  constructor(entries: readonly EpochStart[] = []) {
    this.#entries = [];
    for (const entry of entries) this.assign(entry.epoch, entry.start);
  }

  get entries(): readonly EpochStart[] {
    return this.#entries;
  }

  /** -1 for none. */
  get last(): number {
    return this.#entries.at(-1)?.epoch ?? -1;
  }

  /**
   * Notes that `epoch` begins at `start`. A reign that was noted at or above `start`, and so left no batch, makes room. A start can come
   * again for the newest epoch: nothing changes then. @returns true when the table changed
   */
  assign(epoch: number, start: number): boolean {
    assert(epoch >= 0 && start >= 0, "an epoch that begins somewhere is known");
    const last = this.#entries.at(-1);
    if (last !== undefined && epoch === last.epoch) {
      assert(start >= last.start, `epoch ${epoch} began at ${last.start} already, not at ${start}`);
      return false;
    }
    assert(last === undefined || epoch > last.epoch, `epoch ${epoch} does not come after ${last?.epoch ?? -1}`);
    while ((this.#entries.at(-1)?.start ?? -1) >= start) this.#entries.pop();
    this.#entries.push({ epoch, start });
    return true;
  }

  /** End of the largest epoch <= `epoch`; `logEnd` ends the newest. -1 and -1 where the log cannot tell. */
  endOf(epoch: number, logEnd: number): { readonly epoch: number; readonly end: number } {
    const last = this.#entries.at(-1);
    if (epoch < 0 || last === undefined) return { epoch: -1, end: -1 };
    if (epoch === last.epoch) return { epoch, end: logEnd };
    const higher = this.#entries.findIndex((entry) => entry.epoch > epoch);
    if (higher < 0) return { epoch: -1, end: -1 }; // from a future that this log has not seen
    const next = this.#entries[higher];
    assert(next !== undefined, "findIndex found it");
    const floor = this.#entries[higher - 1];
    return floor === undefined ? { epoch, end: next.start } : { epoch: floor.epoch, end: next.start };
  }

  epochAt(offset: number): number {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i];
      if (entry !== undefined && entry.start <= offset) return entry.epoch;
    }
    return -1;
  }

  /** Forgets reigns that begin at or above `end`, also those that hold no batch (KAFKA-10706). */
  truncateEnd(end: number): boolean {
    const before = this.#entries.length;
    while ((this.#entries.at(-1)?.start ?? -1) >= end) this.#entries.pop();
    return this.#entries.length !== before;
  }

  /** The reign that holds `start` begins there now; earlier ones go. */
  truncateStart(start: number): boolean {
    const holds = this.#entries.findLastIndex((entry) => entry.start <= start);
    const first = this.#entries[holds];
    if (first === undefined || (holds === 0 && first.start === start)) return false;
    this.#entries = [{ epoch: first.epoch, start }, ...this.#entries.slice(holds + 1)];
    return true;
  }

  clear(): void {
    this.#entries = [];
  }

  encode(): Buffer {
    return Buffer.from(`0\n${this.#entries.length}\n${this.#entries.map((entry) => `${entry.epoch} ${entry.start}\n`).join("")}`);
  }

  /** Null where the text is not a whole checkpoint of version 0. */
  static decode(bytes: Uint8Array): Epochs | null {
    const lines = Buffer.from(bytes).toString("utf8").split("\n");
    if (lines[0] !== "0" || !/^\d+$/.test(lines[1] ?? "")) return null;
    const count = Number(lines[1]);
    if (lines.length !== count + 3 || lines[count + 2] !== "") return null;
    const entries: EpochStart[] = [];
    for (const line of lines.slice(2, 2 + count)) {
      const match = /^(\d+) (\d+)$/.exec(line);
      if (match === null) return null;
      const entry = { epoch: Number(match[1]), start: Number(match[2]) };
      const last = entries.at(-1);
      if (last !== undefined && (entry.epoch <= last.epoch || entry.start <= last.start)) return null;
      entries.push(entry);
    }
    return new Epochs(entries);
  }
}

/**
 * What was accepted and is not written yet, in order. The lane decides what the next write holds: batches of one segment that follow each
 * other, at most WRITE_MAX_BYTES, so that one call stalls the loop for a millisecond at most (node-limits.md, consequence 5).
 */
import { assert } from "../base/assert.js";
import type { Segment } from "./segment.js";

export const WRITE_MAX_BYTES = 256 * 1024;

const COMPACT_FROM = 256; // items taken before the list is moved up

export interface LaneBatch {
  readonly kind: "batch";
  readonly segment: Segment;
  readonly position: number;
  readonly bytes: Uint8Array;
  /** Offset after the batch. */
  readonly next: number;
}

/** The segment before `segment` is complete. It is synced before the new one's first write, so that only the newest can be torn. */
export interface LaneRoll {
  readonly kind: "roll";
  readonly sealed: Segment;
  readonly segment: Segment;
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

export interface LaneWrite {
  readonly segment: Segment;
  readonly position: number;
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  /** Offset after the last batch that is complete with this write; null when the write ends inside the first. */
  readonly next: number | null;
  /** End of that batch in the file. */
  readonly end: number;
}

export class Lane {
  #items: (LaneBatch | LaneRoll)[] = [];
  #head = 0;
  /** Bytes of the first batch that earlier writes took. */
  #done = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(item: LaneBatch | LaneRoll): void {
    this.#items.push(item);
    if (item.kind === "batch") this.#bytes += item.bytes.length;
  }

  /** The roll that comes next, if one does. */
  get roll(): LaneRoll | null {
    const item = this.#items[this.#head];
    return item?.kind === "roll" ? item : null;
  }

  takeRoll(): LaneRoll {
    const roll = this.roll;
    assert(roll !== null, "a roll comes next");
    this.#advance();
    return roll;
  }

  /** Takes the next write out of the lane, at most `room` bytes. Null where nothing, or a roll, comes next. */
  takeWrite(room: number): LaneWrite | null {
    const first = this.#items[this.#head];
    if (first?.kind !== "batch" || room <= 0) return null;
    const position = first.position + this.#done;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    let next: number | null = null;
    let end = position;
    for (;;) {
      const item = this.#items[this.#head];
      if (item?.kind !== "batch" || item.segment !== first.segment || bytes >= room) break;
      const rest = item.bytes.length - this.#done;
      const some = Math.min(rest, room - bytes);
      parts.push(some === item.bytes.length ? item.bytes : item.bytes.subarray(this.#done, this.#done + some));
      bytes += some;
      if (some < rest) {
        this.#done += some;
        break;
      }
      this.#done = 0;
      next = item.next;
      end = position + bytes;
      this.#advance();
    }
    this.#bytes -= bytes;
    return { segment: first.segment, position, parts, bytes, next, end };
  }

  /** Takes copies of what still waits: its owner wants the memory back. */
  copyBytes(): void {
    if (this.isEmpty) return;
    this.#items = this.#items.slice(this.#head).map((item) => (item.kind === "batch" ? { ...item, bytes: new Uint8Array(item.bytes) } : item));
    this.#head = 0;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#done = 0;
    this.#bytes = 0;
  }

  #advance(): void {
    this.#head++;
    if (this.#head === this.#items.length || this.#head === COMPACT_FROM) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}

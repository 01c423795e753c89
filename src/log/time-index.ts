/**
 * The largest timestamp so far in a segment, noted now and then. Kafka's format: 12 bytes an entry, int64 timestamp and the int32 last
 * offset, relative to the base, of the batch that has it. An entry (t, o) says: no record at or before o is later than t.
 */
import { assert } from "../base/assert.js";

export const TIME_ENTRY_BYTES = 12;

export interface TimeEntry {
  readonly timestampMs: number;
  readonly offset: number;
}

export class TimeIndex {
  readonly base: number;
  #times: Float64Array;
  #relatives: Int32Array;
  #count = 0;

  constructor(base: number, room = 0) {
    this.base = base;
    this.#times = new Float64Array(room);
    this.#relatives = new Int32Array(room);
  }

  /** Reads what rises, as the offset index does. */
  static decode(base: number, bytes: Uint8Array): TimeIndex {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const index = new TimeIndex(base, Math.floor(bytes.length / TIME_ENTRY_BYTES));
    for (let at = 0; at + TIME_ENTRY_BYTES <= view.length; at += TIME_ENTRY_BYTES) {
      const timestampMs = readTime(view, at);
      const relative = view.readInt32BE(at + 8);
      const last = index.last;
      if (relative < 0 || timestampMs < 0 || (timestampMs === 0 && relative === 0)) break;
      if (last !== null && (timestampMs <= last.timestampMs || base + relative < last.offset)) break;
      index.append(timestampMs, base + relative);
    }
    return index;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#count * TIME_ENTRY_BYTES;
  }

  get last(): TimeEntry | null {
    return this.#count === 0 ? null : this.entry(this.#count - 1);
  }

  entry(i: number): TimeEntry {
    return { timestampMs: this.#times[i] ?? -1, offset: this.base + (this.#relatives[i] ?? 0) };
  }

  /** Notes a larger timestamp; one that is not larger than the last adds nothing. */
  append(timestampMs: number, offset: number): void {
    const last = this.last;
    if (last !== null && timestampMs <= last.timestampMs) return;
    assert(last === null || offset >= last.offset, "time index entries rise in offset too");
    if (this.#count === this.#times.length) {
      const room = Math.max(16, this.#count * 2);
      const times = new Float64Array(room);
      times.set(this.#times);
      this.#times = times;
      const relatives = new Int32Array(room);
      relatives.set(this.#relatives);
      this.#relatives = relatives;
    }
    this.#times[this.#count] = timestampMs;
    this.#relatives[this.#count] = offset - this.base;
    this.#count++;
  }

  /** Every record at or before the returned offset is earlier than `timestampMs`; the base when nothing is known. */
  offsetBefore(timestampMs: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#times[middle] ?? 0) < timestampMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? this.base : this.base + (this.#relatives[low - 1] ?? 0);
  }

  truncate(belowOffset: number): void {
    while (this.#count > 0 && this.base + (this.#relatives[this.#count - 1] ?? 0) >= belowOffset) this.#count--;
  }

  encode(from = 0): Buffer {
    const bytes = Buffer.allocUnsafeSlow((this.#count - from) * TIME_ENTRY_BYTES);
    for (let i = from; i < this.#count; i++) {
      const at = (i - from) * TIME_ENTRY_BYTES;
      const time = this.#times[i] ?? 0;
      bytes.writeInt32BE(Math.floor(time / 2 ** 32), at);
      bytes.writeUInt32BE(((time % 2 ** 32) + 2 ** 32) % 2 ** 32, at + 4);
      bytes.writeInt32BE(this.#relatives[i] ?? 0, at + 8);
    }
    return bytes;
  }
}

function readTime(view: Buffer, at: number): number {
  return view.readInt32BE(at) * 2 ** 32 + view.readUInt32BE(at + 4);
}

/**
 * Where batches lie in a segment, sparsely: an entry for one batch in every `index.interval.bytes`. Kafka's format: 8 bytes an
 * entry, the batch's last offset relative to the segment's base and its position, both int32, both strictly rising.
 */
import { assert } from "../base/assert.js";

export const OFFSET_ENTRY_BYTES = 8;

export class OffsetIndex {
  readonly base: number;
  #pairs: Int32Array; // relative last offset, position
  #count: number;

  constructor(base: number, pairs: Int32Array = new Int32Array(0), count = 0) {
    this.base = base;
    this.#pairs = pairs;
    this.#count = count;
  }

  /** Reads what rises; a file that was preallocated, or lost pages in a crash, ends in entries that do not. */
  static decode(base: number, bytes: Uint8Array): OffsetIndex {
    const whole = bytes.length - (bytes.length % OFFSET_ENTRY_BYTES);
    const swapped = new Int32Array(whole / 4);
    const copy = Buffer.from(swapped.buffer, 0, whole);
    copy.set(bytes.subarray(0, whole));
    copy.swap32(); // to the machine's order; all that Node runs on is little-endian
    let count = 0;
    let lastRelative = -1;
    let lastPosition = 0;
    for (let at = 0; at < swapped.length; at += 2) {
      const relative = swapped[at] ?? -1;
      const position = swapped[at + 1] ?? -1;
      if (relative <= lastRelative || position <= lastPosition) break;
      lastRelative = relative;
      lastPosition = position;
      count++;
    }
    return new OffsetIndex(base, swapped, count);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#count * OFFSET_ENTRY_BYTES;
  }

  append(lastOffset: number, position: number): void {
    const relative = lastOffset - this.base;
    assert(relative >= 0 && relative <= 0x7fffffff, "an index entry is within 2^31 offsets of its base");
    assert(this.#count === 0 || (relative > this.#relative(this.#count - 1) && position > this.#position(this.#count - 1)), "index entries rise");
    const at = this.#count * 2;
    if (at === this.#pairs.length) {
      const grown = new Int32Array(Math.max(16, at * 2));
      grown.set(this.#pairs);
      this.#pairs = grown;
    }
    this.#pairs[at] = relative;
    this.#pairs[at + 1] = position;
    this.#count++;
  }

  entry(i: number): { readonly offset: number; readonly position: number } {
    return { offset: this.base + this.#relative(i), position: this.#position(i) };
  }

  /** Position of an indexed batch that ends at or before `offset`; 0 when there is none. A scan from there finds `offset`. */
  positionBefore(offset: number): number {
    const i = this.#floor(0, offset - this.base);
    return i < 0 ? 0 : this.#position(i);
  }

  /** Last indexed batch that begins at or before `position` in the file; 0 when there is none. */
  batchBefore(position: number): number {
    const i = this.#floor(1, position);
    return i < 0 ? 0 : this.#position(i);
  }

  /** Keeps entries of batches that end below `offset` and lie below `position`. */
  truncate(below: { readonly offset: number; readonly position: number }): void {
    const byOffset = this.#floor(0, below.offset - this.base - 1) + 1;
    const byPosition = this.#floor(1, below.position - 1) + 1;
    this.#count = Math.min(this.#count, byOffset, byPosition);
  }

  /** Bytes of the file from entry `from` on. */
  encode(from = 0): Buffer {
    const bytes = Buffer.allocUnsafeSlow((this.#count - from) * OFFSET_ENTRY_BYTES);
    new Int32Array(bytes.buffer, 0, bytes.length / 4).set(this.#pairs.subarray(from * 2, this.#count * 2));
    return bytes.swap32();
  }

  /** Index of the last entry whose field is <= value, -1 when there is none. */
  #floor(field: 0 | 1, value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pairs[middle * 2 + field] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #relative(i: number): number {
    return this.#pairs[i * 2] ?? 0;
  }

  #position(i: number): number {
    return this.#pairs[i * 2 + 1] ?? 0;
  }
}

/** Memory for reads, used again: a page that is touched for the first time costs far more than one that is warm (node-limits.md §1). */
import { assert } from "../base/assert.js";

const SMALLEST_BYTES = 4096;
/** Longer reads come in several parts. */
export const PART_MAX_BYTES = 1 << 20;

export class BufferPool {
  readonly #keepMaxBytes: number;
  readonly #free: Buffer[][] = [];
  #kept = 0;

  constructor(options: { readonly keepMaxBytes: number }) {
    this.#keepMaxBytes = options.keepMaxBytes;
  }

  /** A buffer of at least `bytes`, with anything in it. */
  take(bytes: number): Buffer {
    assert(bytes <= PART_MAX_BYTES, `a pooled buffer has at most ${PART_MAX_BYTES} bytes, not ${bytes}`);
    const level = levelOf(bytes);
    const found = this.#free[level]?.pop();
    if (found === undefined) return Buffer.allocUnsafeSlow(SMALLEST_BYTES << level);
    this.#kept -= found.length;
    return found;
  }

  give(buffer: Buffer): void {
    if (this.#kept + buffer.length > this.#keepMaxBytes) return;
    this.#kept += buffer.length;
    const level = levelOf(buffer.length);
    (this.#free[level] ??= []).push(buffer);
  }
}

function levelOf(bytes: number): number {
  return bytes <= SMALLEST_BYTES ? 0 : 32 - Math.clz32((bytes - 1) >> 12);
}

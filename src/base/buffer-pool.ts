/** Memory used again: a page that is touched for the first time costs far more than one that is warm (node-limits.md §1), and so does collecting it. */
import { assert } from "./assert.js";

const SMALLEST_BYTES = 4096;

export class BufferPool {
  readonly #keepMaxBytes: number;
  readonly #largestBytes: number;
  readonly #free: Buffer[][] = [];
  /** What is with somebody: a buffer that comes back twice would have two owners. */
  readonly #out = new WeakMap<ArrayBufferLike, Buffer>();
  #kept = 0;

  constructor(options: { readonly keepMaxBytes: number; readonly largestBytes: number }) {
    this.#keepMaxBytes = options.keepMaxBytes;
    this.#largestBytes = options.largestBytes;
  }

  /** How large a buffer for so many bytes is. */
  sizeFor(bytes: number): number {
    return SMALLEST_BYTES << levelOf(bytes);
  }

  takes(bytes: number): boolean {
    return bytes <= this.#largestBytes;
  }

  /** A buffer of at least `bytes`, with anything in it. */
  take(bytes: number): Buffer {
    return this.takeKept(bytes) ?? this.#lend(Buffer.allocUnsafeSlow(this.sizeFor(bytes)));
  }

  /** The same, or null where a new one would have to be made. */
  takeKept(bytes: number): Buffer | null {
    assert(this.takes(bytes), `a pooled buffer has at most ${this.#largestBytes} bytes, not ${bytes}`);
    const found = this.#free[levelOf(bytes)]?.pop();
    if (found === undefined) return null;
    this.#kept -= found.length;
    return this.#lend(found);
  }

  /** Takes back a buffer, or a view that begins where it begins. */
  give(view: Uint8Array): void {
    const buffer = this.#out.get(view.buffer);
    assert(buffer !== undefined && view.byteOffset === 0, "a buffer comes back once, to the pool that lent it");
    this.#out.delete(view.buffer);
    if (this.#kept + buffer.length > this.#keepMaxBytes) return;
    this.#kept += buffer.length;
    (this.#free[levelOf(buffer.length)] ??= []).push(buffer);
  }

  /** Of this pool, and not given back. */
  lent(view: Uint8Array): boolean {
    return this.#out.has(view.buffer);
  }

  #lend(buffer: Buffer): Buffer {
    this.#out.set(buffer.buffer, buffer);
    return buffer;
  }
}

function levelOf(bytes: number): number {
  return bytes <= SMALLEST_BYTES ? 0 : 32 - Math.clz32((bytes - 1) >> 12);
}

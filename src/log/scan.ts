/**
 * Reading a segment batch by batch: asynchronously in large pieces for recovery and searches, synchronously header by header for plans.
 */
import { crc32c } from "../base/crc32c.js";
import { HEADER_BYTES, MAGIC, baseOffsetAt, lastOffsetAt, magicAt, readBatchHeader, sizeAt, type BatchHeader } from "../records/batch.js";
import type { DiskFile } from "../world/disk.js";
import type { BufferPool } from "../base/buffer-pool.js";
import { PART_MAX_BYTES } from "./part.js";
import { LogError } from "./partition-log.js";

export type ScanReason = "end" | "stopped" | "incomplete" | "bad-length" | "bad-magic" | "bad-checksum" | "bad-offset";

export interface ScanEnd {
  /** Where the first batch lies that was not visited. */
  readonly position: number;
  readonly reason: ScanReason;
}

export interface ScanOptions {
  readonly from: number;
  readonly to: number;
  /** No batch may begin below it; it rises with each batch. */
  readonly minOffset: number;
  /** From this offset on batches follow each other without gaps: the checksum does not cover their base offset. Infinity where compaction may have been. */
  readonly contiguousFrom?: number;
  readonly checksums: boolean;
}

/** `bytes` holds the batch from `at` on, up to PART_MAX_BYTES of it; both are lent for the call. Return false to stop before this batch. */
export type Visit = (header: BatchHeader, position: number, bytes: Buffer, at: number) => boolean;

/** Visits whole batches in order; `to` is the end of the data. */
export async function scanBatches(file: DiskFile, buffers: BufferPool, options: ScanOptions, visit: Visit): Promise<ScanEnd> {
  const window = buffers.take(PART_MAX_BYTES);
  let windowAt = options.from;
  let windowBytes = 0;
  let position = options.from;
  let minOffset = options.minOffset;
  const hold = async (bytes: number): Promise<boolean> => {
    if (position >= windowAt && position + bytes <= windowAt + windowBytes) return true;
    windowAt = position;
    windowBytes = await file.read(position, window.subarray(0, Math.min(window.length, options.to - position)));
    return bytes <= windowBytes;
  };
  try {
    for (;;) {
      const left = options.to - position;
      if (left === 0) return { position, reason: "end" };
      if (left < HEADER_BYTES || !(await hold(HEADER_BYTES))) return { position, reason: "incomplete" };
      const header = readBatchHeader(window, position - windowAt);
      if (header.bytes < HEADER_BYTES) return { position, reason: "bad-length" };
      if (header.magic !== MAGIC) return { position, reason: "bad-magic" };
      if (header.bytes > left) return { position, reason: "incomplete" };
      const gap = header.baseOffset > minOffset && minOffset >= (options.contiguousFrom ?? Infinity);
      if (header.baseOffset < minOffset || gap || header.lastOffsetDelta < 0) return { position, reason: "bad-offset" };
      if (options.checksums || header.control) await hold(Math.min(header.bytes, PART_MAX_BYTES));
      if (options.checksums && !(await isIntactAt(file, { window, windowAt, windowBytes }, position, header))) return { position, reason: "bad-checksum" };
      if (!visit(header, position, window, position - windowAt)) return { position, reason: "stopped" };
      position += header.bytes;
      minOffset = header.lastOffset + 1;
    }
  } finally {
    buffers.give(window);
  }
}

interface Window {
  readonly window: Buffer;
  readonly windowAt: number;
  readonly windowBytes: number;
}

const CHECKSUM_FROM = 21;

/** Sums what the window holds, and reads the rest of a batch that is larger in pieces. */
async function isIntactAt(file: DiskFile, held: Window, position: number, header: BatchHeader): Promise<boolean> {
  const end = position + header.bytes;
  const heldEnd = Math.min(end, held.windowAt + held.windowBytes);
  let sum = crc32c(held.window.subarray(position + CHECKSUM_FROM - held.windowAt, heldEnd - held.windowAt));
  if (heldEnd < end) {
    const piece = Buffer.allocUnsafe(Math.min(PART_MAX_BYTES, end - heldEnd));
    for (let at = heldEnd; at < end; at += piece.length) {
      const wanted = piece.subarray(0, Math.min(piece.length, end - at));
      if ((await file.read(at, wanted)) < wanted.length) return false;
      sum = crc32c(wanted, sum);
    }
  }
  return sum === header.crc;
}

/**
 * Is there a whole, intact batch anywhere in [from, to) whose offset could follow `minOffset`? What follows a bad batch tells damage from a torn tail.
 */
export async function findIntactBatch(file: DiskFile, buffers: BufferPool, options: { readonly from: number; readonly to: number; readonly minOffset: number }): Promise<boolean> {
  const window = buffers.take(PART_MAX_BYTES);
  try {
    let at = options.from;
    while (options.to - at >= HEADER_BYTES) {
      const bytes = await file.read(at, window.subarray(0, Math.min(window.length, options.to - at)));
      if (bytes < HEADER_BYTES) return false;
      for (const candidate of candidates(window.subarray(0, bytes), options.to - at, options.minOffset)) {
        const header = readBatchHeader(window, candidate);
        if (await isIntactAt(file, { window, windowAt: at, windowBytes: bytes }, at + candidate, header)) return true;
      }
      at += bytes - HEADER_BYTES + 1;
      if (bytes < window.length) return false;
    }
    return false;
  } finally {
    buffers.give(window);
  }
}

const MAGIC_AT = 16;
const ATTRIBUTES_AT = 21;

function* candidates(bytes: Buffer, left: number, minOffset: number): Generator<number> {
  const last = bytes.length - HEADER_BYTES;
  for (let magic = bytes.indexOf(MAGIC, MAGIC_AT); magic >= 0; magic = bytes.indexOf(MAGIC, magic + 1)) {
    const at = magic - MAGIC_AT;
    if (at > last) return;
    const size = sizeAt(bytes, at);
    if (size < HEADER_BYTES || size > left - at || bytes[at + ATTRIBUTES_AT] !== 0) continue;
    const base = baseOffsetAt(bytes, at);
    if (base > minOffset && base - minOffset <= 0x7fffffff) yield at;
  }
}

const WALK_CHUNK_BYTES = 16 * 1024;

/**
 * Steps over batch headers in the page cache, one pread for all headers in a chunk. Only for written, checked data: a header that cannot be one
 * is damage that came after.
 */
export class HeaderWalk {
  readonly #scratch = Buffer.allocUnsafeSlow(WALK_CHUNK_BYTES);
  #file: DiskFile | null = null;
  #chunkAt = 0;
  #chunkBytes = 0;
  #end = 0;
  position = 0;

  /** Goes to a batch's start. `end` is where the written batches end. @returns false at the end */
  begin(file: DiskFile, position: number, end: number): boolean {
    this.#file = file;
    this.#chunkBytes = 0;
    this.#end = end;
    this.position = position;
    return this.#load();
  }

  /** @returns false at the end */
  next(): boolean {
    this.position += this.bytes;
    return this.#load();
  }

  get base(): number {
    return baseOffsetAt(this.#scratch, this.position - this.#chunkAt);
  }

  get last(): number {
    return lastOffsetAt(this.#scratch, this.position - this.#chunkAt);
  }

  get bytes(): number {
    return sizeAt(this.#scratch, this.position - this.#chunkAt);
  }

  get header(): BatchHeader {
    return readBatchHeader(this.#scratch, this.position - this.#chunkAt);
  }

  #load(): boolean {
    const left = this.#end - this.position;
    if (left <= 0 || this.#file === null) return false;
    if (this.position < this.#chunkAt || this.position + HEADER_BYTES > this.#chunkAt + this.#chunkBytes) {
      this.#chunkAt = this.position;
      this.#chunkBytes = this.#file.readAt(this.position, this.#scratch.subarray(0, Math.min(WALK_CHUNK_BYTES, left)));
    }
    const at = this.position - this.#chunkAt;
    const readable = this.#chunkBytes - at >= HEADER_BYTES && magicAt(this.#scratch, at) === MAGIC;
    const size = readable ? sizeAt(this.#scratch, at) : 0;
    if (size < HEADER_BYTES || size > left) {
      throw new LogError("corrupt-batch", `${this.#file.path} has no batch at ${this.position}`, this.position);
    }
    return true;
  }
}


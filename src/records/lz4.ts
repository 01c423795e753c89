/**
 * The LZ4 frame format as Kafka's clients write it. The reader takes independent blocks of 64 KiB to 4 MiB; like Java's it refuses dependent
 * blocks and ignores the content checksum. record-format.md §3.
 */
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";
import { lazy } from "./lazy.js";
import { decodeBlock, encodeBlock } from "./lz4-block.js";
import { xxh32 } from "./xxh32.js";

const MAGIC = 0x184d2204;
const BLOCK_BYTES = 64 * 1024;
const SIZE_BYTES = 4;
/** A byte of a match's length stands for at most this many. */
const EXPANSION_MOST = 255;

export interface Lz4Blocks {
  /** Null where nothing is gained. */
  compress(plain: Uint8Array): Uint8Array | null;
  /** @param limit what the block may give, @param over the error where it gives more */
  decompress(block: Buffer, limit: number, over: () => CodecError): Uint8Array;
}

export const plainLz4: Lz4Blocks = { compress: encodeBlock, decompress: decodeBlock };

/**
 * Null where the package is not installed for this platform. It wants the size of the output before a block and takes any that is large enough. What it
 * refuses is decoded again by us, who know whether it is damaged or too large.
 */
export const nativeLz4 = lazy((): Lz4Blocks | null => {
  try {
    const native = require("lz4-napi") as { compressSync(b: Buffer): Buffer; uncompressSync(b: Buffer): Buffer };
    return {
      compress: (plain) => {
        const packed = native.compressSync(asBuffer(plain)).subarray(SIZE_BYTES);
        return packed.length < plain.length ? packed : null;
      },
      decompress: (block, limit, over) => {
        const sized = Buffer.allocUnsafe(SIZE_BYTES + block.length);
        sized.writeUInt32LE(Math.min(limit, block.length * EXPANSION_MOST));
        sized.set(block, SIZE_BYTES);
        try {
          return native.uncompressSync(sized);
        } catch {
          return decodeBlock(block, limit, over);
        }
      },
    };
  } catch {
    return null;
  }
});

const best = lazy((): Lz4Blocks => nativeLz4() ?? plainLz4);

export function lz4Decompress(bytes: Uint8Array, maxBytes: number, blocks: Lz4Blocks = best()): Uint8Array {
  const input = asBuffer(bytes);
  const out: Uint8Array[] = [];
  let total = 0;
  let at = 0;
  const need = (count: number) => {
    if (count > input.length - at) throw new CodecError("corrupt", "the lz4 frame is cut short");
  };
  do {
    need(7);
    if (input.readUInt32LE(at) !== MAGIC) throw new CodecError("corrupt", "no lz4 frame");
    const flags = input[at + 4] as number;
    const descriptor = at + 4;
    const maxBlock = [0, 0, 0, 0, 1 << 16, 1 << 18, 1 << 20, 1 << 22][((input[at + 5] as number) >> 4) & 7] ?? 0;
    if (flags >> 6 !== 1 || maxBlock === 0) throw new CodecError("corrupt", "an lz4 frame of an unknown kind");
    if ((flags & 0x20) === 0) throw new CodecError("corrupt", "lz4 blocks that depend on each other are not taken");
    const extra = ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0);
    need(7 + extra);
    at += 6 + extra;
    if (((xxh32(input.subarray(descriptor, at)) >>> 8) & 0xff) !== input[at]) throw new CodecError("corrupt", "the lz4 frame's header checksum is wrong");
    at++;
    for (;;) {
      need(4);
      const word = input.readUInt32LE(at);
      at += 4;
      if (word === 0) break;
      const size = word & 0x7fffffff;
      if (size > maxBlock) throw new CodecError("corrupt", "an lz4 block is larger than its frame allows");
      need(size);
      const block = input.subarray(at, at + size);
      at += size;
      if ((flags & 0x10) !== 0) {
        need(4);
        if (xxh32(block) !== input.readUInt32LE(at)) throw new CodecError("corrupt", "an lz4 block's checksum is wrong");
        at += 4;
      }
      const plain = word >= 0x80000000 ? block : blocks.decompress(block, Math.min(maxBlock, maxBytes - total), maxBlock <= maxBytes - total ? overBlock : tooLarge);
      total += plain.length;
      if (total > maxBytes) throw tooLarge();
      if (plain.length > 0) out.push(plain);
    }
    if ((flags & 4) !== 0) {
      need(4);
      at += 4;
    }
  } while (at < input.length);
  return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out, total);
}

export function lz4Compress(bytes: Uint8Array, blocks: Lz4Blocks = best()): Uint8Array {
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  const parts: Uint8Array[] = [head];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const plain = bytes.subarray(at, Math.min(bytes.length, at + BLOCK_BYTES));
    const packed = blocks.compress(plain);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(packed === null ? (plain.length | 0x80000000) >>> 0 : packed.length);
    parts.push(size, packed ?? plain);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}

function overBlock(): CodecError {
  return new CodecError("corrupt", "an lz4 block holds more than its frame allows");
}

function tooLarge(): CodecError {
  return new CodecError("too-large", "more bytes than are allowed when decompressed");
}

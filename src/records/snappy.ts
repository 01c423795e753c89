/**
 * Snappy: a raw block, or blocks in snappy-java's framing ("xerial"): 16 bytes of header, then int32 length and block, again and again.
 * We write the framing, as the Java client does, and read both. A native package does the blocks where it is installed, plain JavaScript elsewhere.
 */
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";
import { lazy } from "./lazy.js";

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEADER_BYTES = 16;
const CHUNK_BYTES = 32 * 1024;

/** Raw blocks. Both throw on damage. */
export interface SnappyBlocks {
  compress(bytes: Buffer): Uint8Array;
  decompress(bytes: Buffer): Uint8Array;
}

/** Null where the package is not installed for this platform. */
export const nativeSnappy = lazy((): SnappyBlocks | null => {
  try {
    const native = require("snappy") as { compressSync(b: Buffer): Buffer; uncompressSync(b: Buffer, o: { asBuffer: true }): Buffer };
    return { compress: (b) => native.compressSync(b), decompress: (b) => native.uncompressSync(b, { asBuffer: true }) };
  } catch {
    return null;
  }
});

/**
 * The package writes a match that runs past the end of its output nowhere, and calls a block whole that ends early. So we decode it ourselves, and it
 * compresses.
 */
export const plainSnappy = lazy((): SnappyBlocks => {
  const plain = require("snappyjs") as { compress(b: Buffer): Buffer };
  return { compress: (b) => plain.compress(b), decompress: decodeBlock };
});

export function snappyDecompress(bytes: Uint8Array, maxBytes: number, blocks: SnappyBlocks = nativeSnappy() ?? plainSnappy()): Uint8Array {
  const input = asBuffer(bytes);
  if (input.length < MAGIC.length || !input.subarray(0, MAGIC.length).equals(MAGIC)) return block(input, maxBytes, blocks);
  if (input.length < HEADER_BYTES) throw new CodecError("corrupt", "a snappy header is cut short");
  const out: Uint8Array[] = [];
  let total = 0;
  let at = HEADER_BYTES;
  while (at < input.length) {
    if (input.length - at < 4) throw new CodecError("corrupt", "a snappy chunk is cut short");
    const size = input.readInt32BE(at);
    at += 4;
    if (size < 0 || size > input.length - at) throw new CodecError("corrupt", "a snappy chunk is cut short");
    const plain = block(input.subarray(at, at + size), maxBytes - total, blocks);
    total += plain.length;
    if (plain.length > 0) out.push(plain);
    at += size;
  }
  return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out, total);
}

/** The length that a block claims is judged before anything is allocated for it. */
function block(input: Buffer, maxBytes: number, blocks: SnappyBlocks): Uint8Array {
  const { claimed } = readLength(input);
  if (claimed > maxBytes) throw new CodecError("too-large", `more than the ${maxBytes} bytes that are allowed when decompressed`);
  if (claimed > input.length * 64) throw new CodecError("corrupt", "a snappy block claims more than it can hold"); // 64 bytes take at least 2
  try {
    return blocks.decompress(input);
  } catch (error) {
    throw new CodecError("corrupt", "a snappy block is damaged", { cause: error });
  }
}

function readLength(input: Buffer): { readonly claimed: number; readonly at: number } {
  let claimed = 0;
  for (let at = 0; at < 5; at++) {
    const byte = input[at];
    if (byte === undefined) break;
    claimed += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { claimed, at: at + 1 };
  }
  throw new CodecError("corrupt", "a snappy block has no length");
}

/** Literals and copies, each checked against both ends. The caller has judged the claimed length. */
function decodeBlock(input: Buffer): Uint8Array {
  const damaged = () => new CodecError("corrupt", "a snappy block is damaged");
  const { claimed, at: start } = readLength(input);
  const out = Buffer.allocUnsafe(claimed);
  let at = start;
  let to = 0;
  while (at < input.length) {
    const tag = input[at++] as number;
    const kind = tag & 3;
    let bytes = (tag >> 2) + 1;
    if (kind === 0) {
      if (bytes > 60) {
        const width = bytes - 60;
        if (width > input.length - at) throw damaged();
        bytes = input.readUIntLE(at, width) + 1;
        at += width;
      }
      if (bytes > input.length - at || bytes > claimed - to) throw damaged();
      if (bytes > 32) out.set(input.subarray(at, at + bytes), to);
      else for (let i = 0; i < bytes; i++) out[to + i] = input[at + i] as number;
      at += bytes;
      to += bytes;
      continue;
    }
    const width = kind === 3 ? 4 : kind;
    if (width > input.length - at) throw damaged();
    let back = input.readUIntLE(at, width);
    at += width;
    if (kind === 1) {
      bytes = ((tag >> 2) & 7) + 4;
      back += (tag >> 5) << 8;
    }
    if (back === 0 || back > to || bytes > claimed - to) throw damaged();
    for (let i = 0; i < bytes; i++) out[to + i] = out[to - back + i] as number;
    to += bytes;
  }
  if (to !== claimed) throw damaged();
  return out;
}

export function snappyCompress(bytes: Uint8Array, blocks: SnappyBlocks = nativeSnappy() ?? plainSnappy()): Uint8Array {
  const input = asBuffer(bytes);
  const head = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(head);
  head.writeInt32BE(1, 8);
  head.writeInt32BE(1, 12);
  const out: Uint8Array[] = [head];
  for (let at = 0; at < input.length; at += CHUNK_BYTES) {
    const packed = blocks.compress(input.subarray(at, at + CHUNK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(packed.length);
    out.push(length, packed);
  }
  return Buffer.concat(out);
}

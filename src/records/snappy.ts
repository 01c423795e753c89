/**
 * Snappy: a raw block, or blocks in snappy-java's framing ("xerial"): 16 bytes of header, then int32 length and block, again and again.
 * We write the framing, as the Java client does, and read both.
 */
import { CodecError } from "./codec-error.js";

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEADER_BYTES = 16;
const CHUNK_BYTES = 32 * 1024;

interface Raw {
  compress(bytes: Buffer): Uint8Array;
  decompress(bytes: Buffer): Uint8Array;
}

const raw: Raw = load();

export function snappyDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (input.length < HEADER_BYTES || !input.subarray(0, MAGIC.length).equals(MAGIC)) return block(input, maxBytes);
  const out: Uint8Array[] = [];
  let total = 0;
  let at = HEADER_BYTES;
  while (at < input.length) {
    if (input.length - at < 4) throw new CodecError("corrupt", "a snappy chunk is cut short");
    const size = input.readInt32BE(at);
    at += 4;
    if (size < 0 || size > input.length - at) throw new CodecError("corrupt", "a snappy chunk is cut short");
    const plain = block(input.subarray(at, at + size), maxBytes - total);
    total += plain.length;
    out.push(plain);
    at += size;
  }
  return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out, total);
}

/** The length that a block claims is judged before anything is allocated for it. */
function block(input: Buffer, maxBytes: number): Uint8Array {
  let claimed = 0;
  for (let i = 0, shift = 0; ; i++, shift += 7) {
    const byte = input[i];
    if (byte === undefined || shift > 28) throw new CodecError("corrupt", "a snappy block has no length");
    claimed += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (claimed > maxBytes) throw new CodecError("too-large", `more than ${maxBytes} bytes when decompressed`);
  if (claimed > input.length * 64 + 64) throw new CodecError("corrupt", "a snappy block claims more than it can hold"); // a copy of 64 bytes takes at least 2
  try {
    return raw.decompress(input);
  } catch (error) {
    throw new CodecError("corrupt", "a snappy block is damaged", { cause: error });
  }
}

export function snappyCompress(bytes: Uint8Array): Uint8Array {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(head);
  head.writeInt32BE(1, 8);
  head.writeInt32BE(1, 12);
  const out: Uint8Array[] = [head];
  for (let at = 0; at < input.length; at += CHUNK_BYTES) {
    const packed = raw.compress(input.subarray(at, at + CHUNK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(packed.length);
    out.push(length, packed);
  }
  return Buffer.concat(out);
}

function load(): Raw {
  try {
    const native = require("snappy") as { compressSync(b: Buffer): Buffer; uncompressSync(b: Buffer, o: { asBuffer: true }): Buffer };
    return { compress: (b) => native.compressSync(b), decompress: (b) => native.uncompressSync(b, { asBuffer: true }) };
  } catch {
    const plain = require("snappyjs") as { compress(b: Buffer): Buffer; uncompress(b: Buffer): Buffer };
    return { compress: (b) => plain.compress(b), decompress: (b) => plain.uncompress(b) };
  }
}

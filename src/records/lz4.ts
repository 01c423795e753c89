/**
 * The LZ4 frame format as Kafka's clients write it. The reader takes independent blocks of 64 KiB to 4 MiB; like Java's it refuses dependent
 * blocks and ignores the content checksum. record-format.md §3.
 */
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";
import { xxh32 } from "./xxh32.js";

const MAGIC = 0x184d2204;
const BLOCK_BYTES = 64 * 1024;
/** A call to copy costs more than a loop below this. */
const COPY_FROM_BYTES = 48;

export function lz4Decompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
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
      const plain = word >= 0x80000000 ? block : decodeBlock(block, Math.min(maxBlock, maxBytes - total), maxBlock <= maxBytes - total);
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

/**
 * One block. It may give `limit` bytes; `bounded` tells whether the format set that limit, or our cap. Short runs are copied byte by byte, which is faster
 * than a call; a match nearer than its length repeats what it has just written.
 */
function decodeBlock(input: Buffer, limit: number, bounded: boolean): Uint8Array {
  const damaged = () => new CodecError("corrupt", "an lz4 block is damaged");
  const over = () => (bounded ? new CodecError("corrupt", "an lz4 block holds more than its frame allows") : tooLarge());
  const end = input.length;
  let out = Buffer.allocUnsafe(Math.min(limit, end * 4));
  let to = 0;
  let at = 0;
  const grow = (needed: number) => {
    if (needed > limit) throw over();
    const next = Buffer.allocUnsafe(Math.min(limit, Math.max(needed, out.length * 2)));
    out.copy(next, 0, 0, to);
    out = next;
  };
  while (at < end) {
    const token = input[at++] as number;
    let bytes = token >> 4;
    if (bytes === 15) {
      for (let more = 255; more === 255; bytes += more) {
        if (at >= end) throw damaged();
        more = input[at++] as number;
      }
    }
    if (bytes > end - at) throw damaged();
    if (to + bytes > out.length) grow(to + bytes);
    if (bytes > COPY_FROM_BYTES) {
      input.copy(out, to, at, at + bytes);
      to += bytes;
      at += bytes;
    } else for (const stop = at + bytes; at < stop; ) out[to++] = input[at++] as number;
    if (at === end) return out.subarray(0, to); // the last sequence has no match
    if (end - at < 2) throw damaged();
    const back = (input[at] as number) | ((input[at + 1] as number) << 8);
    at += 2;
    if (back === 0 || back > to) throw damaged();
    bytes = (token & 15) + 4;
    if (bytes === 19) {
      for (let more = 255; more === 255; bytes += more) {
        if (at >= end) throw damaged();
        more = input[at++] as number;
      }
    }
    if (to + bytes > out.length) grow(to + bytes);
    if (bytes > COPY_FROM_BYTES && back >= bytes) {
      out.copyWithin(to, to - back, to - back + bytes);
      to += bytes;
    } else for (let from = to - back, stop = to + bytes; to < stop; ) out[to++] = out[from++] as number;
  }
  throw damaged(); // a block ends with literals
}

function tooLarge(): CodecError {
  return new CodecError("too-large", "more bytes than are allowed when decompressed");
}

export function lz4Compress(bytes: Uint8Array): Uint8Array {
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  const parts: Uint8Array[] = [head];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const plain = bytes.subarray(at, Math.min(bytes.length, at + BLOCK_BYTES));
    const packed = encodeBlock(plain);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(packed === null ? (plain.length | 0x80000000) >>> 0 : packed.length);
    parts.push(size, packed ?? plain);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}

/** Greedy, with a table of the last place of each four bytes. Null when nothing is gained. */
function encodeBlock(plain: Uint8Array): Uint8Array | null {
  const source = asBuffer(plain);
  const end = source.length;
  const lastMatch = end - 12; // the format keeps the last bytes literal
  const out = Buffer.allocUnsafe(end);
  const table = new Int32Array(1 << 12).fill(-1);
  let to = 0;
  let anchor = 0;
  let at = 0;
  const room = (count: number) => to + count <= end;
  const lengthBytes = (n: number) => {
    let rest = n - 15;
    for (; rest >= 255; rest -= 255) out[to++] = 255;
    out[to++] = rest;
  };
  const emit = (literals: number, back: number, match: number) => {
    if (!room(literals + Math.ceil(literals / 255) + Math.ceil(match / 255) + 6)) return false;
    out[to++] = (Math.min(literals, 15) << 4) | (match === 0 ? 0 : Math.min(match - 4, 15));
    if (literals >= 15) lengthBytes(literals);
    source.copy(out, to, anchor, anchor + literals);
    to += literals;
    if (match === 0) return true;
    out.writeUInt16LE(back, to);
    to += 2;
    if (match - 4 >= 15) lengthBytes(match - 4);
    return true;
  };
  while (at < lastMatch) {
    const word = source.readInt32LE(at);
    const slot = Math.imul(word, -1640531535) >>> 20;
    const before = table[slot] as number;
    table[slot] = at;
    if (before < 0 || at - before > 0xffff || source.readInt32LE(before) !== word) {
      at++;
      continue;
    }
    let match = 4;
    while (at + match < end - 5 && source[before + match] === source[at + match]) match++;
    if (!emit(at - anchor, at - before, match)) return null;
    at += match;
    anchor = at;
  }
  return emit(end - anchor, 0, 0) && to < end ? out.subarray(0, to) : null;
}

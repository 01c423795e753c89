/** Blocks of LZ4 in plain JavaScript: sequences of literals and of a match that lies up to 64 KiB back. The fallback where no native package is, and the judge of damage. */
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";

/** A call to copy costs more than a loop below this. */
const COPY_FROM_BYTES = 48;

/**
 * A match nearer than its length repeats what it has just written.
 *
 * @param limit what the block may give
 * @param over  the error where it gives more
 * @throws CodecError "corrupt"
 */
export function decodeBlock(input: Buffer, limit: number, over: () => CodecError): Uint8Array {
  const damaged = () => new CodecError("corrupt", "an lz4 block is damaged");
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

/** Greedy, with a table of the last place of each four bytes. Null when nothing is gained. */
export function encodeBlock(plain: Uint8Array): Uint8Array | null {
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

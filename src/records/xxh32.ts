/** xxHash32 with seed 0, which the LZ4 frame uses for its checksums. */
import { asBuffer } from "./batch.js";

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

const rotate = (n: number, by: number) => (n << by) | (n >>> (32 - by));

export function xxh32(bytes: Uint8Array): number {
  const b = asBuffer(bytes);
  const round = (lane: number, word: number) => Math.imul(rotate((lane + Math.imul(word, P2)) | 0, 13), P1);
  let at = 0;
  let hash: number;
  if (b.length >= 16) {
    let a1 = (P1 + P2) | 0;
    let a2 = P2 | 0;
    let a3 = 0;
    let a4 = -P1 | 0;
    for (; at <= b.length - 16; at += 16) {
      a1 = round(a1, b.readInt32LE(at));
      a2 = round(a2, b.readInt32LE(at + 4));
      a3 = round(a3, b.readInt32LE(at + 8));
      a4 = round(a4, b.readInt32LE(at + 12));
    }
    hash = (rotate(a1, 1) + rotate(a2, 7) + rotate(a3, 12) + rotate(a4, 18)) | 0;
  } else hash = P5 | 0;
  hash = (hash + b.length) | 0;
  for (; at <= b.length - 4; at += 4) hash = Math.imul(rotate((hash + Math.imul(b.readInt32LE(at), P3)) | 0, 17), P4);
  for (; at < b.length; at++) hash = Math.imul(rotate((hash + Math.imul(b[at] as number, P5)) | 0, 11), P1);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

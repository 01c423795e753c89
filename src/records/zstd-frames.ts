/** Walks Zstandard's frame and block headers without decoding anything, so that the size of an output is known or bounded before it is made. RFC 8878 §3.1.1. */
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50; // and the fifteen after it
/** No block gives more. */
export const BLOCK_MAX_BYTES = 128 * 1024;

/** Kafka's reader has this limit too; decoders that work in one go have none of their own. */
const WINDOW_MAX_BYTES = 128 * 1024 * 1024;

export interface ZstdFrame {
  /** Where it begins and ends. */
  readonly at: number;
  readonly end: number;
  /** What its header says; null where it says nothing, as a streaming compressor leaves it. */
  readonly claimed: number | null;
  /** More than its blocks cannot give. */
  readonly most: number;
}

/** Frames in order, skippable ones left out. @throws CodecError "corrupt" where a header is damaged, or claims more than the blocks after it can hold */
export function zstdFrames(bytes: Uint8Array): readonly ZstdFrame[] {
  const b = asBuffer(bytes);
  const frames: ZstdFrame[] = [];
  let at = 0;
  while (at < b.length) {
    need(b, at, 5);
    const magic = b.readUInt32LE(at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      need(b, at, 8);
      const size = b.readUInt32LE(at + 4);
      need(b, at + 8, size);
      at += 8 + size;
      continue;
    }
    if (magic !== MAGIC) throw new CodecError("corrupt", "no zstd frame");
    const frame = readFrame(b, at);
    if (frame.claimed !== null && frame.claimed > frame.most) throw new CodecError("corrupt", "a zstd frame claims more than its blocks can hold");
    frames.push(frame);
    at = frame.end;
  }
  if (frames.length === 0) throw new CodecError("corrupt", "no zstd frame");
  return frames;
}

/** descriptor | window? | dictionary id | content size | blocks … | checksum? */
function readFrame(b: Buffer, start: number): ZstdFrame {
  const descriptor = b[start + 4] as number;
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = start + 5 + (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  need(b, at, sizeBytes);
  const claimed = readSize(b, at, sizeBytes);
  const window = single ? (claimed ?? 0) : windowBytes(b[start + 5] as number);
  if (!single && window > WINDOW_MAX_BYTES) throw new CodecError("corrupt", "a zstd window too large to hold");
  const blockMax = Math.min(BLOCK_MAX_BYTES, window);
  at += sizeBytes;
  let most = 0;
  for (let last = false; !last; ) {
    need(b, at, 3);
    const head = b.readUIntLE(at, 3);
    at += 3;
    last = (head & 1) !== 0;
    const kind = (head >> 1) & 3; // 0 raw, 1 one byte repeated, 2 compressed
    const size = head >> 3;
    if (kind === 3) throw new CodecError("corrupt", "a zstd block of no kind");
    most += kind === 2 ? blockMax : size;
    const stored = kind === 1 ? 1 : size;
    need(b, at, stored);
    at += stored;
  }
  if ((descriptor & 4) !== 0) {
    need(b, at, 4);
    at += 4;
  }
  return { at: start, end: at, claimed, most };
}

function readSize(b: Buffer, at: number, bytes: number): number | null {
  if (bytes === 0) return null;
  if (bytes === 1) return b.readUInt8(at);
  if (bytes === 2) return b.readUInt16LE(at) + 256;
  if (bytes === 4) return b.readUInt32LE(at);
  return Number(b.readBigUInt64LE(at));
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function need(b: Buffer, at: number, bytes: number): void {
  if (bytes > b.length - at) throw new CodecError("corrupt", "the zstd stream is cut short");
}

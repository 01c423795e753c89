/**
 * Zstandard: Node's own where it has it (22.15 on), else a native package, else WebAssembly, which needs `initZstd` once before its first use.
 *
 * Only Node's own stops at a limit while it decodes. The others give out what a frame says or holds, so each frame is walked first (zstd-frames.ts) and
 * goes to them only when it cannot give more than is allowed. Frames are decoded one by one, for not every decoder goes on after the first.
 */
import * as zlib from "node:zlib";
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";
import { lazy } from "./lazy.js";
import { BLOCK_MAX_BYTES, zstdFrames, type ZstdFrame } from "./zstd-frames.js";

export interface Zstd {
  compress(bytes: Buffer): Uint8Array;
  /**
   * One frame.
   * @param bound room for all that it holds; what it may give where `stops`
   * @throws whatever it likes; a RangeError where it stopped at the bound
   */
  decompress(frame: Buffer, bound: number): Uint8Array;
  /** Stops at the bound by itself, even when a frame tells no size. */
  readonly stops: boolean;
}

const LEVEL = 3;

type NodeZstd = { zstdCompressSync?(b: Uint8Array): Buffer; zstdDecompressSync?(b: Uint8Array, o: { maxOutputLength: number }): Buffer };

/** Null before Node 22.15. */
export const nodeZstd = lazy((): Zstd | null => {
  const { zstdCompressSync, zstdDecompressSync } = zlib as NodeZstd;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return null;
  return { compress: (b) => zstdCompressSync(b), decompress: (b, bound) => zstdDecompressSync(b, { maxOutputLength: Math.max(1, bound) }), stops: true };
});

/** Null where the package is not installed for this platform. */
export const nativeZstd = lazy((): Zstd | null => {
  try {
    const { Encoder, Decoder } = require("@toondepauw/node-zstd") as { Encoder: new (level: number) => { encodeSync(b: Buffer): Buffer }; Decoder: new () => { decodeSync(b: Buffer): Buffer } };
    return { compress: (b) => new Encoder(LEVEL).encodeSync(b), decompress: (b) => new Decoder().decodeSync(b), stops: false };
  } catch {
    return null;
  }
});

type Wasm = { init(): Promise<void>; compress(b: Uint8Array, level: number): Uint8Array; decompress(b: Uint8Array, o: { defaultHeapSize: number }): Uint8Array };

/** Works anywhere, once `initZstd` or its own `init` has settled. It gives room for what a frame tells, and for `bound` where it tells nothing. */
export const wasmZstd = lazy((): Zstd & { init(): Promise<void> } => {
  const wasm = require("@bokuweb/zstd-wasm") as Wasm;
  return { init: () => wasm.init(), compress: (b) => wasm.compress(b, LEVEL), decompress: (b, bound) => wasm.decompress(b, { defaultHeapSize: Math.max(1, bound) }), stops: false };
});

const best = lazy((): Zstd => nodeZstd() ?? nativeZstd() ?? wasmZstd());

/** Makes the codec ready, at once where nothing has to be. WebAssembly can be compiled only asynchronously, and compressing is synchronous. */
export async function initZstd(): Promise<void> {
  if (nodeZstd() === null && nativeZstd() === null) await wasmZstd().init();
}

export function zstdDecompress(bytes: Uint8Array, maxBytes: number, zstd: Zstd = best()): Uint8Array {
  const frames = zstdFrames(bytes);
  const least = frames.reduce((sum, frame) => sum + (frame.claimed ?? 0), 0);
  const most = frames.reduce((sum, frame) => sum + (frame.claimed ?? frame.most), 0);
  if (least > maxBytes || (most > maxBytes + BLOCK_MAX_BYTES && !zstd.stops)) throw tooLarge(maxBytes); // a last block need not be full
  const out: Uint8Array[] = [];
  let total = 0;
  for (const frame of frames) {
    const plain = decodeFrame(asBuffer(bytes).subarray(frame.at, frame.end), frame, maxBytes - total, zstd);
    total += plain.length;
    if (total > maxBytes) throw tooLarge(maxBytes);
    out.push(plain);
  }
  return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out, total);
}

function decodeFrame(bytes: Buffer, frame: ZstdFrame, left: number, zstd: Zstd): Uint8Array {
  const bound = zstd.stops ? Math.min(left, frame.claimed ?? left) : (frame.claimed ?? frame.most);
  try {
    const plain = zstd.decompress(bytes, bound);
    if (frame.claimed !== null && plain.length !== frame.claimed) throw new Error("the frame tells another size than it holds");
    return plain;
  } catch (error) {
    if (error instanceof RangeError && frame.claimed === null) throw tooLarge(bound, error);
    throw new CodecError("corrupt", "the zstd stream is damaged", { cause: error });
  }
}

export function zstdCompress(bytes: Uint8Array, zstd: Zstd = best()): Uint8Array {
  return zstd.compress(asBuffer(bytes));
}

function tooLarge(maxBytes: number, cause?: unknown): CodecError {
  return new CodecError("too-large", `more than the ${maxBytes} bytes that are allowed when decompressed`, { cause });
}

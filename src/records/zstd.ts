/**
 * Zstandard: Node's own where it has it (22.15 on), else a native package, else WebAssembly, which needs `initZstd` once before its first use.
 * An output is capped by the sizes in the frame headers; a frame without a size is judged by its blocks, none of which may exceed 128 KiB.
 */
import * as zlib from "node:zlib";
import { asBuffer } from "./batch.js";
import { CodecError } from "./codec-error.js";

interface Maker {
  compress(bytes: Uint8Array): Uint8Array;
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

type NodeZstd = { zstdCompressSync?(b: Uint8Array): Buffer; zstdDecompressSync?(b: Uint8Array, o: { maxOutputLength: number }): Buffer };
type Wasm = { init(): Promise<void>; compress(b: Uint8Array, level?: number): Uint8Array; decompress(b: Uint8Array): Uint8Array };

const maker: Maker = load();

/** Makes the codec ready; at once where nothing has to be. */
export async function initZstd(): Promise<void> {
  if (makerKind() === "wasm") await wasm().init();
}

export function zstdDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (outputBound(bytes) > maxBytes) throw new CodecError("too-large", `more than ${maxBytes} bytes when decompressed`);
  try {
    return maker.decompress(bytes, maxBytes);
  } catch (error) {
    const large = error instanceof RangeError;
    throw new CodecError(large ? "too-large" : "corrupt", large ? `more than ${maxBytes} bytes when decompressed` : "the zstd stream is damaged", { cause: error });
  }
}

export function zstdCompress(bytes: Uint8Array): Uint8Array {
  return maker.compress(bytes);
}

/**
 * The most that these frames can hold, by walking frame and block headers (RFC 8878 §3.1.1): the smaller of the size that a frame claims and of what its
 * blocks may give. A lie about the size makes the decoder fail; a large truth is refused before it is decoded.
 */
export function outputBound(bytes: Uint8Array): number {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = () => new CodecError("corrupt", "the zstd stream is cut short");
  let total = 0;
  let at = 0;
  while (at < b.length) {
    if (b.length - at < 5) throw broken();
    const magic = b.readUInt32LE(at);
    if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
      if (b.length - at < 8) throw broken();
      at += 8 + b.readUInt32LE(at + 4); // a skippable frame
      if (at > b.length) throw broken();
      continue;
    }
    if (magic !== 0xfd2fb528) throw new CodecError("corrupt", "no zstd frame");
    const descriptor = b[at + 4] as number;
    const single = (descriptor & 0x20) !== 0;
    const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
    at += 5 + (single ? 0 : 1) + dictionaryBytes;
    if (at + sizeBytes > b.length) throw broken();
    const claimed = sizeBytes === 0 ? Infinity : sizeBytes === 1 ? b.readUInt8(at) : sizeBytes === 2 ? b.readUInt16LE(at) + 256 : sizeBytes === 4 ? b.readUInt32LE(at) : Number(b.readBigUInt64LE(at));
    at += sizeBytes;
    let held = 0;
    for (let last = false; !last; ) {
      if (b.length - at < 3) throw broken();
      const head = b.readUIntLE(at, 3);
      at += 3;
      last = (head & 1) !== 0;
      const kind = (head >> 1) & 3;
      const size = head >> 3;
      held += kind === 2 ? 128 * 1024 : size;
      at += kind === 1 ? 1 : size;
      if (kind === 3 || at > b.length) throw broken();
    }
    if ((descriptor & 4) !== 0) at += 4;
    total += Math.min(claimed, held);
  }
  return total;
}

function load(): Maker {
  const node = zlib as NodeZstd;
  const { zstdCompressSync, zstdDecompressSync } = node;
  if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined) {
    return { compress: (b) => zstdCompressSync(b), decompress: (b, maxBytes) => zstdDecompressSync(b, { maxOutputLength: maxBytes }) };
  }
  const native = nativePackage();
  if (native !== null) return { compress: (b) => native.compress(b), decompress: (b) => native.decompress(b) };
  return { compress: (b) => wasm().compress(b, 3), decompress: (b) => wasm().decompress(b) };
}

function makerKind(): "ready" | "wasm" {
  return (zlib as NodeZstd).zstdDecompressSync !== undefined || nativePackage() !== null ? "ready" : "wasm";
}

function wasm(): Wasm {
  return require("@bokuweb/zstd-wasm") as Wasm;
}

function nativePackage(): { compress(b: Uint8Array): Uint8Array; decompress(b: Uint8Array): Uint8Array } | null {
  try {
    const loaded = require("@toondepauw/node-zstd") as { Encoder: new (level: number) => { encodeSync(b: Buffer): Buffer }; Decoder: new () => { decodeSync(b: Buffer): Buffer } };
    return { compress: (b) => new loaded.Encoder(3).encodeSync(asBuffer(b)), decompress: (b) => new loaded.Decoder().decodeSync(asBuffer(b)) };
  } catch {
    return null;
  }
}

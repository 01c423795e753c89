/**
 * Compression of the records section, synchronous and pure. Native packages are used where they are installed; each has a plain fallback.
 * Every output is capped, and no size that a header claims is believed beyond the cap.
 */
import { CODECS, type CodecName } from "./batch.js";
import { gunzip, gzip } from "./gzip.js";
import { lz4Compress, lz4Decompress } from "./lz4.js";
import { snappyCompress, snappyDecompress } from "./snappy.js";
import { zstdCompress, zstdDecompress } from "./zstd.js";
import { CodecError } from "./codec-error.js";

export { CodecError } from "./codec-error.js";
export { initZstd as initCodecs } from "./zstd.js";

export function codecName(code: number): CodecName {
  const name = CODECS[code];
  if (name === undefined) throw new CodecError("unknown", `codec ${code} does not exist`);
  return name;
}

/** @throws CodecError "corrupt", "too-large", "unknown" */
export function decompress(codec: CodecName, bytes: Uint8Array, limits: { readonly maxBytes: number }): Uint8Array {
  switch (codec) {
    case "none":
      return bytes;
    case "gzip":
      return gunzip(bytes, limits.maxBytes);
    case "snappy":
      return snappyDecompress(bytes, limits.maxBytes);
    case "lz4":
      return lz4Decompress(bytes, limits.maxBytes);
    case "zstd":
      return zstdDecompress(bytes, limits.maxBytes);
  }
}

export function compress(codec: CodecName, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case "none":
      return bytes;
    case "gzip":
      return gzip(bytes);
    case "snappy":
      return snappyCompress(bytes);
    case "lz4":
      return lz4Compress(bytes);
    case "zstd":
      return zstdCompress(bytes);
  }
}

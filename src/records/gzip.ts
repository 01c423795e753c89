/** gzip is Node's own zlib. Concatenated members are one stream, as in RFC 1952. */
import { gunzipSync, gzipSync } from "node:zlib";
import { CodecError } from "./codec-error.js";

export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    const large = error instanceof RangeError;
    throw new CodecError(large ? "too-large" : "corrupt", large ? `more than ${maxBytes} bytes when decompressed` : "the gzip stream is damaged", { cause: error });
  }
}

export function gzip(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes);
}

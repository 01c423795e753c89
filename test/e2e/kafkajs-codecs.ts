/** What kafkajs leaves to add-ons: snappy by kafkajs-snappy (raw) or in xerial frames as Java writes it, lz4 and zstd by packages that stand outside our records code. */
import { createRequire } from "node:module";
import { init, compress as zstdCompress, decompress as zstdDecompress } from "@bokuweb/zstd-wasm";
import { CompressionCodecs, CompressionTypes } from "kafkajs";

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

const require = createRequire(__filename);
const BLOCK_BYTES = 32 * 1024;

function snappy(framing: "raw" | "xerial"): Codec {
  const plain = (require("kafkajs-snappy") as () => Codec)();
  if (framing === "raw") return plain;
  return {
    async compress({ buffer }) {
      const parts = [Buffer.from([130, 83, 78, 65, 80, 80, 89, 0, 0, 0, 0, 1, 0, 0, 0, 1])];
      for (let at = 0; at < buffer.length; at += BLOCK_BYTES) {
        const block = Buffer.from(await plain.compress({ buffer: buffer.subarray(at, at + BLOCK_BYTES) }));
        const size = Buffer.alloc(4);
        size.writeInt32BE(block.length);
        parts.push(size, block);
      }
      return Buffer.concat(parts);
    },
    decompress: (bytes) => plain.decompress(bytes),
  };
}

/** Native and optional: null where there is no build for this machine. */
function lz4(): Codec | null {
  let native: { compressFrame(bytes: Buffer): Promise<Buffer>; decompressFrame(bytes: Buffer): Promise<Buffer> };
  try {
    native = require("lz4-napi") as typeof native;
  } catch {
    return null;
  }
  return { compress: ({ buffer }) => native.compressFrame(buffer), decompress: (bytes) => native.decompressFrame(bytes) };
}

const zstd: Codec = {
  async compress({ buffer }) {
    await init();
    return Buffer.from(zstdCompress(buffer, 3));
  },
  async decompress(bytes) {
    await init();
    return Buffer.from(zstdDecompress(bytes));
  },
};

export type CodecName = "gzip" | "snappy raw" | "snappy xerial" | "lz4" | "zstd";

/** Makes kafkajs use that codec from here on, and says under which type; null where it cannot be had. gzip is its own. */
export function useCodec(name: CodecName): CompressionTypes | null {
  const use = (type: Exclude<keyof typeof CompressionCodecs, symbol | string>, codec: Codec | null) => {
    if (codec === null) return null;
    CompressionCodecs[type] = () => codec;
    return type;
  };
  switch (name) {
    case "gzip":
      return CompressionTypes.GZIP;
    case "snappy raw":
      return use(CompressionTypes.Snappy, snappy("raw"));
    case "snappy xerial":
      return use(CompressionTypes.Snappy, snappy("xerial"));
    case "lz4":
      return use(CompressionTypes.LZ4, lz4());
    case "zstd":
      return use(CompressionTypes.ZSTD, zstd);
  }
}

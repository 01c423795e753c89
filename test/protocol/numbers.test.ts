/** Varints, hashes and uuids: what Kafka computes, we compute. */
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.js";
import { uuid, uuidFromBytes, uuidToBytes } from "../../src/base/ids.js";
import { coordinatorPartition, javaHash, murmur2, partitionOfKey } from "../../src/protocol/hashes.js";
import { joined, ProtocolError, Reader, UnsupportedError, Writer } from "../../src/protocol/schema.js";
import { goldenJson, goldenLines } from "../golden.js";
import { hex } from "./vectors.js";

interface Varint {
  readonly value?: string;
  readonly bytes?: string;
  readonly unsignedVarint?: string; // of `value`: its bytes; of `bytes`: its value
  readonly varint?: string;
  readonly varlong?: string;
  readonly unsignedVarintBytesUsed?: number;
  readonly varintBytesUsed?: number;
  readonly varlongBytesUsed?: number;
}

const written = (write: (writer: Writer) => void) => {
  const writer = new Writer();
  write(writer);
  return hex(joined(writer.finish()));
};

describe("varints", () => {
  const vectors = goldenLines<Varint>("records/varints.ndjson");

  test("are written and read as Kafka does", () => {
    const values = vectors.filter((one) => one.value !== undefined);
    expect(values.length).toBeGreaterThan(0);
    for (const { value, varlong, varint, unsignedVarint } of values) {
      const n = BigInt(value ?? 0);
      expect(written((w) => w.varlong(n))).toBe(varlong);
      expect(new Reader(Buffer.from(varlong ?? "", "hex")).varlong()).toBe(n);
      if (varint !== undefined) {
        expect(written((w) => w.varint(Number(n)))).toBe(varint);
        expect(new Reader(Buffer.from(varint, "hex")).varint()).toBe(Number(n));
      }
      if (unsignedVarint !== undefined) {
        const unsigned = Number(BigInt.asUintN(32, n));
        expect(written((w) => w.uvarint(unsigned))).toBe(unsignedVarint);
        expect(new Reader(Buffer.from(unsignedVarint, "hex")).uvarint()).toBe(unsigned);
      }
    }
  });

  test("odd forms: longer than needed, too long, cut", () => {
    const odd = vectors.filter((one) => one.bytes !== undefined);
    expect(odd.length).toBeGreaterThan(0);
    for (const one of odd) {
      const check = (expected: string | undefined, used: number | undefined, read: (reader: Reader) => bigint, what: string) => {
        const reader = new Reader(Buffer.from(one.bytes ?? "", "hex"));
        if (expected === undefined) return void expect(() => read(reader), `${what} ${one.bytes}`).toThrow(ProtocolError);
        expect(read(reader), `${what} ${one.bytes}`).toBe(BigInt(expected));
        expect(reader.position).toBe(used);
      };
      check(one.unsignedVarint, one.unsignedVarintBytesUsed, (r) => BigInt(r.uvarint() | 0), "unsigned"); // Java shows it as a signed number
      check(one.varint, one.varintBytesUsed, (r) => BigInt(r.varint()), "varint");
      check(one.varlong, one.varlongBytesUsed, (r) => r.varlong(), "varlong");
    }
  });
});

describe("hashes", () => {
  interface Hashes {
    readonly murmur2: readonly { readonly keyHex: string; readonly murmur2: number; readonly [partitions: `mod${number}`]: number }[];
    readonly crc: readonly { readonly hex: string; readonly crc32c: number }[];
    readonly coordinator: readonly { readonly id: string; readonly javaHashCode: number; readonly [of: `partitionOf${number}`]: number }[];
    readonly shareCoordinator: readonly { readonly key: string; readonly partitionOf50: number }[];
    readonly uuid: readonly { readonly hex: string; readonly text: string }[];
  }
  const hashes = goldenJson<Hashes>("hashes.json");

  test("murmur2 and the partition of a key", () => {
    for (const one of hashes.murmur2) {
      const key = Buffer.from(one.keyHex, "hex");
      expect(murmur2(key), one.keyHex).toBe(one.murmur2);
      for (const [name, partition] of Object.entries(one)) if (name.startsWith("mod")) expect(partitionOfKey(key, Number(name.slice(3)))).toBe(partition);
    }
  });

  test("the partition of a coordinator's key", () => {
    for (const one of hashes.coordinator) {
      expect(javaHash(one.id), one.id).toBe(one.javaHashCode);
      for (const [name, partition] of Object.entries(one)) if (name.startsWith("partitionOf")) expect(coordinatorPartition(one.id, Number(name.slice(11)))).toBe(partition);
    }
    for (const one of hashes.shareCoordinator) expect(coordinatorPartition(one.key, 50)).toBe(one.partitionOf50);
  });

  test("CRC-32C and uuids", () => {
    for (const one of hashes.crc) expect(crc32c(Buffer.from(one.hex, "hex"))).toBe(one.crc32c);
    for (const one of hashes.uuid) {
      expect(uuidFromBytes(Buffer.from(one.hex, "hex"))).toBe(one.text);
      expect(hex(uuidToBytes(uuid(one.text)))).toBe(one.hex);
    }
  });
});

test("numbers that do not fit are refused: at and beyond each end", () => {
  const ends = { int8: [-0x80, 0x7f], int16: [-0x8000, 0x7fff], uint16: [0, 0xffff], int32: [-0x80000000, 0x7fffffff], uint32: [0, 0xffffffff] } as const;
  for (const [type, [least, most]] of Object.entries(ends) as [keyof typeof ends, readonly [number, number]][]) {
    for (const n of [least, most]) expect(new Reader(Buffer.from(written((w) => w[type](n)), "hex"))[type]()).toBe(n);
    for (const n of [least - 1, most + 1, 0.5, Number.NaN]) expect(() => written((w) => w[type](n)), `${type} ${n}`).toThrow(UnsupportedError);
  }
  for (const n of [-(2n ** 63n), 2n ** 63n - 1n]) expect(new Reader(Buffer.from(written((w) => w.int64(n)), "hex")).int64()).toBe(n);
  for (const n of [-(2n ** 63n) - 1n, 2n ** 63n]) expect(() => written((w) => w.int64(n))).toThrow(UnsupportedError);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c, crc32cParts, crc32cTable } from "../../src/base/crc32c.js";

/** Bit by bit, from the polynomial alone. */
function slow(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  test.each([
    ["", 0],
    ["123456789", 0xe3069283], // the check value of the catalogue of CRCs
    ["a", 0xc1d04330],
  ])("of %j is known", (text, sum) => {
    expect(crc32c(Buffer.from(text))).toBe(sum);
  });

  test.each([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 times ff", new Uint8Array(32).fill(255), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ])("of %s is as RFC 3720 B.4 says", (_, bytes, sum) => {
    expect(crc32c(bytes)).toBe(sum);
  });

  test("both makings agree with the definition, at every length and alignment", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(7), (bytes, skip) => {
        const view = bytes.subarray(Math.min(skip, bytes.length));
        const right = slow(view);
        expect(crc32cTable(view)).toBe(right);
        expect(crc32c(view)).toBe(right);
      }),
    );
  });

  test("a sum goes on from a part, whichever making took the part", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (parts) => {
        expect(crc32cParts(parts)).toBe(slow(Buffer.concat(parts)));
      }),
    );
  });
});

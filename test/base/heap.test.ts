import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs } from "../../src/base/backoff.js";
import { bytesEqual, concatBytes, fromHex, toHex } from "../../src/base/bytes.js";
import { Heap } from "../../src/base/heap.js";

test("a heap gives what was pushed in order, whatever comes between", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { nil: "pop" as const })), (acts) => {
      const heap = new Heap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const act of acts) {
        if (act !== "pop") {
          heap.push(act);
          model = [...model, act].sort((a, b) => a - b);
        } else expect(heap.pop()).toBe(model.shift());
        expect(heap.peek()).toBe(model[0]);
        expect(heap.size).toBe(model.length);
      }
    }),
  );
});

test("backoff rises to its limit and stays within a quarter below", () => {
  const limits = { firstMs: 50, maxMs: 1000 };
  for (let attempt = 0; attempt < 100; attempt++) {
    const most = Math.min(1000, 50 * 2 ** attempt);
    expect(backoffMs(attempt, limits, 0)).toBe(most * 0.75);
    expect(backoffMs(attempt, limits, 0.999999)).toBeLessThanOrEqual(most);
  }
});

test("bytes join, compare and read as hex", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (parts) => {
      const joined = concatBytes(parts);
      expect(bytesEqual(joined, Buffer.concat(parts))).toBe(true);
      expect(bytesEqual(fromHex(toHex(joined)), joined)).toBe(true);
      expect(bytesEqual(joined, concatBytes([joined, Uint8Array.of(0)]))).toBe(false);
    }),
  );
});

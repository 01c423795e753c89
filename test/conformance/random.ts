import { describe, expect, test } from "vitest";
import { NO_UUID, uuid } from "../../src/base/ids.js";
import { Halted } from "../../src/world/world.js";
import { type MakeMaking, within } from "./making.js";

export function describeRandom(name: string, make: MakeMaking): void {
  describe(`Random: ${name}`, () => {
    test("below stays below and reaches every number of a small range", () =>
      within(make, async (making) => {
        const { random } = await making.world();
        const seen = new Set(Array.from({ length: 1000 }, () => random.below(6)));
        expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5]);
        expect(random.below(1)).toBe(0);
        for (let i = 0; i < 100; i++) {
          const drawn = random.below(2 ** 32);
          expect(Number.isInteger(drawn) && drawn >= 0 && drawn < 2 ** 32).toBe(true);
        }
      }));

    test("below refuses ranges that it does not have", () =>
      within(make, async (making) => {
        const { random } = await making.world();
        for (const end of [0, -1, 1.5, 2 ** 32 + 1, NaN]) expect(() => random.below(end)).toThrow();
      }));

    test("a fraction is from 0 to below 1 and spreads", () =>
      within(make, async (making) => {
        const { random } = await making.world();
        const drawn = Array.from({ length: 1000 }, () => random.fraction());
        expect(drawn.every((one) => one >= 0 && one < 1)).toBe(true);
        expect(new Set(drawn.map((one) => Math.floor(one * 10))).size).toBe(10);
      }));

    test("uuids are distinct, well formed, and none begins with a dash", () =>
      within(make, async (making) => {
        const { random } = await making.world();
        const ids = Array.from({ length: 1000 }, () => random.uuid());
        expect(new Set(ids).size).toBe(1000);
        for (const id of ids) {
          expect(uuid(id)).toBe(id);
          expect(id.startsWith("-") || id === NO_UUID).toBe(false);
        }
      }));

    test("the long form is a version 4 uuid", () =>
      within(make, async (making) => {
        const { random } = await making.world();
        expect(random.uuidLong()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(random.uuidLong()).not.toBe(random.uuidLong());
      }));

    test("bytes are as many as asked, and the caller's own", () =>
      within(make, async (making) => {
        const { random } = await making.world();
        const [a, b] = [random.bytes(32), random.bytes(32)];
        expect([a.length, b.length, random.bytes(0).length]).toEqual([32, 32, 0]);
        expect(a).not.toEqual(b);
        expect(a.buffer).not.toBe(b.buffer);
      }));

    test("after halt every draw throws", () =>
      within(make, async (making) => {
        const { random, halt } = await making.world();
        halt("test");
        for (const draw of [() => random.below(2), () => random.fraction(), () => random.uuid(), () => random.uuidLong(), () => random.bytes(1)]) expect(draw).toThrow(Halted);
      }));
  });
}

import { describe, expect, test } from "vitest";
import type { Labels, Meter } from "../../src/world/meter.js";

/** What a scrape would see: a value, a histogram's counts up to each bound, or nothing. */
export interface Reading {
  readonly value: number;
  readonly buckets: readonly { readonly upTo: number; readonly count: number }[];
}

export function describeMeter(name: string, make: () => { readonly meter: Meter; read(metric: string, labels?: Labels): Reading | null }): void {
  describe(`Meter: ${name}`, () => {
    test("the same name and labels give the same instrument, whatever the labels' order", () => {
      const { meter, read } = make();
      meter.counter("k_total", "help", { a: "1", b: "2" }).add(2);
      meter.counter("k_total", "help", { b: "2", a: "1" }).add(3);
      meter.counter("k_total", "help", { a: "1", b: "3" }).add(10);
      meter.gauge("k_now", "help").set(7);
      meter.gauge("k_now", "help").set(-1);
      expect(read("k_total", { a: "1", b: "2" })?.value).toBe(5);
      expect(read("k_total", { a: "1", b: "3" })?.value).toBe(10);
      expect(read("k_now")?.value).toBe(-1);
      expect(read("k_other")).toBeNull();
    });

    test("an observed value is read at the scrape; the last observer counts, and only it can take itself away", () => {
      const { meter, read } = make();
      let value = 1;
      const first = meter.observe("k_seen", "help", () => value);
      value = 2;
      expect(read("k_seen")?.value).toBe(2);
      const second = meter.observe("k_seen", "help", () => 100 + value);
      first.remove();
      expect(read("k_seen")?.value).toBe(102);
      second.remove();
      expect(read("k_seen")).toBeNull();
    });

    test("a histogram counts up to and including each bound", () => {
      const { meter, read } = make();
      const histogram = meter.histogram("k_ms", "help", [1, 5, 10], { api: "x" });
      for (const value of [0, 1, 1.5, 5, 7, 10, 11, 1000]) histogram.record(value);
      meter.histogram("k_ms", "help", [1, 5, 10], { api: "x" }).record(3);
      expect(read("k_ms", { api: "x" })).toEqual({
        value: 1038.5,
        buckets: [{ upTo: 1, count: 2 }, { upTo: 5, count: 5 }, { upTo: 10, count: 7 }, { upTo: Infinity, count: 9 }],
      });
    });

    test("refuses what would make the numbers lie", () => {
      const { meter } = make();
      meter.gauge("k_kind", "help");
      expect(() => meter.counter("k_kind", "help")).toThrow();
      expect(() => meter.gauge("not a name", "help")).toThrow();
      expect(() => meter.counter("k_down", "help").add(-1)).toThrow();
      expect(() => meter.histogram("k_h", "help", [5, 1])).toThrow();
    });
  });
}

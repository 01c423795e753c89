import { describe, expect, test } from "vitest";
import { check, type Sent } from "./checker.js";

const sent: Sent[] = ["a", "b", "c"].map((value, sequence) => ({ value, producer: "p", sequence, partition: 0, outcome: "acknowledged" }));
const clean = { lost: [], doubled: [], reordered: [], unexpected: [] };

describe("the checker", () => {
  test("accepts a log that explains everything", () => expect(check(sent, new Map([[0, ["a", "b", "c"]]]))).toEqual(clean));
  test("sees a lost value", () => expect(check(sent, new Map([[0, ["a", "c"]]]))).toEqual({ ...clean, lost: ["b"] }));
  test("sees a doubled value", () => expect(check(sent, new Map([[0, ["a", "b", "b", "c"]]])).doubled).toEqual(["b"]));
  test("sees swapped values", () => expect(check(sent, new Map([[0, ["b", "a", "c"]]])).reordered).toEqual(["a"]));
  test("sees what nobody sent", () => expect(check(sent, new Map([[0, ["a", "b", "c", "x"]]])).unexpected).toEqual(["x"]));
  test("lets an unknown outcome be absent", () => expect(check([...sent, { value: "d", producer: "p", sequence: 3, partition: 0, outcome: "unknown" }], new Map([[0, ["a", "b", "c"]]]))).toEqual(clean));
});

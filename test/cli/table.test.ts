import { expect, test } from "vitest";
import { table } from "../../src/cli/table.js";

test("numbers line up on the right, words on the left, nothing trails", () => {
  expect(table(["TOPIC", "COUNT", "NOTE"], [["a", 1, "x"], ["longer-name", 12345678, ""]])).toBe(
    ["TOPIC        COUNT     NOTE", "a                   1  x", "longer-name  12345678"].join("\n"),
  );
});

test("without rows there is the head alone", () => {
  expect(table(["A", "B"], [])).toBe("A  B");
});

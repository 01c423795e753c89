/** What cannot be simulated is refused in one line that says what can be. */
import { expect, test } from "vitest";
import { CliError } from "../../src/cli/kafka-client.js";
import { drawing } from "../../src/cli/simulate.js";

const good = { faults: "swarm", nodes: null, minutes: null };

test.each([
  [{ ...good, faults: "kill,earthquake" }, "earthquake"],
  [{ ...good, nodes: 0 }, "--nodes"],
  [{ ...good, nodes: 12 }, "--nodes"],
  [{ ...good, minutes: NaN }, "--minutes"],
  [{ ...good, minutes: 0 }, "--minutes"],
])("refused: %o", (options, told) => {
  expect(() => drawing(options)).toThrow(CliError);
  expect(() => drawing(options)).toThrow(told);
});

test("taken: kinds with spaces between them, and what is left out is the seed's", () => {
  expect(drawing({ ...good, faults: "kill, freeze" })).toEqual({ faults: ["kill", "freeze"] });
  expect(drawing({ faults: "none", nodes: 9, minutes: 2 })).toEqual({ faults: "none", nodes: 9, faultsMs: 120_000 });
});

/** A drawn plan, run whole: the same seed gives the same run whatever ran before it and whether lines are kept, and kills alone hurt nothing. */
import { describe, expect, test } from "vitest";
import { drawPlan } from "../../src/sim/plan-draw.js";
import { PARTS } from "../../src/sim/parts.js";
import { runPlan } from "../../src/sim/run-plan.js";
import type { RunResult } from "../../src/sim/run.js";

const LONG_MS = 120_000;
const plan = (seed: string, faults: readonly string[] = ["kill"]) => drawPlan(seed, { nodes: 3, faults, faultsMs: 8_000 });
const facts = ({ traceHash, diskHash, events, violations, bites }: RunResult) => ({ traceHash, diskHash, events, violations, bites });

describe("a run", () => {
  test("of one plan is the same alone, after another one, and with lines for people", async () => {
    const alone = await runPlan(plan("d1"), PARTS);
    const other = await runPlan(plan("d2", ["isolate", "kill"]), PARTS);
    const after = await runPlan(plan("d1"), PARTS);
    const told = await runPlan(plan("d1"), PARTS, { text: true });
    expect(facts(after)).toEqual(facts(alone));
    expect(facts(told)).toEqual(facts(alone));
    expect(other.traceHash).not.toBe(alone.traceHash);
  }, LONG_MS);

  test("under kills takes effect, acknowledges records, and breaks nothing", async () => {
    const result = await runPlan(plan("k1"), PARTS);
    expect(result.violations).toEqual([]);
    expect(result.bites["kill"] ?? 0).toBeGreaterThan(0);
    expect(result.acknowledged.all + result.acknowledged.leader).toBeGreaterThan(0);
  }, LONG_MS);
});

test("a plan is data: drawn twice it is equal, and it survives JSON", () => {
  const drawn = plan("p1", ["kill", "power-loss"]);
  expect(plan("p1", ["kill", "power-loss"])).toEqual(drawn);
  expect(JSON.parse(JSON.stringify(drawn))).toEqual(drawn);
});

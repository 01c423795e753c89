/** Plans that failed once, played with the real clients and all invariants. Each is red when its fix is reverted. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PARTS } from "../../src/sim/parts.js";
import type { Plan } from "../../src/sim/plan.js";
import { runPlan } from "../../src/sim/run-plan.js";

const kept = (name: string) => JSON.parse(readFileSync(join(__dirname, "plans", `${name}.json`), "utf8")) as Plan;

test("segments of one log leave the disk oldest first, also when a removal is slow and the next one begins", async () => {
  const plan = kept("segments-removed-out-of-order");
  const short: Plan = { ...plan, phases: { ...plan.phases, faultsMs: 25_000 }, faults: plan.faults.filter((fault) => fault.atMs < 25_000) };
  expect((await runPlan(short, PARTS)).violations).toEqual([]);
}, 60_000);

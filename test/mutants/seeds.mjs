// Runs seeds on the build in a folder, one line of JSON each, until one is caught or all have passed. A process of its own, since a mutant may hang.
//   node seeds.mjs FOLDER FAULTS SEED…        FAULTS: none, swarm
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder = "", faults = "none", ...seeds] = process.argv.slice(2);
const load = createRequire(join(folder, "package.json"));
const { drawPlan } = load("./dist/sim/plan-draw.js");
const { runPlan } = load("./dist/sim/run-plan.js");
const { watchInvariants } = load("./dist/sim/invariants/all.js");
const { startWorkload } = load("./dist/sim/workload/workload.js");

const QUIET_MS = 15_000; // of a run without faults, which clients alone judge
const REAL_MAX_MS = 150_000;

for (const seed of seeds) {
  const plan = drawPlan(seed, { faults, ...(faults === "none" ? { faultsMs: QUIET_MS } : {}) });
  const parts = { workload: (run) => startWorkload(run, { keep: false }), invariants: faults === "none" ? () => [] : watchInvariants };
  const result = await runPlan(plan, parts, { maxRealMs: REAL_MAX_MS });
  const [violation = null] = result.violations;
  process.stdout.write(`${JSON.stringify({ seed, rule: violation?.rule ?? null, text: violation?.text.slice(0, 2_000) ?? "", atMs: Math.round(violation?.atMs ?? result.virtualMs), realMs: Math.round(result.realMs), events: result.events, acknowledged: result.acknowledged, sometimes: result.sometimes })}\n`);
  if (violation !== null) break;
}
process.exit(0); // what a broken build has left behind keeps nobody

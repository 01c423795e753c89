// Runs seeds on the build in a folder, one line of JSON each, until one is caught or all have passed. A process of its own, since a mutant may hang.
//   node seeds.mjs FOLDER FAULTS SHORT SEED…        FAULTS: none, swarm; SHORT: milliseconds of faults, or nothing for what the seed draws
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder = "", faults = "none", short = "", ...seeds] = process.argv.slice(2);
const load = createRequire(join(folder, "package.json"));
const { drawPlan } = load("./dist/sim/plan-draw.js");
const { runPlan } = load("./dist/sim/run-plan.js");
const { watchInvariants } = load("./dist/sim/invariants/all.js");
const { startWorkload } = load("./dist/sim/workload/workload.js");

const QUIET_MS = 5_000; // of a run without faults, which clients alone judge
const REAL_MAX_MS = 150_000;
const SHORT_MAX_EVENTS = 120_000; // a short run that is larger tells nothing, for the time it would take

for (const seed of seeds) {
  const plan = drawPlan(seed, { faults, ...(faults === "none" ? { faultsMs: QUIET_MS } : short === "" ? {} : { faultsMs: Number(short) }) });
  const parts = { workload: (run) => startWorkload(run, { keep: false }), invariants: faults === "none" ? () => [] : watchInvariants };
  const result = await runPlan(plan, parts, { maxRealMs: REAL_MAX_MS, ...(short === "" ? {} : { maxEvents: SHORT_MAX_EVENTS }) });
  const [violation = null] = short === "" ? result.violations : result.violations.filter(({ rule }) => rule !== "cap");
  process.stdout.write(`${JSON.stringify({ seed, rule: violation?.rule ?? null, text: violation?.text.slice(0, 2_000) ?? "", atMs: Math.round(violation?.atMs ?? result.virtualMs), realMs: Math.round(result.realMs), events: result.events, acknowledged: result.acknowledged, sometimes: result.sometimes })}\n`);
  if (violation !== null) break;
}
process.exit(0); // what a broken build has left behind keeps nobody

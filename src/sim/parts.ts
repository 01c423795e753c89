/** What every run consists of beside nodes and faults: the clients with the judge of what they see, and all invariants. */
import { watchInvariants } from "./invariants/all.js";
import type { Parts } from "./run-plan.js";
import { startWorkload } from "./workload/workload.js";

export const PARTS: Parts = { workload: (run) => startWorkload(run, { keep: false }), invariants: watchInvariants };

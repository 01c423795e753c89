import type { FailedSync } from "../evidence/evidence.js";
import { type Invariant } from "./invariant.js";

/** After a sync has failed the process says nothing more to anybody, and ends. */
export const fsyncFailureIsFinal: Invariant = {
  name: "fsync-failure-is-final",
  source: "design §5, §7; reliability.md S2; Rebello et al., ATC 2020",
  watch(run, evidence) {
    const failed: (FailedSync & { readonly atCount: number })[] = [];
    const processOf = (name: string) => name.slice(0, name.lastIndexOf("/"));
    evidence.onSyncFailed.on((one) => failed.push({ ...one, atCount: run.sim.scheduler.count }));
    evidence.onSent.on(({ node, life }) => {
      if (failed.length === 0) return;
      const one = failed.find((other) => processOf(other.life.thread.name) === processOf(life.thread.name) && run.sim.scheduler.count > other.atCount);
      if (one !== undefined) run.violate("fsync-failure-is-final", `node ${node} sends messages after a sync of ${one.path} has failed`);
    });
    return {
      onEvent() {
        if (failed.length === 0) return;
        for (let i = failed.length - 1; i >= 0; i--) {
          const one = failed[i];
          if (one === undefined) continue;
          if (one.life.halted) failed.splice(i, 1);
          else if (run.sim.scheduler.count > one.atCount) {
            failed.splice(i, 1);
            run.violate("fsync-failure-is-final", `node ${one.node} goes on after a sync of ${one.path} has failed`);
          }
        }
      },
    };
  },
};

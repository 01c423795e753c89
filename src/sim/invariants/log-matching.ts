import { type Invariant } from "./invariant.js";

/** An index and a term name one entry, and by the term before it the whole log up to it: on all disks, at all times. */
export const logMatching: Invariant = {
  name: "log-matching",
  source: "design §11 log matching; reliability.md R4; Raft §5.3",
  watch(run, { raft }) {
    raft.onClash.on(({ node, known, text }) => {
      if (run.excuses.isDamaged(node.id)) return;
      run.violate("log-matching", `entry ${known.index} of term ${known.term} is different on node ${node.id}: ${text}`);
    });
    return {};
  },
};

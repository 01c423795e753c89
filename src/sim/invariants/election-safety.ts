import { type Invariant } from "./invariant.js";

/** Judged by the messages that only leaders send. */
export const electionSafety: Invariant = {
  name: "election-safety",
  source: "design §11 election safety; reliability.md R1; Raft §5.2",
  watch(run, { raft }) {
    const leaders = new Map<number, string>();
    raft.onLeads.on(({ key, word }) => {
      const known = leaders.get(word.term);
      if (known === undefined) leaders.set(word.term, key);
      else if (known !== key) run.violate("election-safety", `in term ${word.term} both ${known} and ${key} send as leaders`);
    });
    return {};
  },
};

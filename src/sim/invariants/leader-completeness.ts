import { type Invariant } from "./invariant.js";

/** Who leads a term has, on its disk, every entry that was committed in an earlier one. */
export const leaderCompleteness: Invariant = {
  name: "leader-completeness",
  source: "design §11 leader completeness; reliability.md R5; Raft §5.4.3",
  watch(run, { raft }) {
    /** By index: the term in which it was told to be committed. */
    const told: number[] = [0];
    raft.onCommitTold.on(({ term, index }) => {
      for (let i = told.length; i <= index; i++) told[i] = term === 0 ? raft.newestTerm : term;
    });
    raft.onLeads.on(({ node, key, word }) => {
      if (run.excuses.isDamaged(node.id)) return;
      let last = raft.committedEnd;
      while (last > 0 && (told[last] ?? Infinity) >= word.term) last--;
      const fact = raft.committed[last];
      if (fact === null || fact === undefined || node.keeps(fact)) return;
      const has = node.durableEntry(last);
      run.violate("leader-completeness", `${key} leads in term ${word.term} without committed entry ${last} of term ${fact.term}: its disk has ${has === null ? "nothing there" : `one of term ${has.term}`}`);
    });
    return {};
  },
};

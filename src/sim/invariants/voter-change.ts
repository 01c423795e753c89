import { votersChanged } from "../../raft/members.js";
import type { EntryFact } from "../evidence/raft-node.js";
import { type Invariant } from "./invariant.js";

/** Memberships that follow each other differ in one voter; the next one is begun only when the one before, and an entry of the leader's term, are committed. */
export const voterChange: Invariant = {
  name: "voter-change",
  source: "reliability.md R12; Ongaro's thesis §4.1; raft-dev 2015, single-server bug",
  watch(run, { raft }) {
    const seen = new Set<EntryFact>();
    raft.onEntry.on(({ node, fact }) => {
      if (fact.members === null || seen.has(fact) || fact.index === 1) return;
      seen.add(fact);
      const before = raft.membersBefore(fact);
      if (before?.members == null) return; // within a snapshot
      const { members } = before;
      const changed = votersChanged(members, fact.members);
      if (changed > 1) return run.violate("voter-change", `${changed} voters change between entries ${before.index} and ${fact.index}, of node ${node.id}`);
      if (raft.committed[before.index] !== before && !raft.isQuorumOf(members, before)) return run.violate("voter-change", `entry ${fact.index} changes the membership of entry ${before.index}, which is not on a majority of disks yet`);
      // An entry of the term that is on a majority: of this log, before this one.
      for (let at = raft.facts.of(fact.index - 1, fact.previousTerm); at !== null && at.term === fact.term; at = raft.facts.of(at.index - 1, at.previousTerm)) {
        if (raft.committed[at.index] === at || raft.isQuorumOf(members, at)) return;
      }
      run.violate("voter-change", `entry ${fact.index} changes the membership in term ${fact.term}, of which nothing is on a majority of disks yet`);
    });
    return {};
  },
};

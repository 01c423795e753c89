import type { EntryFact } from "../evidence/raft-node.js";
import { type Invariant } from "./invariant.js";

/**
 * What a leader tells to be committed is of its own term, or before such an entry, and was on the disks of a majority of voters. A follower's word
 * about its log, on which the leader counts, covers only what is on its disk.
 */
export const commitRule: Invariant = {
  name: "commit-rule",
  source: "design §11 commit only own term, after fsync on a quorum; reliability.md R7; Raft §5.4.2",
  watch(run, { raft }) {
    const violate = (text: string) => run.violate("commit-rule", text);
    const has = (fact: EntryFact): string => [...fact.durableOn].join(", ") || "no disk";
    raft.onCommitTold.on(({ by, term, index, fact }) => {
      const who = term === 0 ? `node ${by.id}, on the metadata feed,` : `${by.key ?? by.id}, leader of term ${term},`;
      if (fact === null) return violate(`${who} tells that entry ${index} is committed, and no disk has it`);
      if (term !== 0 && fact.term !== term) return violate(`${who} tells that entry ${index} of term ${fact.term} is committed, by itself`);
      // In force is the newest membership of the log, committed or not. A leader that appends another one may have counted before.
      const newest = (by.lastWritten ?? fact).inForce;
      const own = fact.inForce;
      const counted = [newest, own, own === null ? null : raft.membersBefore(own)].filter((one) => one !== null);
      if (counted.length === 0) return violate(`${who} tells that entry ${index} is committed, and there are no voters`);
      if (!counted.some((one) => one.members !== null && raft.isQuorumOf(one.members, fact))) violate(`${who} tells that entry ${index} of term ${fact.term} is committed; it was durable on ${has(fact)}`);
    });
    raft.onAppendAnswer.on(({ node, key, word }) => {
      const match = word.four;
      if (match === 0 || run.excuses.isDamaged(node.id) || match <= node.durableEnd) return;
      violate(`${key} tells that it has the log up to ${match} on its disk, and it ends at ${node.durableEnd}`);
    });
    return {};
  },
};

import type { Vote } from "../evidence/raft-node.js";
import { type Invariant } from "./invariant.js";

/** One candidate a term and disk; when a vote leaves, the record that the disk would keep without power says so; durable terms never fall. */
export const voteOnceDurably: Invariant = {
  name: "vote-once-durably",
  source: "design §11 vote once, durably; reliability.md R2, R3; Raft §5.2, figure 2",
  watch(run, { raft }) {
    const violate = (text: string) => run.violate("vote-once-durably", text);
    const votes = new Map<string, string>();
    const newest = new Map<string, Vote>();
    const once = (key: string, term: number, candidate: string) => {
      const at = `${key} ${term}`;
      const known = votes.get(at);
      if (known === undefined) votes.set(at, candidate);
      else if (known !== candidate) violate(`${key} votes for ${known} and for ${candidate} in term ${term}`);
    };
    raft.onVoteDurable.on(({ key, now }) => {
      if (key === null) return;
      const before = newest.get(key);
      if (before !== undefined && now.term < before.term) violate(`the durable term of ${key} falls from ${before.term} to ${now.term}`);
      newest.set(key, now);
      if (now.votedFor !== null) once(key, now.term, now.votedFor);
    });
    raft.onVote.on(({ node, key, to, word }) => {
      const { vote } = node;
      const own = word.kind === "vote";
      const what = own ? `asks for votes in term ${word.term}` : `grants node ${to} its vote in term ${word.term}`;
      const stands = vote !== null && vote.term === word.term && (own ? vote.votedFor === key : vote.votedFor?.startsWith(`${to}/`) === true);
      if (!stands) return violate(`${key} ${what}, and its disk has ${vote === null ? "no vote" : `term ${vote.term}, vote for ${vote.votedFor ?? "nobody"}`}`);
      once(key, word.term, vote.votedFor ?? "");
    });
    raft.onLeads.on(({ node, key, word }) => {
      const { vote } = node;
      if (vote === null || vote.term < word.term || (vote.term === word.term && vote.votedFor !== key)) violate(`${key} leads in term ${word.term} without its own durable vote`);
    });
    return {};
  },
};

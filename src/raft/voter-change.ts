/** What a change asked for makes of the membership, or why it is refused. */
import type { Raft } from "./core/state.js";
import type { ChangeResult, VoterChange } from "./quorum.js";
import { keyOf, type Membership } from "./types.js";

export type NextMembership = { readonly ok: true; readonly members: Membership } | Extract<ChangeResult, { readonly ok: false }>;

export function nextMembership(raft: Raft, change: VoterChange, nowMs: number): NextMembership {
  const { voters, learners } = raft.log.members;
  const invalid = (message: string): NextMembership => ({ ok: false, error: "invalid", message });
  if (change.kind === "add-learner") {
    if ([...voters, ...learners].some((one) => keyOf(one) === keyOf(change.member))) return invalid(`node ${change.member.id} is a member already`);
    return { ok: true, members: { voters, learners: [...learners.filter((one) => one.id !== change.member.id), change.member] } };
  }
  const key = keyOf(change);
  const voter = voters.find((one) => keyOf(one) === key);
  const learner = learners.find((one) => keyOf(one) === key);
  const otherLearners = learners.filter((one) => one !== learner);
  switch (change.kind) {
    case "remove-learner":
      return learner === undefined ? invalid(`${key} is no learner`) : { ok: true, members: { voters, learners: otherLearners } };
    case "remove-voter":
      if (voter === undefined) return invalid(`${key} is no voter`);
      if (voters.length === 1) return invalid("the last voter cannot be removed");
      return { ok: true, members: { voters: voters.filter((one) => one !== voter), learners } };
    case "promote": {
      if (learner === undefined) return invalid(`${key} is no learner`);
      if (voters.some((one) => one.id === change.id)) return invalid(`node ${change.id} is a voter on another disk: that one is removed first`);
      const progress = raft.role.name === "leader" ? raft.role.progress.get(key) : undefined;
      const caughtUp = progress !== undefined && nowMs - progress.caughtUpMs < raft.timing.electionMs;
      // A voter that is far behind counts for the majority and cannot help it.
      if (!caughtUp) return { ok: false, error: "not-caught-up", message: `node ${change.id} has not caught up yet` };
      return { ok: true, members: { voters: [...voters, learner], learners: otherLearners } };
    }
  }
}

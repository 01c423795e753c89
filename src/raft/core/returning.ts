/**
 * A voter whose disk was wiped comes back as another member, and never votes under its old name. It follows as a learner; once it has been in step for a while
 * and its old disk has stayed silent as long, it takes that disk's place by two single-server changes: the old voter goes, then the learner votes. What a
 * learner stands for lies in the log, so that a new leader finishes what an old one began. Reliability.md R3, R12; KIP-853, KIP-1186.
 */
import { keyOf, type Member, type Membership } from "../types.js";
import { mayChange } from "./membership.js";
import type { LeaderRole, Raft } from "./state.js";

export interface Returning {
  readonly members: Membership;
  readonly who: Member;
  /** old-leaves: the wiped disk is no voter any more. votes: the new one is. old-is-back: the old disk was found again, and the learner is dropped. */
  readonly step: "old-leaves" | "votes" | "old-is-back";
}

/** The membership with a node of ours that came on a disk which is no member. */
export function withNewcomer({ voters, learners }: Membership, { id, directoryId, host, port }: Member): Membership {
  const replaces = voters.find((one) => one.id === id)?.directoryId ?? learners.find((one) => one.id === id)?.replaces;
  const learner: Member = { id, directoryId, host, port, ...(replaces === undefined ? {} : { replaces }) };
  return { voters, learners: [...learners.filter((one) => one.id !== id), learner] };
}

/** The next change that a wiped voter's return asks for; null while there is none to make. */
export function nextReturn(raft: Raft, nowMs: number): Returning | null {
  const { role, log } = raft;
  if (role.name !== "leader" || log.members.learners.every((one) => one.replaces === undefined)) return null;
  for (const who of [...log.members.learners].sort((a, b) => a.id - b.id)) {
    const next = returnOf(raft, role, who, nowMs);
    if (next !== null && mayChange(raft, next.members)) return next;
  }
  return null;
}

function returnOf(raft: Raft, role: LeaderRole, who: Member, nowMs: number): Returning | null {
  if (who.replaces === undefined || who.id === raft.self.id) return null; // a twin of ours would have us leave
  const { voters, learners } = raft.log.members;
  const { electionMs, returnAfterMs } = raft.timing;
  const progress = role.progress.get(keyOf(who));
  if (progress === undefined) return null;
  const old = voters.find((one) => one.id === who.id);
  const others = learners.filter((one) => one !== who);
  const inStep = nowMs - progress.caughtUpMs < electionMs;
  if (old === undefined) {
    const { replaces: _, ...voter } = who;
    return inStep ? { members: { voters: [...voters, voter], learners: others }, who, step: "votes" } : null;
  }
  const oldSilentMs = nowMs - (role.progress.get(keyOf(old))?.heardMs ?? nowMs);
  if (inStep && nowMs - progress.inStepSinceMs >= returnAfterMs && oldSilentMs >= returnAfterMs) {
    return { members: { voters: voters.filter((one) => one !== old), learners }, who, step: "old-leaves" };
  }
  if (oldSilentMs < electionMs && nowMs - progress.heardMs >= returnAfterMs) return { members: { voters, learners: others }, who, step: "old-is-back" };
  return null;
}

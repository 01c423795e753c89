/** Who may lead: pre-votes, votes, terms. One grant a term, durable before it leaves, to a log as complete as ours. Raft §5.2, §5.4.1; thesis §9.6; KIP-996. */
import { isQuorum } from "../members.js";
import { keyOf, type MemberKey } from "../types.js";
import { isAsComplete } from "./entries.js";
import { becomeLeader } from "./leader.js";
import type { Message, MessageOf } from "./messages.js";
import { enterTerm, mayCampaign, mayVote, restartElectionTimer, stepDown, voteIsDurable, type Out, type Raft } from "./state.js";

/** A follower whose leader's port refuses asks this much later than the one before it in order of ids, so that the first usually wins. */
const RANK_MS = 25;

/** Asks whether an election could be won, without disturbing anybody's term. */
export function startElection(raft: Raft, out: Out): void {
  raft.leader = null;
  if (!mayCampaign(raft)) {
    if (raft.role.name !== "leader") raft.role = { name: "follower" };
    restartElectionTimer(raft, out.nowMs);
    return;
  }
  raft.role = { name: "prospective", granted: new Set([raft.key]) };
  // Pre-votes cost nothing, so they are asked again sooner than silence takes.
  raft.electionAtMs = out.nowMs + raft.timing.electionMs * (0.3 + 0.3 * raft.draw());
  if (isQuorum(raft.log.members, (key) => key === raft.key)) return becomeCandidate(raft, false, out);
  for (const voter of others(raft)) out.send(voter, { kind: "pre-vote", term: raft.term + 1, last: raft.log.last });
}

function becomeCandidate(raft: Raft, transfer: boolean, out: Out): void {
  raft.term++;
  raft.votedFor = raft.key;
  raft.leader = null;
  raft.role = { name: "candidate", granted: new Set() }; // our own vote counts once it is durable
  raft.electionAtMs = out.nowMs + raft.timing.electionMs * (0.5 + 0.5 * raft.draw());
  out.save();
  for (const voter of others(raft)) out.promise(voter, { kind: "vote", term: raft.term, last: raft.log.last, transfer });
}

/** Counts the votes: after each grant, and once our own is durable. */
export function countVotes(raft: Raft, out: Out): void {
  if (raft.role.name !== "candidate") return;
  const { granted } = raft.role;
  if (voteIsDurable(raft)) granted.add(raft.key);
  if (granted.has(raft.key) && isQuorum(raft.log.members, (key) => granted.has(key))) becomeLeader(raft, out);
}

/** Leader stickiness: who hears a leader helps nobody to replace it. */
function hearsLeader(raft: Raft, nowMs: number): boolean {
  return raft.role.name === "leader" || (raft.leader !== null && nowMs - raft.heardMs < raft.timing.electionMs);
}

export function onPreVote(raft: Raft, from: MemberKey, ask: MessageOf<"pre-vote">, out: Out): void {
  const granted = ask.term > raft.term && !hearsLeader(raft, out.nowMs) && isAsComplete(ask.last, raft.log.last) && mayVote(raft);
  out.send(from, { kind: "pre-vote-answer", term: granted ? ask.term : raft.term, granted });
  // Two that ask at once would split the votes of the term to come: one of them waits.
  if (granted && raft.role.name === "prospective" && from < raft.key) {
    raft.role = { name: "follower" };
    raft.electionAtMs = out.nowMs + raft.timing.electionMs * (0.3 + 0.3 * raft.draw());
  }
}

export function onVote(raft: Raft, from: MemberKey, ask: MessageOf<"vote">, out: Out): void {
  const refuse = () => out.send(from, { kind: "vote-answer", term: raft.term, granted: false });
  // A candidate that did not hear the leader that we hear must not even move our term, unless that leader asked it to stand.
  if (ask.term > raft.term && hearsLeader(raft, out.nowMs) && !ask.transfer) return refuse();
  if (ask.term > raft.term) enterTerm(raft, ask.term, out);
  const free = raft.votedFor === null || raft.votedFor === from;
  if (ask.term < raft.term || !free || raft.leader !== null || !isAsComplete(ask.last, raft.log.last) || !mayVote(raft)) return refuse();
  if (raft.votedFor === null) {
    raft.votedFor = from;
    out.save();
  }
  raft.role = { name: "follower" };
  restartElectionTimer(raft, out.nowMs);
  out.promise(from, { kind: "vote-answer", term: raft.term, granted: true });
}

export function onPreVoteAnswer(raft: Raft, from: MemberKey, answer: MessageOf<"pre-vote-answer">, out: Out): void {
  if (raft.role.name !== "prospective" || !answer.granted || answer.term !== raft.term + 1) return;
  raft.role.granted.add(from);
  const { granted } = raft.role;
  if (isQuorum(raft.log.members, (key) => granted.has(key))) becomeCandidate(raft, false, out);
}

export function onVoteAnswer(raft: Raft, from: MemberKey, answer: MessageOf<"vote-answer">, out: Out): void {
  if (raft.role.name !== "candidate" || !answer.granted) return;
  raft.role.granted.add(from);
  countVotes(raft, out);
}

/** The leader hands over: a candidate at once, with leave to disturb. Thesis §3.10. */
export function onTimeoutNow(raft: Raft, from: MemberKey, out: Out): void {
  if (from !== raft.leader || raft.role.name !== "follower" || !mayCampaign(raft)) return;
  stepDown(raft, out);
  becomeCandidate(raft, true, out);
}

/**
 * Terms before anything else: a higher one is entered, a lower one is over, and its sender is told.
 * @returns false when the message says nothing more to us
 */
export function settleTerm(raft: Raft, from: MemberKey, message: Exclude<Message, { kind: "vote" | "pre-vote" }>, out: Out): boolean {
  if (message.kind === "pre-vote-answer" && message.granted) return true; // its term is only proposed
  if (message.term > raft.term) enterTerm(raft, message.term, out);
  if (message.term === raft.term) return true;
  const { term } = raft;
  if (message.kind === "append") out.send(from, { kind: "append-answer", term, ok: false, previous: 0, match: 0, hint: { index: 0, term: 0 }, round: 0 });
  if (message.kind === "snapshot") out.send(from, { kind: "snapshot-answer", term, index: 0, next: 0, done: false, round: 0 });
  return false;
}

/** The leader's process is gone: no waiting for silence to tell, and who asks may replace it. */
export function onLeaderGone(raft: Raft, out: Out): void {
  const gone = raft.leader;
  raft.heardMs = -Infinity;
  raft.leader = null;
  const ranks = raft.log.members.voters.map(keyOf).filter((key) => key !== gone).sort();
  hasten(raft, Math.max(0, ranks.indexOf(raft.key)) * RANK_MS, out);
}

/** Somebody can be reached and nobody leads, as after a start of all: an election need not wait. */
export function onVoterConnected(raft: Raft, out: Out): void {
  if (raft.role.name === "candidate" || raft.leader !== null) return;
  const ranks = raft.log.members.voters.map(keyOf).sort();
  hasten(raft, Math.max(0, ranks.indexOf(raft.key)) * RANK_MS, out);
}

function hasten(raft: Raft, delayMs: number, out: Out): void {
  raft.electionAtMs = Math.min(raft.electionAtMs, out.nowMs + delayMs + raft.draw() * 10);
}

function others(raft: Raft): readonly MemberKey[] {
  return raft.log.members.voters.map(keyOf).filter((key) => key !== raft.key);
}

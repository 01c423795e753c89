/**
 * Consensus as a pure core: `step` takes one event and hands back what should now happen, in order; the order is the safety argument.
 * Ongaro's thesis: §3 (core), §4 (membership), §6.4 (reads), §9.6 (pre-vote); KIP-996; reliability.md §5.
 *
 *   follower ──silence──▶ prospective ──pre-votes──▶ candidate ──votes──▶ leader ──quorum silent, disk stalled──▶ follower
 *
 * Imports within: state ◀ membership progress ◀ reads ◀ leader, follower ◀ election ◀ raft.
 */
import { assert, unreachable } from "../../base/assert.js";
import type { MemberKey, Snapshot } from "../types.js";
import { countVotes, onLeaderGone, onPreVote, onPreVoteAnswer, onTimeoutNow, onVote, onVoteAnswer, onVoterConnected, settleTerm, startElection } from "./election.js";
import { endRepair, onAppend, onInstalled, onInstallFailed, onSnapshot } from "./follower.js";
import { onAppendAnswer, onLeaderTick, onPeerConnected, onPeerLost, onSnapshotAnswer, onTransfer, propose, tryCommit } from "./leader.js";
import type { Effect, Event, Message } from "./messages.js";
import { onRead } from "./reads.js";
import { checkRaft, Out, stepDown, type Raft } from "./state.js";

export function step(raft: Raft, event: Event, nowMs: number): readonly Effect[] {
  const out = new Out(raft, nowMs);
  const before = leadership(raft);
  switch (event.kind) {
    case "message":
      onMessage(raft, event.from, event.message, out);
      break;
    case "tick":
      if (raft.role.name === "leader") onLeaderTick(raft, raft.role, out);
      else if (nowMs >= raft.electionAtMs) startElection(raft, out);
      break;
    case "synced":
      onSynced(raft, event.writes, out);
      break;
    case "propose":
      propose(raft, event.entry, out);
      break;
    case "read":
      onRead(raft, event.id, out);
      break;
    case "transfer":
      onTransfer(raft, event.to, out);
      break;
    case "connected":
      if (raft.role.name === "leader") onPeerConnected(raft, raft.role, event.peer, out);
      else onVoterConnected(raft, out);
      break;
    case "disconnected":
      if (raft.role.name === "leader") onPeerLost(raft.role, event.peer);
      else if (event.refused && event.peer === raft.leader) onLeaderGone(raft, out);
      break;
    case "disk":
      raft.stalled = event.stalled;
      if (event.stalled && raft.role.name === "leader") stepDown(raft, out);
      break;
    case "compacted":
      onCompacted(raft, event.snapshot, out);
      break;
    case "installed":
      onInstalled(raft, event.snapshot, out);
      break;
    case "install-failed":
      onInstallFailed(raft, event.point);
      break;
    default:
      unreachable(event);
  }
  applyCommitted(raft, out);
  const after = leadership(raft);
  if (before.leader !== after.leader || before.term !== after.term || before.ready !== after.ready) out.push({ do: "lead", ...after });
  checkRaft(raft);
  return out.effects;
}

function onMessage(raft: Raft, from: MemberKey, message: Message, out: Out): void {
  if (message.kind === "pre-vote") return onPreVote(raft, from, message, out);
  if (message.kind === "vote") return onVote(raft, from, message, out);
  if (!settleTerm(raft, from, message, out)) return;
  switch (message.kind) {
    case "pre-vote-answer":
      return onPreVoteAnswer(raft, from, message, out);
    case "vote-answer":
      return onVoteAnswer(raft, from, message, out);
    case "append":
      return onAppend(raft, from, message, out);
    case "append-answer":
      return onAppendAnswer(raft, from, message, out);
    case "snapshot":
      return onSnapshot(raft, from, message, out);
    case "snapshot-answer":
      return onSnapshotAnswer(raft, from, message, out);
    case "timeout-now":
      return onTimeoutNow(raft, from, out);
    default:
      unreachable(message);
  }
}

/** The disk has caught up with some of what was wanted: what waited for it may leave, and what needs it may be counted. */
function onSynced(raft: Raft, writes: number, out: Out): void {
  const { writing } = raft;
  assert(writes >= writing.synced && writes <= writing.count, "a sync covers writes that were made");
  writing.synced = writes;
  const reached = writing.marks.filter((mark) => mark.count <= writes);
  writing.marks = writing.marks.slice(reached.length);
  for (const mark of reached) writing.durable = Math.max(writing.durable, mark.index);

  const held = writing.held;
  writing.held = held.filter((one) => one.count > writes);
  // A promise of a term that is over says nothing any more.
  for (const one of held) if (one.count <= writes && one.message.term === raft.term) out.send(one.to, one.message);

  endRepair(raft, out);
  countVotes(raft, out);
  tryCommit(raft, out);
}

/** Entries stay back to the snapshot before this one, so that a follower that is a little behind needs no snapshot. */
function onCompacted(raft: Raft, snapshot: Snapshot, out: Out): void {
  assert(snapshot.index <= raft.applied, "a snapshot holds what was applied");
  if (snapshot.index <= (raft.snapshot?.index ?? 0)) return; // a leader's came meanwhile
  raft.previousSnapshot = raft.snapshot;
  raft.snapshot = snapshot;
  const keep = raft.previousSnapshot;
  if (keep !== null && keep.index > raft.log.base.index) out.compact({ index: keep.index, term: keep.term });
}

function applyCommitted(raft: Raft, out: Out): void {
  if (raft.applied >= raft.commit) return;
  const entries = raft.log.slice(raft.applied + 1, raft.commit + 1);
  assert(entries.length === raft.commit - raft.applied, "what is committed is in the log");
  raft.applied = raft.commit;
  out.push({ do: "apply", entries });
}

function leadership(raft: Raft): Omit<Extract<Effect, { do: "lead" }>, "do"> {
  const { role } = raft;
  return { leader: raft.leader, term: raft.term, self: role.name === "leader", ready: role.name === "leader" && raft.applied >= role.firstIndex };
}

/** Plain data for tests and simulators. */
export function inspectRaft(raft: Raft) {
  const { role, writing } = raft;
  return {
    key: raft.key, term: raft.term, votedFor: raft.votedFor, role: role.name, leader: raft.leader, commit: raft.commit, applied: raft.applied,
    first: raft.log.base.index + 1, last: raft.log.last, durable: writing.durable, held: writing.held.length, repair: raft.repair !== null, stalled: raft.stalled,
    reads: role.name === "leader" ? role.reads.length : 0,
  };
}

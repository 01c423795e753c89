/** The state of one member, and the few moves that every decision shares: entering a term, falling back to follower, writing, promising. */
import { assert } from "../../base/assert.js";
import { isVoter } from "../members.js";
import { keyOf, type Entry, type HardState, type Index, type LogPoint, type Member, type MemberKey, type Snapshot, type Term } from "../types.js";
import type { Entries } from "./entries.js";
import type { Effect, Message, Timing } from "./messages.js";

export interface Raft {
  readonly self: Member;
  readonly key: MemberKey;
  readonly timing: Timing;
  /** A draw from 0 to below 1. */
  readonly draw: () => number;
  term: Term;
  votedFor: MemberKey | null;
  readonly log: Entries;
  /** The newest, and the one before it, which a transfer under way may still be sending. */
  snapshot: Snapshot | null;
  previousSnapshot: Snapshot | null;
  commit: Index;
  applied: Index;
  role: Role;
  leader: MemberKey | null;
  /** When the leader was last heard; -Infinity before that, and once it is known to be gone. */
  heardMs: number;
  electionAtMs: number;
  readonly writing: Writing;
  /** The disk has not finished a sync for an election timeout: unfit to lead. */
  stalled: boolean;
  /** Set while the log may lack what it once acknowledged; `upTo` once a leader has told how far it must reach. */
  repair: { upTo: Index | null } | null;
  incoming: Incoming | null;
}

export type Role =
  | { readonly name: "follower" }
  /** Asks whether it could win, without touching terms. */
  | { readonly name: "prospective"; readonly granted: Set<MemberKey> }
  | { readonly name: "candidate"; readonly granted: Set<MemberKey> }
  | LeaderRole;

export interface LeaderRole {
  readonly name: "leader";
  /** The no-op that opened this term: nothing is served before it is applied. */
  readonly firstIndex: Index;
  readonly sinceMs: number;
  readonly progress: Map<MemberKey, Progress>;
  heartbeatAtMs: number;
  /** Numbers what we send, so that an answer proves that we still led when it was sent. */
  round: number;
  readonly reads: PendingRead[];
  transfer: { readonly to: MemberKey; readonly untilMs: number } | null;
  uncommittedBytes: number;
}

/** What a leader knows of one follower. */
export interface Progress {
  /** On its disk and equal to ours. */
  match: Index;
  next: Index;
  /** probe: one append at a time until we agree; stream: a pipeline; snapshot: chunks; lost: no connection. */
  state: "probe" | "stream" | "snapshot" | "lost";
  /** A probe is under way. */
  paused: boolean;
  /** Appends under way by their last index, and their bytes. */
  readonly inflight: { readonly last: Index; readonly bytes: number }[];
  inflightBytes: number;
  heardMs: number;
  round: number;
  /** When it last had all that was committed, and since when it has not been behind for an election timeout. */
  caughtUpMs: number;
  inStepSinceMs: number;
  snapshot: { readonly of: Snapshot; position: number; sentMs: number } | null;
}

export interface PendingRead {
  readonly id: number;
  /** Null until an own-term entry is committed: before that the commit index may be behind. */
  index: Index | null;
  round: number;
}

/** A leader's snapshot that is coming in. */
export interface Incoming extends LogPoint {
  readonly from: MemberKey;
  readonly total: number;
  bytes: number;
  round: number;
}

/** What was wanted written, what is durable of it, and what waits for that. */
export interface Writing {
  /** Write effects so far. */
  count: number;
  /** Of these, how many are on the disk. */
  synced: number;
  /** Count at the last save of term and vote. */
  savedAt: number;
  /** Log ends by the count that makes them durable, ascending. */
  marks: { readonly count: number; index: Index }[];
  /** The end of the log that is on the disk for sure. */
  durable: Index;
  /** Messages that promise durability, held until what they promise is on the disk. */
  held: { readonly count: number; readonly to: MemberKey; readonly message: Message }[];
}

export interface Restored {
  readonly hard: HardState;
  /** Durable, all of it. */
  readonly log: Entries;
  readonly snapshot: Snapshot | null;
  readonly previousSnapshot: Snapshot | null;
  /** The log may lack what it once acknowledged. */
  readonly damaged: boolean;
}

export function makeRaft(self: Member, restored: Restored, timing: Timing, draw: () => number, nowMs: number): Raft {
  const { log, snapshot } = restored;
  const applied = snapshot?.index ?? 0;
  assert(log.base.index <= applied, "a log begins where a snapshot covers what came before");
  return {
    self,
    key: keyOf(self),
    timing,
    draw,
    term: restored.hard.term,
    votedFor: restored.hard.votedFor,
    log,
    snapshot,
    previousSnapshot: restored.previousSnapshot,
    commit: applied,
    applied,
    role: { name: "follower" },
    leader: null,
    heardMs: -Infinity,
    electionAtMs: nowMs + timing.electionMs * (0.3 + draw() * 0.7), // a pre-vote disturbs nobody, so the first one need not wait long
    writing: { count: 0, synced: 0, savedAt: 0, marks: [], durable: log.last.index, held: [] },
    stalled: false,
    repair: restored.damaged ? { upTo: null } : null,
    incoming: null,
  };
}

/** Collects the effects of one step, and performs on the state what they stand for. */
export class Out {
  readonly effects: Effect[] = [];

  constructor(readonly raft: Raft, readonly nowMs: number) {}

  push(effect: Effect): void {
    this.effects.push(effect);
  }

  send(to: MemberKey, message: Message): void {
    this.effects.push({ do: "send", to, message });
  }

  /** Leaves after everything written so far is durable. */
  promise(to: MemberKey, message: Message): void {
    const { writing } = this.raft;
    if (writing.count <= writing.synced) return this.send(to, message);
    const before = writing.held.at(-1);
    // A stalled disk must not gather a queue of answers to heartbeats: the newest says all.
    if (before !== undefined && before.count === writing.count && before.to === to && before.message.kind === "append-answer" && message.kind === "append-answer") writing.held.pop();
    writing.held.push({ count: writing.count, to, message });
  }

  /** Term and vote, as one record. */
  save(): void {
    const { raft } = this;
    raft.writing.count++;
    raft.writing.savedAt = raft.writing.count;
    this.push({ do: "save", state: { term: raft.term, votedFor: raft.votedFor } });
  }

  append(entries: readonly Entry[]): void {
    const { log, writing } = this.raft;
    for (const entry of entries) log.append(entry);
    writing.count++;
    writing.marks.push({ count: writing.count, index: log.last.index });
    this.push({ do: "append", entries });
  }

  truncate(from: Index): void {
    const { raft } = this;
    assert(from > raft.commit, "what is committed is never cut");
    assert(raft.role.name !== "leader", "a leader never cuts its own log");
    raft.log.truncate(from);
    raft.writing.count++;
    raft.writing.durable = Math.min(raft.writing.durable, from - 1);
    for (const mark of raft.writing.marks) mark.index = Math.min(mark.index, from - 1);
    this.push({ do: "truncate", from, term: raft.log.last.term });
  }

  reset(to: Snapshot): void {
    const { raft } = this;
    raft.log.reset({ index: to.index, term: to.term }, to.members);
    raft.writing.count++;
    raft.writing.marks = [];
    raft.writing.durable = to.index; // the snapshot is durable, and recovery drops a log that does not fit it
    this.push({ do: "reset", to: { index: to.index, term: to.term } });
  }

  compact(to: LogPoint): void {
    const { raft } = this;
    raft.log.compact(to);
    raft.writing.count++;
    this.push({ do: "compact", to });
  }
}

/** Our own vote, or one that we gave, is on the disk. */
export function voteIsDurable(raft: Raft): boolean {
  return raft.writing.savedAt <= raft.writing.synced;
}

/** Back to follower in the same term; the vote is kept, or a second candidate of this term could get it too. */
export function stepDown(raft: Raft, out: Out): void {
  failReads(raft, out);
  raft.role = { name: "follower" };
  raft.leader = null;
  restartElectionTimer(raft, out.nowMs);
}

/** Moves to a higher term as a follower; the vote of the old term has no meaning in it. */
export function enterTerm(raft: Raft, term: Term, out: Out): void {
  assert(term > raft.term, "terms only rise");
  failReads(raft, out);
  raft.term = term;
  raft.votedFor = null;
  raft.role = { name: "follower" };
  raft.leader = null;
  restartElectionTimer(raft, out.nowMs);
  out.save();
}

export function restartElectionTimer(raft: Raft, nowMs: number): void {
  raft.electionAtMs = nowMs + raft.timing.electionMs * (1 + raft.draw());
}

function failReads(raft: Raft, out: Out): void {
  if (raft.role.name !== "leader") return;
  for (const read of raft.role.reads) out.push({ do: "read-failed", id: read.id });
  raft.role.reads.length = 0;
}

/** A log that may lack what it acknowledged must elect nobody: the one elected might lack it too. */
export function mayVote(raft: Raft): boolean {
  return raft.repair === null;
}

export function mayCampaign(raft: Raft): boolean {
  return mayVote(raft) && !raft.stalled && isVoter(raft.log.members, raft.key);
}

/** When `tick` should come next. */
export function nextTickMs(raft: Raft): number {
  return raft.role.name === "leader" ? raft.role.heartbeatAtMs : raft.electionAtMs;
}

/** Holds between any two events. */
export function checkRaft(raft: Raft): void {
  const { log, writing, role } = raft;
  assert(log.base.index <= (raft.snapshot?.index ?? 0), "what left the log is in a snapshot");
  assert(raft.commit >= (raft.snapshot?.index ?? 0), "what a snapshot holds is committed");
  assert(raft.commit <= log.last.index, "what is committed is in the log");
  assert(raft.applied <= raft.commit, "only what is committed is applied");
  assert(writing.durable <= log.last.index, "what is durable is in the log");
  assert(writing.synced <= writing.count, "only what was written is synced");
  assert(log.last.term <= raft.term, "no entry is of a term that has not begun");
  if (role.name !== "leader") return;
  assert(raft.votedFor === raft.key, "a leader voted for itself in its term");
  assert(raft.repair === null, "a log under repair leads nobody");
  for (const progress of role.progress.values()) assert(progress.match <= log.last.index, "nobody has more of our log than we");
}

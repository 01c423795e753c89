/**
 * The door of `raft/`: a replicated log that ties the cluster together. `startQuorum` (driver.ts) makes one from a World; this file says what its user,
 * the controller, sees of it and has to give it.
 *
 *     controller ──propose, readIndex──▶ Quorum ── driver ──▶ core (pure: step(state, event, now) → effects)
 *                ◀──apply, leadership── StateMachine  │ ▲
 *                                                     ▼ │ synced, messages, timers
 *                                        store (log, vote, snapshots on disk)   peers (a stream to each member)
 */
import type { NodeId, Uuid } from "../base/ids.js";
import type { EntryKind, Index, Member, Term } from "./types.js";

export interface QuorumConfig {
  readonly nodeId: NodeId;
  /** Folder of the quorum on the World's disk; made if missing. `meta.properties` of the quorum lies in it too. */
  readonly directory: string;
  /** Expected members and where they are, this node too: `controller.quorum.voters`. Once founded, voters live in the log and these are addresses only. */
  readonly peers: readonly ExpectedPeer[];
  /** Silence of the leader that brings an election: this and up to as much again. Default 1000. */
  readonly electionMs?: number;
  /** Default 120. */
  readonly heartbeatMs?: number;
  /** Entries applied since the last snapshot that bring the next one. Default 20,000. */
  readonly snapshotEntries?: number;
  /** The same in bytes of payload. Default 32 MiB. */
  readonly snapshotBytes?: number;
  /** Size at which the log goes on in a new file. Default 8 MiB. */
  readonly segmentBytes?: number;
  /** How long a wiped voter is in step, and its old disk silent, before it votes again. Default 10,000. */
  readonly returnAfterMs?: number;
}

export interface ExpectedPeer {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
}

export interface Quorum {
  status(): QuorumStatus;
  /**
   * Appends at once when leading; committed once `apply` is called with the same index and term, and unknown once leadership is lost before that.
   * "busy": too much is waiting to be committed; ask again later.
   */
  propose(payload: Uint8Array): Proposal;
  /**
   * A linearizable read point: resolves when this node's state machine has applied everything that was committed when it was asked.
   * Not ok when this node does not lead, or ceases to before a quorum confirmed it.
   */
  readIndex(): Promise<ReadPoint>;
  /** Membership changes, one at a time; resolves when committed. A wiped voter needs none: see core/returning.ts. */
  changeVoters(change: VoterChange): Promise<ChangeResult>;
  /** Hands leadership to that voter, or to the most advanced; true when this node no longer leads. */
  transferLeadership(to?: NodeId): Promise<boolean>;
  /** Clean stop: hands leadership over first, ends the streams and closes the files. */
  close(): Promise<void>;
  /** Plain data for simulators and tests; no effects. */
  inspect(): QuorumInspection;
}

export type Proposal =
  | { readonly ok: true; readonly index: Index; readonly term: Term }
  | { readonly ok: false; readonly error: "not-leader" | "busy"; readonly leader: NodeId | null };

export type ReadPoint = { readonly ok: true; readonly index: Index } | { readonly ok: false };

export type VoterChange =
  | { readonly kind: "add-learner"; readonly member: Member }
  | { readonly kind: "remove-learner"; readonly id: NodeId; readonly directoryId: Uuid }
  /** A learner that has caught up becomes a voter. */
  | { readonly kind: "promote"; readonly id: NodeId; readonly directoryId: Uuid }
  | { readonly kind: "remove-voter"; readonly id: NodeId; readonly directoryId: Uuid };

export type ChangeResult = { readonly ok: true; readonly index: Index } | { readonly ok: false; readonly error: "not-leader" | "in-progress" | "invalid" | "not-caught-up" | "unknown"; readonly message: string };

/** What is replicated. All calls come in order, one at a time, never from within `propose`. */
export interface StateMachine {
  /** Each committed entry once per incarnation, in order, none left out: no-ops and memberships come with an empty payload, by their kind. */
  apply(entry: { readonly index: Index; readonly term: Term; readonly kind: EntryKind; readonly payload: Uint8Array }): void;
  /** The state after everything applied so far, taken at the call; its blocks (any bytes, each at most 1 MiB) are asked for one a turn. */
  snapshot(): Iterator<Uint8Array>;
  /** Replaces the whole state by that of a snapshot, block by block. Nothing is applied before it resolves. */
  restore(point: { readonly index: Index; readonly term: Term }, blocks: AsyncIterable<Uint8Array>): Promise<void>;
  leadership(change: Leadership): void;
}

export interface Leadership {
  readonly leader: NodeId | null;
  readonly term: Term;
  readonly self: boolean;
  /** Leading, with this term's no-op committed and applied; nothing may be served or decided before. */
  readonly ready: boolean;
}

export interface QuorumStatus {
  /** Empty until the node belongs to a cluster. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly directoryId: Uuid;
  readonly role: "founding" | "follower" | "candidate" | "leader";
  /** "voter", "learner" (a wiped voter comes back as one), or "none" while neither is known. */
  readonly standing: "voter" | "learner" | "none";
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly commitIndex: Index;
  readonly appliedIndex: Index;
  readonly lastIndex: Index;
  readonly logStart: Index;
  readonly voters: readonly MemberStatus[];
  readonly learners: readonly MemberStatus[];
  /** The log was damaged: no votes until it is whole again. */
  readonly repairing: boolean;
  /** In sentences: what stands against founding, expected peers that are no voters, and the like. */
  readonly notes: readonly string[];
}

export interface MemberStatus {
  readonly id: NodeId;
  readonly directoryId: Uuid;
  readonly host: string;
  readonly port: number;
  /** What it is known to hold on disk. Only the leader knows the others': 0 elsewhere. */
  readonly matchIndex: Index;
  /** Wall time in ms; -1 unknown. */
  readonly lastContactMs: number;
  readonly lastCaughtUpMs: number;
}

export interface QuorumInspection extends QuorumStatus {
  readonly durableIndex: Index;
  readonly heldPromises: number;
  readonly pendingReads: number;
  readonly pendingChanges: number;
  readonly openStreams: number;
  readonly queuedEvents: number;
  /** Wanted, and in no group that is being written. */
  readonly queuedWrites: number;
  /** What the state machine is still owed. */
  readonly queuedDeliveries: number;
  readonly stalled: boolean;
}

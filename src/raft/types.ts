/** What the quorum speaks of. A *term* is a leader's reign, an *index* the place of an entry, from 1 up; index 0 and term 0 stand before everything. */
import type { NodeId, Uuid } from "../base/ids.js";

export type Term = number;
export type Index = number;

/** A voter or learner is a node with a certain disk: after a wipe the node is another member. */
export interface Member {
  readonly id: NodeId;
  readonly directoryId: Uuid;
  readonly host: string;
  readonly port: number;
  /** Of a learner that voted on another disk before: that disk, whose place it takes. */
  readonly replaces?: Uuid;
}

export interface Membership {
  readonly voters: readonly Member[];
  readonly learners: readonly Member[];
}

export const NOBODY: Membership = { voters: [], learners: [] };

/** `id/directoryId`: who votes and is counted. */
export type MemberKey = string;

export function keyOf(member: { readonly id: NodeId; readonly directoryId: Uuid }): MemberKey {
  return `${member.id}/${member.directoryId}`;
}

/** noop opens a term; members holds a Membership; data belongs to the state machine. */
export type EntryKind = "noop" | "data" | "members";

export interface Entry {
  readonly index: Index;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly payload: Uint8Array;
}

/** The end of a log: an index and the term of the entry there. By log matching it names everything before it too. */
export interface LogPoint {
  readonly index: Index;
  readonly term: Term;
}

export const ORIGIN: LogPoint = { index: 0, term: 0 };

/** A snapshot by what it stands for; its bytes are a file that the store keeps. */
export interface Snapshot extends LogPoint {
  readonly members: Membership;
  /** Size of the file. */
  readonly bytes: number;
}

/** Term and vote: one record, durable before a promise made by them leaves. */
export interface HardState {
  readonly term: Term;
  readonly votedFor: MemberKey | null;
}

/** One entry's payload at most: the carrier's messages, and a record's length, are bounded by it. */
export const PAYLOAD_MAX_BYTES = 16 << 20;

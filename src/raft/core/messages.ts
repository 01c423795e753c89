/** What members say to each other, what happens to a core, and what it wants done. */
import type { Entry, HardState, Index, LogPoint, MemberKey, Snapshot, Term } from "../types.js";

export type Message =
  /** `term`: the one that would be asked for. Nothing is promised and nobody's term moves. */
  | { readonly kind: "pre-vote"; readonly term: Term; readonly last: LogPoint }
  | { readonly kind: "pre-vote-answer"; readonly term: Term; readonly granted: boolean }
  /** `transfer`: the leader itself asked for this election. */
  | { readonly kind: "vote"; readonly term: Term; readonly last: LogPoint; readonly transfer: boolean }
  | { readonly kind: "vote-answer"; readonly term: Term; readonly granted: boolean }
  | { readonly kind: "append"; readonly term: Term; readonly previous: LogPoint; readonly entries: readonly Entry[]; readonly commit: Index; readonly round: number }
  /**
   * ok: the logs agree up to `previous`, and `match` is what of that is on the sender's disk. Not ok: they do not agree at `previous`, and `hint` is the
   * last place where they may.
   */
  | { readonly kind: "append-answer"; readonly term: Term; readonly ok: boolean; readonly previous: Index; readonly match: Index; readonly hint: LogPoint; readonly round: number }
  | { readonly kind: "snapshot"; readonly term: Term; readonly point: LogPoint; readonly position: number; readonly total: number; readonly chunk: Uint8Array; readonly round: number }
  /** `next`: the position of the chunk wanted; `done`: it is installed, durably. */
  | { readonly kind: "snapshot-answer"; readonly term: Term; readonly index: Index; readonly next: number; readonly done: boolean; readonly round: number }
  | { readonly kind: "timeout-now"; readonly term: Term };

export type MessageOf<Kind extends Message["kind"]> = Extract<Message, { kind: Kind }>;

export type Event =
  | { readonly kind: "message"; readonly from: MemberKey; readonly message: Message }
  | { readonly kind: "tick" }
  /** Everything that was wanted written up to this count is on the disk. */
  | { readonly kind: "synced"; readonly writes: number }
  | { readonly kind: "propose"; readonly entry: { readonly kind: "data" | "members"; readonly payload: Uint8Array } }
  | { readonly kind: "read"; readonly id: number }
  | { readonly kind: "transfer"; readonly to: MemberKey | null }
  /** A new stream to that member: nothing that was sent before it will be answered any more. */
  | { readonly kind: "connected"; readonly peer: MemberKey }
  /** `refused`: and a dial after the loss was refused, so the process is gone. */
  | { readonly kind: "disconnected"; readonly peer: MemberKey; readonly refused: boolean }
  /** The oldest unfinished sync is older than an election timeout, or no longer. */
  | { readonly kind: "disk"; readonly stalled: boolean }
  /** Our own snapshot is durable. */
  | { readonly kind: "compacted"; readonly snapshot: Snapshot }
  /** A leader's snapshot is whole, checked and durable. */
  | { readonly kind: "installed"; readonly snapshot: Snapshot }
  /** It could not be kept, or was damaged on its way. */
  | { readonly kind: "install-failed"; readonly point: LogPoint };

/** In order. Those that write (save, append, truncate, reset, compact) count as one write each. */
export type Effect =
  | { readonly do: "save"; readonly state: HardState }
  | { readonly do: "append"; readonly entries: readonly Entry[] }
  /** `term`: of the entry before `from`, which stays. */
  | { readonly do: "truncate"; readonly from: Index; readonly term: Term }
  /** The log begins anew after a snapshot that is durable already. */
  | { readonly do: "reset"; readonly to: LogPoint }
  /** Entries up to `to` may go. */
  | { readonly do: "compact"; readonly to: LogPoint }
  | { readonly do: "send"; readonly to: MemberKey; readonly message: Message }
  /** A message "snapshot" with these bytes of its file. */
  | { readonly do: "send-chunk"; readonly to: MemberKey; readonly snapshot: Snapshot; readonly position: number; readonly bytes: number; readonly term: Term; readonly round: number }
  /** Position 0 begins it anew. */
  | { readonly do: "store-chunk"; readonly point: LogPoint; readonly position: number; readonly chunk: Uint8Array }
  /** Check what was stored and make it durable; answered by "installed" or "install-failed". */
  | { readonly do: "install"; readonly point: LogPoint; readonly total: number }
  | { readonly do: "apply"; readonly entries: readonly Entry[] }
  | { readonly do: "restore"; readonly snapshot: Snapshot }
  | { readonly do: "lead"; readonly leader: MemberKey | null; readonly term: Term; readonly self: boolean; readonly ready: boolean }
  | { readonly do: "read-ready"; readonly id: number; readonly index: Index }
  | { readonly do: "read-failed"; readonly id: number }
  /** The log is whole again after a repair. */
  | { readonly do: "repaired" };

export interface Timing {
  /** Silence before a pre-vote: this and up to as much again. */
  readonly electionMs: number;
  readonly heartbeatMs: number;
  /** Appends under way to one follower. */
  readonly inflightMax: number;
  readonly inflightMaxBytes: number;
  readonly batchMaxBytes: number;
  readonly chunkBytes: number;
  /** Uncommitted payload above which proposals are refused. */
  readonly uncommittedMaxBytes: number;
  readonly readsMax: number;
  /** How long a wiped voter follows in step, and its old disk is silent, before it takes that disk's place: time to find a disk that was only not mounted. */
  readonly returnAfterMs: number;
}

export const TIMING: Timing = {
  electionMs: 1000,
  heartbeatMs: 120,
  inflightMax: 64,
  inflightMaxBytes: 8 << 20,
  batchMaxBytes: 256 << 10,
  chunkBytes: 256 << 10,
  uncommittedMaxBytes: 64 << 20,
  readsMax: 10_000,
  returnAfterMs: 10_000,
};

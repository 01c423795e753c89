/**
 * The door of `replication/`: every replica that this broker holds, as leader or follower. It follows the metadata image, runs the
 * fetchers, proposes ISR changes, and answers what API handlers and coordinators ask. Handlers turn these answers into messages.
 */
import type { Epoch, NodeId, Offset, Uuid } from "../base/ids.js";
import type { LentBytes } from "../log/partition-log.js";
import type { ErrorName } from "../protocol/errors.js";

export interface Replicas {
  /**
   * Appends what a client (or a coordinator) sent to partitions led here. `admitted` settles once every batch has its place in its log or its
   * refusal: only then may the same connection's next request begin. Null when that has happened already. `done` carries one outcome per item, in order.
   * Once `written` is true, the items' bytes are the caller's again.
   */
  produce(items: readonly ProduceItem[], options: ProduceOptions): { readonly admitted: Promise<void> | null; readonly done: Promise<readonly ProduceOutcome[]>; written(): boolean };

  /**
   * Reads from partitions in the given order under KIP-74's limits and waits for `minBytes` as behaviours.md §4 says. For followers
   * the fetch offset is taken as their durable end. Sessions are resolved before (fetch-sessions.ts).
   * `release` of the answer must be called when its bytes are sent or dropped.
   */
  fetch(items: readonly FetchItem[], options: FetchOptions): Promise<FetchAnswer>;

  /** ListOffsets of one partition (behaviours.md §5). */
  listOffset(which: PartitionRef, options: { readonly timestamp: bigint; readonly currentEpoch: number; readonly isolation: Isolation; readonly replicaId: number; readonly version: number }): Promise<ListOffsetOutcome>;
  /** OffsetForLeaderEpoch of one partition. */
  endOfEpoch(which: PartitionRef, options: { readonly currentEpoch: number; readonly epoch: number }): { readonly error: ErrorName; readonly epoch: number; readonly end: bigint };
  /** DeleteRecords: waits until every live replica's start has moved, or the deadline. */
  deleteRecords(which: PartitionRef, options: { readonly before: bigint; readonly timeoutMs: number }): Promise<{ readonly error: ErrorName; readonly lowWatermark: bigint }>;

  /** What stands on this broker's disk, for DescribeLogDirs. */
  describeDirectory(): Promise<{ readonly path: string; readonly directoryId: Uuid; readonly freeBytes: number; readonly strays: readonly { readonly name: string; readonly bytes: number }[]; readonly replicas: readonly { readonly topic: string; readonly partition: number; readonly bytes: number; readonly lag: number }[] }>;

  /** Coordinators live in partitions: called when this broker starts (epoch set) or stops (null) leading one of `topic`'s partitions. */
  onLeadership(topic: string, listener: (partition: number, reign: { readonly epoch: Epoch } | null) => void): void;
  /** The log of a partition led here, for coordinators: see LeaderLog. Null when not leading in that epoch. */
  leaderLog(topic: string, partition: number, epoch: Epoch): LeaderLog | null;

  /** Health of each partition led here that is not in order, with the reason (status, explain). */
  unhealthy(): readonly { readonly topic: string; readonly partition: number; readonly reason: string }[];
  inspect(): ReplicasInspection;
  /** Stops fetchers, writes checkpoints, closes logs. */
  close(): Promise<void>;
}

/** By id when the client spoke ids, else by name. The other is filled in by `replication/` where known. */
export type PartitionRef = { readonly topic: string; readonly partition: number } | { readonly topicId: Uuid; readonly partition: number };

export interface ProduceItem {
  readonly ref: PartitionRef;
  /** As received; copied on admission where it must outlive the call (the caller's buffer is lent until `admitted` settles). */
  readonly records: Uint8Array | null;
}

export interface ProduceOptions {
  readonly acks: 0 | 1 | -1;
  readonly timeoutMs: number;
  readonly version: number; // of the Produce request
  readonly transactionalId: string | null;
  /** Client id `__admin_client` may write internal topics, as in Kafka. */
  readonly clientId: string | null;
  readonly origin: "client" | "coordinator";
}

export interface ProduceOutcome {
  readonly error: ErrorName;
  readonly message: string | null;
  readonly recordErrors: readonly { readonly index: number; readonly message: string }[];
  readonly baseOffset: number; // -1 on error
  readonly appendTimeMs: number; // -1 for CreateTime
  readonly logStart: number; // -1 on error
  /** For KIP-951, on NOT_LEADER_OR_FOLLOWER. */
  readonly currentLeader: { readonly id: number; readonly epoch: number } | null;
}

export type Isolation = "read-uncommitted" | "read-committed";

export interface FetchItem {
  readonly ref: PartitionRef;
  readonly fetchOffset: bigint;
  readonly currentEpoch: number; // -1: not checked
  readonly lastFetchedEpoch: number; // -1: no divergence check
  readonly logStart: bigint; // follower's; -1 from consumers
  readonly maxBytes: number;
  readonly knownHighWatermark: bigint | null; // v18, of followers
}

export interface FetchOptions {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolation: Isolation;
  readonly version: number;
  /** Set for a replica's fetch whose session token the connection has shown. */
  readonly replica: { readonly id: NodeId; readonly brokerEpoch: bigint } | null;
  /** Ends the wait early: the connection is gone. */
  readonly onCancel: (cancel: () => void) => void;
  /** True for items whose answer must be listed although empty (full fetch or new in the session). */
  readonly incremental: boolean;
}

export interface FetchAnswer {
  /** One per item, in order. */
  readonly partitions: readonly FetchedPartition[];
  release(): void;
}

export interface FetchedPartition {
  readonly error: ErrorName;
  readonly highWatermark: number; // -1 on error
  readonly lastStable: number; // -1 on error
  readonly logStart: number; // -1 on error
  readonly diverging: { readonly epoch: number; readonly end: number } | null;
  readonly currentLeader: { readonly id: number; readonly epoch: number } | null;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[] | null;
  readonly records: LentBytes | null;
  readonly bytes: number;
}

export type ListOffsetOutcome =
  | { readonly error: "NONE"; readonly timestamp: bigint; readonly offset: bigint; readonly epoch: number }
  | { readonly error: Exclude<ErrorName, "NONE"> };

/** What a coordinator sees of the partition it lives in, during one reign. */
export interface LeaderLog {
  readonly epoch: Epoch;
  readonly start: Offset;
  readonly end: Offset;
  readonly highWatermark: Offset;
  /** Batches from `from` on up to `end`, whole; `next` is where to go on. */
  read(from: Offset, maxBytes: number): Promise<LentBytes & { readonly next: Offset }>;
  /** Appends one batch (records/builder.ts). `committed` resolves true when the high watermark has passed it, false when the reign ended first (unknown). */
  append(batch: Uint8Array): { readonly ok: true; readonly base: Offset; readonly last: Offset; readonly committed: Promise<boolean> } | { readonly ok: false; readonly error: ErrorName };
  /** Still leading in this epoch? Asked again after every await. */
  readonly leading: boolean;
}

export interface ReplicaInspection {
  readonly topic: string;
  readonly partition: number;
  readonly role: "leader" | "follower" | "offline";
  readonly epoch: number;
  readonly start: number;
  readonly highWatermark: number;
  readonly durableEnd: number;
  readonly end: number;
  readonly isr: readonly number[];
}

export interface ReplicasInspection {
  readonly leaders: number;
  readonly followers: number;
  readonly waits: number;
  readonly fetchers: number;
  readonly partitions: readonly ReplicaInspection[];
}

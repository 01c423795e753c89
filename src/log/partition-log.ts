/**
 * The door of `log/`: one partition on one disk. It has not heard of replicas, ISR or requests.
 *
 *   accept ──▶ lane (while a sync is in flight) ──▶ written ──▶ durable
 *              end                                  writtenEnd   durableEnd
 *
 * Offsets are given out when a batch is accepted. While the active segment's fdatasync is in flight new batches wait in
 * the lane and leave in one vectored write when it returns: that is the group commit (design §7). Invariant:
 * start <= durableEnd <= writtenEnd <= end.
 */
import type { Epoch, NodeId, Offset, Uuid } from "../base/ids.js";
import type { DiskFile } from "../world/disk.js";

export interface PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  /** First offset kept. */
  readonly start: Offset;
  /** Next offset to give out. */
  readonly end: Offset;
  /** Everything below can be read. */
  readonly writtenEnd: Offset;
  /** Everything below is on the disk. */
  readonly durableEnd: Offset;
  /** Leader epoch of the newest batch or of the newest noted reign; -1 for none. */
  readonly lastEpoch: Epoch;
  /** Bytes of all segments. */
  readonly bytes: number;
  /** What recovery found when this incarnation opened the folder. */
  readonly recovery: RecoveryReport;

  /**
   * Takes one validated batch from a client (records/validate.ts): checks the producer's sequence, stamps base offset and
   * epoch into `batch` in place, and queues or writes it. The log keeps `batch` until it is written (`onProgress`): it must not change meanwhile.
   * Nothing is written on refusal.
   */
  appendAsLeader(batch: Uint8Array, options: { readonly epoch: Epoch; readonly nowMs: number; readonly origin: "client" | "coordinator" }): AppendResult;
  /**
   * Takes batches as the leader served them: checks framing, checksum and that offsets go on from `end`; stops before an incomplete tail.
   * Batches whose leader epoch is above `fetchEpoch` are dropped (KAFKA-18723). Updates producers without refusing.
   * @returns the new end. @throws LogError "corrupt-batch", "not-contiguous"
   */
  appendAsFollower(batches: Uint8Array, options: { readonly fetchEpoch: Epoch; readonly nowMs: number }): Offset;
  /** Notes that `epoch` begins at `end`, durably before the first append in it is acknowledged (KAFKA-7415). Called by a new leader. */
  beginEpoch(epoch: Epoch): void;

  /**
   * Plans the reading of whole batches, starting with the one that holds `from`; see style.md. Ranges are contiguous and ascending, none at
   * `upTo`. The plan must be carried out in the turn it was made in, or through `read`, which keeps the segment alive.
   * @param upTo exclusive: batches that begin at or after it are left out; <= writtenEnd
   * @throws LogError "offset-out-of-range"
   */
  plan(from: Offset, options: { readonly maxBytes: number; readonly upTo: Offset; readonly wholeFirstBatch: boolean }): ReadPlan;
  /** Carries a plan out at once, from the page cache, into pooled memory: call `release` when the bytes have been sent. */
  readNow(plan: ReadPlan): LentBytes;
  /** Carries a plan out through the thread pool, for segments that may be cold. */
  read(plan: ReadPlan): Promise<LentBytes>;

  /** End offset of the largest epoch <= `epoch` (KIP-101, KIP-279); epoch -1 and offset -1 where unknown. */
  endOfEpoch(epoch: Epoch): { readonly epoch: number; readonly end: number };
  /** First offset whose timestamp >= `timestampMs`, below `upTo`. Null when there is none. */
  findTimestamp(timestampMs: number, upTo: Offset): Promise<TimestampHit | null>;
  /** First offset with the largest timestamp, below `upTo`. */
  findMaxTimestamp(upTo: Offset): Promise<TimestampHit | null>;

  /** Cuts everything at and above `to` (a follower, by epoch). Durable before it resolves. */
  truncateTo(to: Offset): Promise<void>;
  /** Empties the log and starts it again at `start` (a follower whose leader's log starts above our end). */
  resetTo(start: Offset): Promise<void>;
  /** Raises the log start (DeleteRecords, retention told by the leader). Durable before it resolves; segments wholly below are deleted later. */
  raiseStart(to: Offset): Promise<void>;
  /** Rolls by time, applies retention by time and size below `upTo` (the high watermark), expires producers. Called now and then. */
  maintain(options: { readonly nowMs: number; readonly upTo: Offset }): Promise<void>;
  /** Takes new settings; effective from the next decision. */
  configure(settings: LogSettings): void;

  /** Asks for a sync that covers all that is written now; `onProgress` tells when. The scheduler merges requests. */
  requestSync(): void;
  /** Called after writtenEnd, durableEnd or start moved, at most once a tick. One listener: the replica that owns this log. */
  onProgress(listener: () => void): void;

  /** First offset of the earliest open transaction, or null. */
  readonly firstUnstable: Offset | null;
  /** Aborted transactions that overlap [from, upTo). */
  abortedIn(from: Offset, upTo: Offset): readonly { readonly producerId: bigint; readonly firstOffset: Offset }[];

  /** Syncs, writes derived files and the clean mark, and closes. */
  close(): Promise<void>;
  /** Plain data for tests, metrics and `DescribeLogDirs`. */
  inspect(): LogInspection;
}

export type AppendResult =
  | { readonly ok: true; readonly duplicate: false; readonly base: Offset; readonly last: Offset; readonly appendTimeMs: number }
  /** Recognised retry: where the original lies. It is acknowledged when the original would be. */
  | { readonly ok: true; readonly duplicate: true; readonly base: Offset; readonly last: Offset; readonly appendTimeMs: number }
  | { readonly ok: false; readonly error: "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_PRODUCER_EPOCH" | "INVALID_TXN_STATE" | "RECORD_LIST_TOO_LARGE"; readonly message: string };

export interface FileRange {
  readonly file: DiskFile;
  readonly position: number;
  readonly bytes: number;
  /** True for the active segment or one written a moment ago: the page cache has it. */
  readonly hot: boolean;
}

export interface ReadPlan {
  readonly ranges: readonly FileRange[];
  readonly bytes: number;
  /** Offset after the last batch of the plan; `from` when empty. */
  readonly next: Offset;
}

export interface LentBytes {
  readonly parts: readonly Uint8Array[];
  release(): void;
}

export interface TimestampHit {
  readonly timestampMs: number;
  readonly offset: Offset;
  readonly epoch: Epoch;
}

/** `cut` are bytes of a torn tail, `lost` means that offsets which a checkpoint knew as durable are gone (design §7). */
export interface RecoveryReport {
  readonly clean: boolean;
  readonly cutBytes: number;
  readonly lostBelowDurable: boolean;
  /** Damage in the middle: where; the log was set aside from there and has to be refetched. */
  readonly damagedAt: Offset | null;
}

/** Settings of a topic that the log obeys, under the names of Kafka's topic settings. */
export interface LogSettings {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  readonly retentionMs: number; // -1: for ever
  readonly retentionBytes: number; // -1: no bound
  readonly fileDeleteDelayMs: number;
  readonly cleanupDelete: boolean; // cleanup.policy has "delete"
  readonly flushMessages: number;
  readonly flushMs: number;
  readonly maxMessageBytes: number;
  readonly producerExpirationMs: number;
}

export interface LogInspection {
  readonly start: number;
  readonly end: number;
  readonly writtenEnd: number;
  readonly durableEnd: number;
  readonly bytes: number;
  readonly segments: number;
  readonly producers: number;
  readonly laneBytes: number;
  readonly epochs: readonly { readonly epoch: number; readonly start: number }[];
}

/**
 * All partition logs below one `log.dirs` entry: `<dir>/<topic>-<n>/`, `meta.properties`, checkpoints, the lock, one sync scheduler.
 */
export interface LogDirectory {
  readonly path: string;
  readonly directoryId: Uuid;
  /** True when the last incarnation closed everything (clean-shutdown file), with the broker epoch it had; -1 unknown. */
  readonly cleanShutdown: boolean;
  readonly previousBrokerEpoch: bigint;
  /** Opens the folder, or makes it (partition.metadata with the topic id is durable before the first append). A folder of another topic id is set aside as `-stray`. */
  openLog(which: { readonly topic: string; readonly partition: number; readonly topicId: Uuid; readonly settings: LogSettings; readonly durable: boolean }): Promise<PartitionLog>;
  /** Closes it and moves the folder out of the way at once; files go after `fileDeleteDelayMs`. */
  deleteLog(log: PartitionLog): Promise<void>;
  /** Sets aside, never erases: metadata does not know this replica. */
  setAside(topic: string, partition: number): Promise<void>;
  /** Folders found at start, for the caller to compare with metadata. */
  found(): Promise<readonly { readonly topic: string; readonly partition: number; readonly topicId: Uuid | null }[]>;
  readHighWatermarks(): Promise<ReadonlyMap<string, number>>; // key "<topic>-<partition>"
  writeHighWatermarks(marks: ReadonlyMap<string, number>): Promise<void>;
  /** Bytes, free bytes and what was set aside, for DescribeLogDirs and status. */
  usage(): Promise<{ readonly freeBytes: number; readonly strays: readonly { readonly name: string; readonly bytes: number }[] }>;
  /** Clean stop: `brokerEpoch` goes into the clean-shutdown file. All logs must be closed. */
  close(brokerEpoch: bigint): Promise<void>;
}

export type LogErrorCode = "offset-out-of-range" | "corrupt-batch" | "not-contiguous" | "closed";

export class LogError extends Error {
  override readonly name = "LogError";
  constructor(readonly code: LogErrorCode, detail: string, readonly at?: number, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
  }
}

/** Where a log belongs; used by callers that keep maps. */
export type PartitionKey = `${Uuid}/${number}`;
export type { NodeId };

/**
 * What a broker needs from whoever coordinates the cluster; our Raft quorum fits it, a ZooKeeper controller would too. Positions and
 * broker epochs are opaque ordered bigints, and nothing here speaks of terms or voters.
 */
import type { Epoch, NodeId, Uuid } from "../base/ids.js";
import type { ImageChanges, ListenerImage, MetadataImage, Position } from "../metadata/image.js";
import type { ErrorName } from "../protocol/errors.js";
import type { AdminCommand, AdminReply } from "./admin.js";

export interface Coordination {
  /**
   * Opens the session: registers (again after each loss of the session, with a new broker epoch only if the controller fenced or forgot us),
   * sends heartbeats, and keeps the lease. Never gives up by itself.
   */
  start(broker: BrokerRegistration): void;
  /** The registration in force; null before the first answer. */
  readonly brokerEpoch: bigint | null;
  /** True while unfenced and a heartbeat was answered within the lease. Asked before reads from coordinator state (design §8). */
  readonly leased: boolean;
  /** Broker id of a node that has the controller role and leads, for DescribeCluster and logs; null when unknown. */
  readonly controller: NodeId | null;

  /** The newest image; position 0n and empty before the feed has begun. */
  readonly image: MetadataImage;
  /** Called after each applied batch of metadata, in order. The first call after (re)start has `previous` null: everything is new. */
  onImage(listener: (image: MetadataImage, previous: MetadataImage | null, changes: ImageChanges) => void): void;
  /** Called when registered, fenced, unfenced, and when the session breaks. */
  onSession(listener: (state: SessionState) => void): void;

  /** ISR changes by compare-and-set, KIP-497. Many partitions in a call; answered one by one, in order. "unknown" outcomes are retried by the caller. */
  alterIsr(changes: readonly IsrChange[]): Promise<readonly IsrOutcome[]>;
  /** A block of producer ids of this broker's own. */
  allocateProducerIds(): Promise<{ readonly ok: true; readonly first: bigint; readonly count: number } | Refusal>;
  /** Topics, settings, elections. Deadline in ms; REQUEST_TIMED_OUT means: may have happened. */
  admin(command: AdminCommand, deadlineMs: number): Promise<AdminReply>;
  /** State of the quorum for DescribeQuorum and status. */
  describeQuorum(deadlineMs: number): Promise<QuorumDescription | Refusal>;
  /** Confirms with the controller that this broker's registration and lease stand right now. */
  confirmLease(deadlineMs: number): Promise<boolean>;

  /** A token that opens replica connections to the given broker (design §7), as of the newest image. */
  sessionToken(to: NodeId): string | null;
  /** True if a peer that claims to be this broker at this epoch shows a token that the controller gave out. */
  checkSessionToken(from: NodeId, brokerEpoch: bigint, token: string): boolean;

  /** Reports what recovery lost, so that the controller takes those replicas out of ISR and ELR while another member remains. Part of registration. */
  reportLost(partitions: readonly { readonly topicId: Uuid; readonly partition: number }[]): void;

  /**
   * Answers the question "how far does your log go?" for partitions without any eligible leader (leader null, ISR and ELR empty): when every replica has
   * answered, the largest (last epoch, end) leads, never the first to return. Repeated by itself in each session; a later call for a partition replaces
   * the earlier one. -1 and 0 for an empty log.
   */
  reportEnds(partitions: readonly { readonly topicId: Uuid; readonly partition: number; readonly lastEpoch: number; readonly end: number }[]): void;

  /** Controlled shutdown: asks to stop, resolves when leaders have moved or after `deadlineMs`. */
  stopping(deadlineMs: number): Promise<void>;
  /** Ends the session. */
  close(): Promise<void>;
}

export type SessionState = "registering" | "fenced" | "active" | "lost" | "stopping";

export interface BrokerRegistration {
  readonly nodeId: NodeId;
  readonly incarnation: Uuid;
  readonly directories: readonly Uuid[];
  readonly listeners: readonly ListenerImage[];
  readonly nodePort: { readonly host: string; readonly port: number };
  readonly rack: string | null;
  readonly previousBrokerEpoch: bigint; // -1n unknown
  readonly cleanShutdown: boolean;
}

export interface IsrChange {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: number;
  readonly isr: readonly { readonly id: NodeId; readonly brokerEpoch: bigint }[];
  readonly recovered: boolean; // ends RECOVERING
}

export type IsrOutcome =
  | { readonly ok: true; readonly leader: NodeId | null; readonly leaderEpoch: Epoch; readonly partitionEpoch: number; readonly isr: readonly NodeId[] }
  | { readonly ok: false; readonly error: "FENCED_LEADER_EPOCH" | "INVALID_UPDATE_VERSION" | "INELIGIBLE_REPLICA" | "UNKNOWN_TOPIC_ID" | "STALE_BROKER_EPOCH" | "NOT_CONTROLLER" | "INVALID_REQUEST" | "REQUEST_TIMED_OUT" };

export interface Refusal {
  readonly ok: false;
  readonly error: ErrorName;
  readonly message: string;
}

export interface QuorumDescription {
  readonly ok: true;
  readonly leader: NodeId;
  readonly term: number;
  readonly highWatermark: bigint;
  readonly voters: readonly QuorumMember[];
  readonly observers: readonly QuorumMember[];
}

export interface QuorumMember {
  readonly id: NodeId;
  readonly directoryId: Uuid;
  readonly logEnd: bigint;
  readonly lastFetchMs: number; // wall time, -1 unknown
  readonly lastCaughtUpMs: number; // wall time, -1 unknown
  readonly host: string;
  readonly port: number;
}

export type { Position };

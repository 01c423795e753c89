/**
 * The door of `metadata/`: what the cluster is, at one position of the metadata log. Images behave as values: whoever holds one
 * sees it unchanged for ever, and a new one shares what did not change. Controller and brokers make them by the same replay.
 */
import type { Epoch, NodeId, Uuid } from "../base/ids.js";

/** Opaque and ordered: where in the metadata log something stands. */
export type Position = bigint;

export interface MetadataImage {
  readonly position: Position;
  readonly clusterId: string;
  readonly featureLevel: number;
  topic(name: string): TopicImage | null;
  topicById(id: Uuid): TopicImage | null;
  /** Sorted by name. */
  topics(): Iterable<TopicImage>;
  readonly topicCount: number;
  broker(id: NodeId): BrokerImage | null;
  /** Sorted by id, fenced ones too. */
  brokers(): readonly BrokerImage[];
  /** Dynamic settings as set (no defaults). Name of a broker is its id in decimal, or "" for the cluster-wide default. */
  config(type: ConfigType, name: string): ReadonlyMap<string, string>;
}

export type ConfigType = "topic" | "broker" | "group" | "client-metrics";

export interface TopicImage {
  readonly id: Uuid;
  readonly name: string;
  readonly partitionCount: number;
  /** Index 0 .. partitionCount-1. */
  partition(index: number): PartitionImage | null;
}

export interface PartitionImage {
  readonly topicId: Uuid;
  readonly index: number;
  readonly replicas: readonly NodeId[]; // the first is the preferred leader
  readonly directories: readonly Uuid[]; // one per replica; NO_UUID while unassigned
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[]; // eligible leader replicas, KIP-966
  readonly lastKnownElr: readonly NodeId[];
  readonly leader: NodeId | null; // null: nobody may lead
  readonly leaderEpoch: Epoch; // rises with every change of leader and with a new incarnation of the same leader
  readonly partitionEpoch: number; // rises by one with every change
  readonly recovering: boolean; // after an unclean election (KIP-704)
}

export interface BrokerImage {
  readonly id: NodeId;
  readonly epoch: bigint; // broker epoch: position of its registration
  readonly incarnation: Uuid;
  readonly directories: readonly Uuid[];
  readonly rack: string | null;
  readonly listeners: readonly ListenerImage[];
  readonly nodePort: { readonly host: string; readonly port: number }; // dialled for proof of death
  readonly fenced: boolean;
  readonly stopping: boolean; // in controlled shutdown
}

export interface ListenerImage {
  readonly name: string; // for instance PLAINTEXT
  readonly host: string;
  readonly port: number;
  readonly protocol: string; // PLAINTEXT until TLS and SASL exist
}

/** What differs between two images; names of settings are `type/name`. */
export interface ImageChanges {
  readonly topicsMade: ReadonlySet<Uuid>;
  readonly topicsDeleted: ReadonlyMap<Uuid, string>;
  readonly partitions: ReadonlyMap<Uuid, ReadonlySet<number>>; // changed or new, by topic id
  readonly brokers: ReadonlySet<NodeId>;
  readonly configs: ReadonlySet<string>;
}

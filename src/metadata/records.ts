/**
 * What the metadata log holds. One entry of the log is one batch of records, applied whole or not at all (reliability.md M11). A record is
 * self-contained: `[kind, version, fields]` in msgpack, no structure learned from earlier ones, so that any entry can be read alone. A kind or version
 * that this build does not know stops the node (design §5); the feature level keeps a newer controller from writing one.
 */
import { Packr } from "msgpackr";
import { assert } from "../base/assert.js";
import { epoch, nodeId, uuid, type Epoch, type NodeId, type Uuid } from "../base/ids.js";
import type { ConfigType, ListenerImage } from "./image.js";
import type { PartitionState } from "./partition-columns.js";

/** The newest level whose records this build reads and writes. */
export const FEATURE_LEVEL = 1;

export type MetadataRecord =
  | { readonly kind: "cluster"; readonly clusterId: string }
  | { readonly kind: "feature-level"; readonly level: number }
  /** The position of this record is the broker's epoch. Begins fenced and not stopping. */
  | {
      readonly kind: "broker-registered";
      readonly id: NodeId;
      readonly incarnation: Uuid;
      readonly directories: readonly Uuid[];
      readonly rack: string | null;
      readonly listeners: readonly ListenerImage[];
      readonly nodePort: { readonly host: string; readonly port: number };
      readonly features: { readonly min: number; readonly max: number };
      /** Session tokens are made from it (session-token.ts). Never logged. */
      readonly secret: string;
    }
  | { readonly kind: "broker-changed"; readonly id: NodeId; readonly epoch: bigint; readonly fenced: boolean; readonly stopping: boolean }
  | { readonly kind: "topic-made"; readonly topicId: Uuid; readonly name: string }
  /** With its partitions and settings. */
  | { readonly kind: "topic-deleted"; readonly topicId: Uuid }
  /** Rows for partitions `first` and on, in order. */
  | { readonly kind: "partitions-made"; readonly topicId: Uuid; readonly first: number; readonly rows: readonly PartitionState[] }
  | { readonly kind: "partitions-changed"; readonly topicId: Uuid; readonly rows: readonly PartitionChange[] }
  /** A null value removes the setting. */
  | { readonly kind: "config-changed"; readonly type: ConfigType; readonly name: string; readonly changes: readonly { readonly name: string; readonly value: string | null }[] }
  /** Ids below `next` belong to somebody. */
  | { readonly kind: "producer-ids"; readonly next: bigint; readonly broker: NodeId };

/** All that can change of a partition while its replicas stay. */
export interface PartitionChange {
  readonly index: number;
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[];
  readonly lastKnownElr: readonly NodeId[];
  readonly leader: NodeId | null;
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: number;
  readonly recovering: boolean;
  /** Set when a replica was given another directory; one per replica. */
  readonly directories: readonly Uuid[] | null;
  /** The new leader was neither in ISR nor in ELR: committed records may be gone. Counted and shown. */
  readonly unclean: boolean;
}

const VERSION = 1;

const packr = new Packr({ useRecords: false, variableMapSize: true, copyBuffers: true });

export function encodeBatch(records: readonly MetadataRecord[]): Uint8Array {
  assert(records.length > 0, "a batch holds at least one record");
  return packr.pack(records.map(toWire));
}

/** @throws InvariantError for a kind or version that this build does not know */
export function decodeBatch(bytes: Uint8Array): readonly MetadataRecord[] {
  const wire: unknown = packr.unpack(bytes);
  assert(Array.isArray(wire) && wire.length > 0, "a metadata batch is a list of records");
  return wire.map(fromWire);
}

function toWire(record: MetadataRecord): readonly unknown[] {
  switch (record.kind) {
    case "partitions-made":
      return [record.kind, VERSION, { topicId: record.topicId, first: record.first, rows: record.rows.map(stateToWire) }];
    case "partitions-changed":
      return [record.kind, VERSION, { topicId: record.topicId, rows: record.rows.map(changeToWire) }];
    default: {
      const { kind, ...fields } = record;
      return [kind, VERSION, fields];
    }
  }
}

function fromWire(wire: unknown): MetadataRecord {
  assert(Array.isArray(wire) && wire.length === 3, "a metadata record is [kind, version, fields]");
  const [kind, version, fields] = wire as unknown as readonly [unknown, unknown, unknown];
  assert(version === VERSION, `metadata record ${String(kind)} has version ${String(version)}, this build reads ${VERSION}: run a newer build`);
  assert(typeof fields === "object" && fields !== null, "a metadata record has fields");
  // The log was written by this code under the same kind and version, so the fields are as typed; what they mean is asserted in replay.
  switch (kind) {
    case "cluster":
    case "feature-level":
    case "broker-registered":
    case "broker-changed":
    case "topic-made":
    case "topic-deleted":
    case "config-changed":
    case "producer-ids":
      return checked({ kind, ...fields } as MetadataRecord);
    case "partitions-made": {
      const { topicId, first, rows } = fields as { topicId: string; first: number; rows: readonly WireState[] };
      return { kind, topicId: uuid(topicId), first, rows: rows.map(stateFromWire) };
    }
    case "partitions-changed": {
      const { topicId, rows } = fields as { topicId: string; rows: readonly WireChange[] };
      return { kind, topicId: uuid(topicId), rows: rows.map(changeFromWire) };
    }
    default:
      throw new UnknownRecord(String(kind));
  }
}

/** The node stops: it would otherwise apply half of what the cluster decided. */
export class UnknownRecord extends Error {
  override readonly name = "UnknownRecord";
  constructor(readonly kind: string) {
    super(`metadata record of unknown kind ${kind}: a newer build wrote it; run that build here too`);
  }
}

function checked(record: MetadataRecord): MetadataRecord {
  if ("topicId" in record) uuid(record.topicId);
  if (record.kind === "broker-registered" || record.kind === "broker-changed") nodeId(record.id);
  if (record.kind === "broker-changed") assert(typeof record.epoch === "bigint", "a broker epoch is a bigint");
  if (record.kind === "producer-ids") assert(typeof record.next === "bigint", "a producer id is a bigint");
  return record;
}

const RECOVERING = 1;
const UNCLEAN = 2;

type WireState = readonly [number[], string[], number[], number[], number[], number, number, number, number];

function stateToWire(state: PartitionState): WireState {
  const { replicas, directories, isr, elr, lastKnownElr, leader, leaderEpoch, partitionEpoch, recovering } = state;
  return [[...replicas], [...directories], [...isr], [...elr], [...lastKnownElr], leader ?? -1, leaderEpoch, partitionEpoch, recovering ? RECOVERING : 0];
}

function stateFromWire(wire: WireState): PartitionState {
  const [replicas, directories, isr, elr, lastKnownElr, leader, leaderEpoch, partitionEpoch, flags] = wire;
  return {
    replicas: replicas.map(nodeId),
    directories: directories.map(uuid),
    isr: isr.map(nodeId),
    elr: elr.map(nodeId),
    lastKnownElr: lastKnownElr.map(nodeId),
    leader: leader < 0 ? null : nodeId(leader),
    leaderEpoch: epoch(leaderEpoch),
    partitionEpoch,
    recovering: (flags & RECOVERING) !== 0,
  };
}

type WireChange = readonly [number, number[], number[], number[], number, number, number, number, string[] | null];

function changeToWire(change: PartitionChange): WireChange {
  const flags = (change.recovering ? RECOVERING : 0) | (change.unclean ? UNCLEAN : 0);
  const { index, isr, elr, lastKnownElr, leader, leaderEpoch, partitionEpoch, directories } = change;
  return [index, [...isr], [...elr], [...lastKnownElr], leader ?? -1, leaderEpoch, partitionEpoch, flags, directories === null ? null : [...directories]];
}

function changeFromWire(wire: WireChange): PartitionChange {
  const [index, isr, elr, lastKnownElr, leader, leaderEpoch, partitionEpoch, flags, directories] = wire;
  return {
    index,
    isr: isr.map(nodeId),
    elr: elr.map(nodeId),
    lastKnownElr: lastKnownElr.map(nodeId),
    leader: leader < 0 ? null : nodeId(leader),
    leaderEpoch: epoch(leaderEpoch),
    partitionEpoch,
    recovering: (flags & RECOVERING) !== 0,
    directories: directories === null ? null : directories.map(uuid),
    unclean: (flags & UNCLEAN) !== 0,
  };
}

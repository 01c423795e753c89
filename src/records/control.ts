/** Control batches: one record that speaks to brokers and clients, never to applications. record-format.md §6. */
import { buildBatch } from "./builder.js";
import type { RecordView } from "./record.js";

const TYPES = ["abort", "commit", "leader-change", "snapshot-header", "snapshot-footer", "kraft-version", "kraft-voters"] as const;
export type ControlType = (typeof TYPES)[number];

/** What the record of a control batch says; "unknown" for types that came after us, which readers skip. */
export interface ControlRecord {
  readonly type: ControlType | "unknown";
  /** Of the coordinator that wrote a transaction's end; null in other types and where the value is cut short. */
  readonly coordinatorEpoch: number | null;
}

/** Higher versions of key and value are read as the one we know. */
export function readControlRecord(record: Pick<RecordView, "key" | "value">): ControlRecord {
  const { key, value } = record;
  if (key === null || key.length < 4) return { type: "unknown", coordinatorEpoch: null };
  const type = TYPES[view(key).getInt16(2)] ?? "unknown";
  const ends = (type === "abort" || type === "commit") && value !== null && value.length >= 6;
  return { type, coordinatorEpoch: ends ? view(value).getInt32(2) : null };
}

export interface MarkerOptions {
  readonly coordinatorEpoch: number;
  readonly timestamp: number;
  readonly baseOffset?: number;
  readonly leaderEpoch?: number;
}

/** Ends a producer's transaction in one partition. */
export function endMarker(type: "abort" | "commit", producer: { readonly id: bigint; readonly epoch: number }, options: MarkerOptions): Uint8Array {
  const value = Buffer.alloc(6); // version 0
  value.writeInt32BE(options.coordinatorEpoch, 2);
  return controlBatch(type, value, { ...options, producer: { ...producer, sequence: -1 }, transactional: true });
}

export interface LeaderChange {
  readonly leaderId: number;
  readonly voters: readonly number[];
  readonly grantingVoters: readonly number[];
}

/** First record of a KRaft leader's epoch, LeaderChangeMessage version 0: each array as count + 1, each element and the whole with no tagged fields. */
export function leaderChange(change: LeaderChange, options: Omit<MarkerOptions, "coordinatorEpoch">): Uint8Array {
  const head = Buffer.alloc(6);
  head.writeInt32BE(change.leaderId, 2);
  return controlBatch("leader-change", Buffer.concat([head, ids(change.voters), ids(change.grantingVoters), Buffer.of(0)]), options);
}

function ids(list: readonly number[]): Buffer {
  if (list.length > 126) throw new RangeError("a quorum has fewer than 127 voters");
  const out = Buffer.alloc(1 + list.length * 5);
  out[0] = list.length + 1;
  list.forEach((id, i) => out.writeInt32BE(id, 1 + i * 5));
  return out;
}

function controlBatch(
  type: ControlType,
  value: Uint8Array,
  options: { readonly timestamp: number; readonly baseOffset?: number; readonly leaderEpoch?: number; readonly producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number }; readonly transactional?: boolean },
): Uint8Array {
  const key = Buffer.alloc(4); // version 0
  key.writeInt16BE(TYPES.indexOf(type), 2);
  return buildBatch([{ key, value, timestamp: options.timestamp }], { ...options, control: true });
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

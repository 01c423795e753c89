/** Batches as the golden files list them, and the way from there to what our builder takes. */
import { CODECS, type BatchHeader } from "../../src/records/batch.js";
import { buildBatch, type NewRecord } from "../../src/records/builder.js";
import type { RecordView } from "../../src/records/record.js";
import { goldenLines } from "../golden.js";

export interface GoldenRecord {
  readonly offset: number | string;
  readonly timestamp: number | string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly { readonly key: string; readonly value: string | null }[];
  readonly controlRecord?: { readonly type: string; readonly typeId: number; readonly value: { readonly coordinatorEpoch?: number } };
}

export interface GoldenBatch {
  readonly magic: number;
  readonly sizeInBytes: number;
  readonly baseOffset: number | string;
  readonly lastOffset: number | string;
  readonly partitionLeaderEpoch: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestampRaw: number | string;
  readonly maxTimestamp: number | string;
  readonly producerId: number | string;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly deleteHorizonMs?: number | string;
  readonly compression: string;
  readonly timestampType: string;
  readonly crc: number;
  readonly records: readonly GoldenRecord[];
}

export interface GoldenLine {
  readonly name: string;
  readonly batches: readonly GoldenBatch[];
  readonly hex: string;
}

export const goldenBatches = (file: string): readonly GoldenLine[] => goldenLines<GoldenLine>(`records/${file}.ndjson`);

/** The header that the file lists, in our words. */
export function expectedHeader(batch: GoldenBatch): BatchHeader {
  return {
    baseOffset: Number(batch.baseOffset),
    lastOffset: Number(batch.lastOffset),
    bytes: batch.sizeInBytes,
    leaderEpoch: batch.partitionLeaderEpoch,
    magic: batch.magic,
    crc: batch.crc,
    attributes: batch.attributes,
    codec: CODECS.findIndex((name) => name === batch.compression),
    logAppendTime: batch.timestampType === "LogAppendTime",
    transactional: batch.transactional,
    control: batch.control,
    deleteHorizon: batch.deleteHorizonMs !== undefined,
    lastOffsetDelta: batch.lastOffsetDelta,
    baseTimestamp: Number(batch.baseTimestampRaw),
    maxTimestamp: Number(batch.maxTimestamp),
    producerId: BigInt(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    recordCount: batch.recordCount,
  };
}

export const base64 = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString("base64"));
const bytes = (text: string | null): Uint8Array | null => (text === null ? null : Buffer.from(text, "base64"));

export function asGolden(records: readonly RecordView[]): unknown[] {
  return records.map(({ offset, timestamp, key, value, headers }) => ({ offset, timestamp, key: base64(key), value: base64(value), headers: headers.map((h) => ({ key: h.key, value: base64(h.value) })) }));
}

export function listed(batch: GoldenBatch): unknown[] {
  return batch.records.map(({ offset, timestamp, key, value, headers }) => ({ offset: Number(offset), timestamp: Number(timestamp), key, value, headers }));
}

/** Made from what the file lists, not from bytes that we decoded. */
export function build(batch: GoldenBatch, times: readonly number[] = batch.records.map((record) => Number(record.timestamp))): Uint8Array {
  const records: NewRecord[] = batch.records.map((record, i) => ({
    key: bytes(record.key),
    value: bytes(record.value),
    timestamp: times[i] ?? -1,
    headers: record.headers.map((h) => ({ key: h.key, value: bytes(h.value) })),
    offsetDelta: Number(record.offset) - Number(batch.baseOffset),
  }));
  return buildBatch(records, {
    baseOffset: Number(batch.baseOffset),
    leaderEpoch: batch.partitionLeaderEpoch,
    producer: { id: BigInt(batch.producerId), epoch: batch.producerEpoch, sequence: batch.baseSequence },
    transactional: batch.transactional,
    control: batch.control,
    lastOffsetDelta: batch.lastOffsetDelta,
    ...(batch.deleteHorizonMs === undefined ? {} : { deleteHorizonMs: Number(batch.deleteHorizonMs) }),
    ...(batch.timestampType === "LogAppendTime" ? { logAppendTime: Number(batch.maxTimestamp) } : {}),
  });
}

/**
 * Producer state in files. `<offset>.snapshot` has Kafka's layout (ProducerSnapshot, version 1), which keeps one batch of each producer;
 * `<offset>.producers` beside it is ours and keeps all five, so that a retry is recognised after a restart too. Both are derived from the log.
 */
import { crc32c } from "../base/crc32c.js";
import { CACHED_BATCHES, Producers, type CachedBatch } from "./producers.js";

const VERSION = 1;
const HEAD_BYTES = 10; // version int16, crc uint32, count int32
const ENTRY_BYTES = 46;

export function encodeSnapshot(producers: Producers): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + producers.size * ENTRY_BYTES);
  bytes.writeInt16BE(VERSION, 0);
  bytes.writeInt32BE(producers.size, 6);
  let at = HEAD_BYTES;
  for (const [id, producer] of producers.entries()) {
    const last = producer.batches.at(-1);
    bytes.writeBigInt64BE(id, at);
    bytes.writeInt16BE(producer.epoch, at + 8);
    bytes.writeInt32BE(last?.lastSequence ?? -1, at + 10);
    bytes.writeBigInt64BE(BigInt(last?.lastOffset ?? -1), at + 14);
    bytes.writeInt32BE(last?.offsetDelta ?? 0, at + 22);
    bytes.writeBigInt64BE(BigInt(producer.lastTimestampMs), at + 26);
    bytes.writeInt32BE(producer.coordinatorEpoch, at + 34);
    bytes.writeBigInt64BE(BigInt(producer.openSince ?? -1), at + 38);
    at += ENTRY_BYTES;
  }
  const whole = bytes.subarray(0, at);
  whole.writeUInt32BE(crc32c(whole.subarray(6)), 2);
  return whole;
}

/** Null where the file is damaged: an older snapshot and the log give the same state. */
export function decodeSnapshot(bytes: Uint8Array, nowMs: number): Producers | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < HEAD_BYTES || view.readInt16BE(0) !== VERSION || view.readUInt32BE(2) !== crc32c(view.subarray(6))) return null;
  const count = view.readInt32BE(6);
  if (count < 0 || view.length !== HEAD_BYTES + count * ENTRY_BYTES) return null;
  const producers = new Producers();
  for (let i = 0, at = HEAD_BYTES; i < count; i++, at += ENTRY_BYTES) {
    const lastOffset = Number(view.readBigInt64BE(at + 14));
    const lastTimestampMs = Number(view.readBigInt64BE(at + 26));
    const openSince = Number(view.readBigInt64BE(at + 38));
    const batch = { lastSequence: view.readInt32BE(at + 10), offsetDelta: view.readInt32BE(at + 22), lastOffset, timestampMs: lastTimestampMs };
    producers.restore(view.readBigInt64BE(at), {
      epoch: view.readInt16BE(at + 8),
      coordinatorEpoch: view.readInt32BE(at + 34),
      lastTimestampMs,
      usedMs: nowMs,
      openSince: openSince < 0 ? null : openSince,
      batches: lastOffset < 0 ? [] : [batch],
    });
  }
  return producers;
}

const BATCH_BYTES = 24;

/** The cached batches that the snapshot has no room for. */
export function encodeBatches(producers: Producers): Buffer {
  const parts: Buffer[] = [];
  let count = 0;
  for (const [id, producer] of producers.entries()) {
    if (producer.batches.length === 0) continue;
    count++;
    const entry = Buffer.alloc(9 + producer.batches.length * BATCH_BYTES);
    entry.writeBigInt64BE(id, 0);
    entry.writeUInt8(producer.batches.length, 8);
    producer.batches.forEach((batch, i) => {
      const at = 9 + i * BATCH_BYTES;
      entry.writeInt32BE(batch.lastSequence, at);
      entry.writeInt32BE(batch.offsetDelta, at + 4);
      entry.writeBigInt64BE(BigInt(batch.lastOffset), at + 8);
      entry.writeBigInt64BE(BigInt(batch.timestampMs), at + 16);
    });
    parts.push(entry);
  }
  const head = Buffer.alloc(8);
  head.writeInt32BE(count, 4);
  const whole = Buffer.concat([head, ...parts]);
  whole.writeUInt32BE(crc32c(whole.subarray(4)), 0);
  return whole;
}

/** Fills in what `encodeBatches` kept. @returns false where the file is damaged or is of another snapshot: then neither can be used */
export function restoreBatches(producers: Producers, bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < 8 || view.readUInt32BE(0) !== crc32c(view.subarray(4))) return false;
  let at = 8;
  for (let left = view.readInt32BE(4); left > 0; left--) {
    if (at + 9 > view.length) return false;
    const producer = producers.get(view.readBigInt64BE(at));
    const length = view.readUInt8(at + 8);
    at += 9;
    if (length === 0 || length > CACHED_BATCHES || at + length * BATCH_BYTES > view.length) return false;
    const batches: CachedBatch[] = [];
    for (let i = 0; i < length; i++, at += BATCH_BYTES) {
      batches.push({
        lastSequence: view.readInt32BE(at),
        offsetDelta: view.readInt32BE(at + 4),
        lastOffset: Number(view.readBigInt64BE(at + 8)),
        timestampMs: Number(view.readBigInt64BE(at + 16)),
      });
    }
    if (producer === undefined || batches.at(-1)?.lastOffset !== producer.batches.at(-1)?.lastOffset) return false;
    producer.batches = batches;
  }
  return at === view.length;
}

/** Makes record batches: for coordinators, markers and tests. Clients make their own. */
import { crc32c } from "../base/crc32c.js";
import { CODECS, HEADER_BYTES, LOG_OVERHEAD_BYTES, MAGIC, type CodecName } from "./batch.js";
import { compress } from "./codecs.js";

export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[];
  /** Offset within the batch; the record's place in the list where it is left out. */
  readonly offsetDelta?: number;
}

export interface BatchOptions {
  readonly baseOffset?: number;
  readonly leaderEpoch?: number;
  readonly producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number };
  readonly codec?: CodecName;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly logAppendTime?: number;
  readonly lastOffsetDelta?: number;
}

/** A growing byte string with the primitives that records are made of. */
class Bytes {
  #buffer = Buffer.allocUnsafe(512);
  #at = 0;

  #room(count: number): number {
    const at = this.#at;
    if (at + count > this.#buffer.length) {
      const next = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + count));
      this.#buffer.copy(next, 0, 0, at);
      this.#buffer = next;
    }
    this.#at = at + count;
    return at;
  }

  byte(n: number): void {
    const at = this.#room(1);
    this.#buffer[at] = n;
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
  }

  varint(n: number): void {
    let rest = n >= 0 ? n * 2 : -n * 2 - 1; // zigzag without 32-bit wrap, so that it serves longs too
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  sized(bytes: Uint8Array | null): void {
    if (bytes === null) return this.varint(-1);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  view(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }
}

/** One batch, checksum set. */
export function buildBatch(records: readonly NewRecord[], options: BatchOptions = {}): Uint8Array {
  const baseTimestamp = records[0]?.timestamp ?? -1;
  const section = new Bytes();
  let maxTimestamp = -1;
  records.forEach((record, i) => {
    const body = new Bytes();
    body.byte(0);
    body.varint(record.timestamp - baseTimestamp);
    body.varint(record.offsetDelta ?? i);
    body.sized(record.key);
    body.sized(record.value);
    const headers = record.headers ?? [];
    body.varint(headers.length);
    for (const header of headers) {
      body.sized(Buffer.from(header.key, "utf8"));
      body.sized(header.value);
    }
    const bytes = body.view();
    section.varint(bytes.length);
    section.raw(bytes);
    maxTimestamp = Math.max(maxTimestamp, record.timestamp);
  });
  const codec = options.codec ?? "none";
  return assembleBatch(compress(codec, section.view()), {
    baseOffset: options.baseOffset ?? 0,
    leaderEpoch: options.leaderEpoch ?? -1,
    attributes: CODECS.indexOf(codec) | (options.logAppendTime === undefined ? 0 : 8) | (options.transactional === true ? 16 : 0) | (options.control === true ? 32 : 0),
    lastOffsetDelta: options.lastOffsetDelta ?? records.length - 1,
    baseTimestamp,
    maxTimestamp: options.logAppendTime ?? maxTimestamp,
    producerId: options.producer?.id ?? -1n,
    producerEpoch: options.producer?.epoch ?? -1,
    baseSequence: options.producer?.sequence ?? -1,
    recordCount: records.length,
  });
}

export interface HeaderFields {
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** Puts a header before a records section that is compressed already. */
export function assembleBatch(section: Uint8Array, fields: HeaderFields): Uint8Array {
  const batch = Buffer.allocUnsafe(HEADER_BYTES + section.length);
  batch.writeBigInt64BE(BigInt(fields.baseOffset), 0);
  batch.writeInt32BE(batch.length - LOG_OVERHEAD_BYTES, 8);
  batch.writeInt32BE(fields.leaderEpoch, 12);
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(fields.attributes, 21);
  batch.writeInt32BE(fields.lastOffsetDelta, 23);
  batch.writeBigInt64BE(BigInt(fields.baseTimestamp), 27);
  batch.writeBigInt64BE(BigInt(fields.maxTimestamp), 35);
  batch.writeBigInt64BE(fields.producerId, 43);
  batch.writeInt16BE(fields.producerEpoch, 51);
  batch.writeInt32BE(fields.baseSequence, 53);
  batch.writeInt32BE(fields.recordCount, 57);
  batch.set(section, HEADER_BYTES);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** A transaction's end. record-format.md §6. */
export function endMarker(type: "abort" | "commit", producer: { readonly id: bigint; readonly epoch: number }, options: { readonly coordinatorEpoch: number; readonly timestamp: number }): Uint8Array {
  const key = Buffer.alloc(4);
  key.writeInt16BE(type === "commit" ? 1 : 0, 2);
  const value = Buffer.alloc(6);
  value.writeInt32BE(options.coordinatorEpoch, 2);
  return buildBatch([{ key, value, timestamp: options.timestamp }], { producer: { ...producer, sequence: -1 }, transactional: true, control: true });
}

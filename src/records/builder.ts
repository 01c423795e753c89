/** Makes record batches: for coordinators, markers, rebuilt batches and tests. Clients make their own. */
import { assert } from "../base/assert.js";
import { crc32c } from "../base/crc32c.js";
import { CODECS, HEADER_BYTES, LOG_OVERHEAD_BYTES, MAGIC, type CodecName } from "./batch.js";
import { compress } from "./codecs.js";

export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Milliseconds since 1970; -1 for none. */
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
  /** The broker's clock, which then counts for every record. */
  readonly logAppendTime?: number;
  /** Larger than the last record's where compaction took what came after it. */
  readonly lastOffsetDelta?: number;
  /** When tombstones and markers in here may go, KIP-534. It takes the base timestamp's place. */
  readonly deleteHorizonMs?: number;
}

/** One batch, checksum set. A batch without records, as compaction leaves it, needs `lastOffsetDelta` and has -1 for its largest timestamp. */
export function buildBatch(records: readonly NewRecord[], options: BatchOptions = {}): Uint8Array {
  const last = records.at(-1);
  const lastOffsetDelta = options.lastOffsetDelta ?? (last === undefined ? -1 : (last.offsetDelta ?? records.length - 1));
  assert(lastOffsetDelta >= 0, "a batch without records says which offsets it stands for");
  const baseTimestamp = options.deleteHorizonMs ?? records[0]?.timestamp ?? -1;
  const section = new Section();
  let maxTimestamp = -1;
  for (const [i, record] of records.entries()) {
    const deltas = { timestamp: record.timestamp - baseTimestamp, offset: record.offsetDelta ?? i };
    assert(deltas.offset <= lastOffsetDelta, "no record lies beyond its batch's last offset");
    section.record(record, deltas);
    maxTimestamp = Math.max(maxTimestamp, record.timestamp);
  }
  const codec = records.length === 0 ? "none" : (options.codec ?? "none");
  return assembleBatch(compress(codec, section.view()), {
    baseOffset: options.baseOffset ?? 0,
    leaderEpoch: options.leaderEpoch ?? -1,
    attributes: attributesOf(codec, options),
    lastOffsetDelta,
    baseTimestamp,
    maxTimestamp: options.logAppendTime ?? maxTimestamp,
    producerId: options.producer?.id ?? -1n,
    producerEpoch: options.producer?.epoch ?? -1,
    baseSequence: options.producer?.sequence ?? -1,
    recordCount: records.length,
  });
}

function attributesOf(codec: CodecName, options: BatchOptions): number {
  return (
    CODECS.indexOf(codec) |
    (options.logAppendTime === undefined ? 0 : 8) |
    (options.transactional === true ? 16 : 0) |
    (options.control === true ? 32 : 0) |
    (options.deleteHorizonMs === undefined ? 0 : 64)
  );
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

/** A plain records section that grows. */
export class Section {
  #buffer: Buffer;
  #at = 0;

  constructor(bytes = 512) {
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  record(record: NewRecord, deltas: { readonly timestamp: number; readonly offset: number }): void {
    const headers = record.headers ?? [];
    let bytes = 1 + varintBytes(deltas.timestamp) + varintBytes(deltas.offset) + sizedBytes(record.key) + sizedBytes(record.value) + varintBytes(headers.length);
    for (const header of headers) {
      const keyBytes = Buffer.byteLength(header.key, "utf8");
      bytes += varintBytes(keyBytes) + keyBytes + sizedBytes(header.value);
    }
    this.varint(bytes);
    this.byte(0);
    this.varint(deltas.timestamp);
    this.varint(deltas.offset);
    this.#sized(record.key);
    this.#sized(record.value);
    this.varint(headers.length);
    for (const header of headers) {
      this.#sized(Buffer.from(header.key, "utf8"));
      this.#sized(header.value);
    }
  }

  byte(n: number): void {
    const at = this.#room(1);
    this.#buffer[at] = n;
  }

  /** Zigzag. It serves longs too, exactly within ±2^52. */
  varint(n: number): void {
    let rest = zigzag(n);
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Valid until the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  #sized(bytes: Uint8Array | null): void {
    this.varint(bytes === null ? -1 : bytes.length);
    if (bytes !== null) this.raw(bytes);
  }

  /** Where `count` bytes may be written. The buffer may be another one afterwards, so ask first and name it then. */
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
}

function zigzag(n: number): number {
  const coded = n >= 0 ? n * 2 : -n * 2 - 1; // without 32-bit wrap
  assert(Number.isSafeInteger(coded), `${n} is no whole number that a varint of ours holds`);
  return coded;
}

export function varintBytes(n: number): number {
  let bytes = 1;
  for (let rest = zigzag(n); rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

function sizedBytes(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

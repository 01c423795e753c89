/**
 * Records inside a batch's plain section, one after the other. A cursor walks them and keeps where the parts of the current one lie, so that a walk
 * over any number of records allocates nothing; views are made for those who ask. record-format.md §2 "Record".
 *
 *   length | attributes | timestamp delta | offset delta | key length | key | value length | value | header count | { key length | key | value length | value } …
 */
import { asBuffer, HEADER_BYTES, readBatchHeader, type BatchHeader } from "./batch.js";
import { codecName, decompress } from "./codecs.js";

/** The section is not `recordCount` well-formed records and nothing more. `index` is the record's place in the batch. */
export class RecordFault extends Error {
  override readonly name = "RecordFault";
  readonly code = "corrupt-record";
  constructor(detail: string, readonly index: number) {
    super(detail);
  }
}

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** Key, value and header values are views of the section they were read from. */
export interface RecordView {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

const NO_HEADERS: readonly RecordHeader[] = [];
const DECOMPRESSED_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Walks the section strictly: each record's parts fill exactly the length it declares, lengths are -1 or more, header keys are not null, and after the
 * last record nothing is left. Attributes of a record are unused and may hold anything. Varints may be longer than they must be, up to 5 (10) bytes.
 *
 *     while (cursor.next()) use(cursor.keyAt, cursor.keyBytes);
 */
export class RecordCursor {
  /** Of the current record; -1 before the first. */
  index = -1;
  /** Where it begins, its length field included, and ends. */
  recordAt = 0;
  recordEnd = 0;
  /** Where its length field ends and the record proper begins. */
  bodyAt = 0;
  /** Exact within ±2^53. */
  timestampDelta = 0;
  offsetDelta = 0;
  /** Where what follows the offset delta begins. */
  restAt = 0;
  keyAt = 0;
  /** -1 for null, as in `valueBytes`. */
  keyBytes = -1;
  valueAt = 0;
  valueBytes = -1;
  headersAt = 0;
  headerCount = 0;
  #at = 0;

  /** @param count how many records the batch's header declares */
  constructor(readonly section: Uint8Array, readonly count: number) {
    if (count < 0) this.#fail("a record count below 0");
  }

  /** Goes to the next record. False after the last. @throws RecordFault */
  next(): boolean {
    const end = this.section.length;
    if (++this.index >= this.count) {
      if (this.#at !== end) this.#fail("bytes after the last record");
      return false;
    }
    this.recordAt = this.#at;
    const length = this.#varint();
    if (length < 0 || length > end - this.#at) this.#fail("a record's length runs out of the batch");
    const recordEnd = this.#at + length;
    this.bodyAt = this.#at;
    this.recordEnd = recordEnd;
    this.#at++; // attributes
    this.timestampDelta = this.#varlong();
    this.offsetDelta = this.#varint();
    this.restAt = this.#at;
    this.keyBytes = this.#varint();
    this.keyAt = this.#at;
    this.#skip(this.keyBytes, -1);
    this.valueBytes = this.#varint();
    this.valueAt = this.#at;
    this.#skip(this.valueBytes, -1);
    this.headerCount = this.#varint();
    this.headersAt = this.#at;
    if (this.headerCount !== 0) this.#skipHeaders(recordEnd);
    if (this.#at !== recordEnd) this.#fail("a record's length disagrees with its content");
    return true;
  }

  key(): Uint8Array | null {
    return this.keyBytes < 0 ? null : this.section.subarray(this.keyAt, this.keyAt + this.keyBytes);
  }

  value(): Uint8Array | null {
    return this.valueBytes < 0 ? null : this.section.subarray(this.valueAt, this.valueAt + this.valueBytes);
  }

  headers(): readonly RecordHeader[] {
    if (this.headerCount === 0) return NO_HEADERS;
    const headers: RecordHeader[] = [];
    const after = this.#at;
    this.#at = this.headersAt;
    for (let i = 0; i < this.headerCount; i++) {
      const keyBytes = this.#varint();
      const key = asBuffer(this.section).toString("utf8", this.#at, this.#at + keyBytes);
      this.#at += keyBytes;
      const valueBytes = this.#varint();
      headers.push({ key, value: valueBytes < 0 ? null : this.section.subarray(this.#at, this.#at + valueBytes) });
      this.#at += Math.max(0, valueBytes);
    }
    this.#at = after;
    return headers;
  }

  #skipHeaders(recordEnd: number): void {
    if (this.headerCount < 0 || this.headerCount > (recordEnd - this.#at) / 2) this.#fail("a header count that cannot be");
    for (let i = 0; i < this.headerCount; i++) {
      this.#skip(this.#varint(), 0);
      this.#skip(this.#varint(), -1);
    }
  }

  #skip(bytes: number, least: -1 | 0): void {
    if (bytes > this.section.length - this.#at) this.#fail("a record is cut short");
    if (bytes > 0) this.#at += bytes;
    else if (bytes < least) this.#fail(least === 0 ? "a header without a key" : "a length below -1");
  }

  /** Zigzag, 32 bits; what a fifth byte holds beyond them falls off, as it does in Java. */
  #varint(): number {
    const section = this.section;
    // An index past the end reads undefined, which counts as zero bits below and is caught by the length checks of next().
    let byte = section[this.#at++] as number;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let n = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      byte = section[this.#at++] as number;
      n |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (n >>> 1) ^ -(n & 1);
    }
    return this.#fail(this.#at > section.length ? "a record is cut short" : "a varint is longer than five bytes");
  }

  #varlong(): number {
    const section = this.section;
    let byte = section[this.#at++] as number;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let low = byte & 0x7f;
    let scale = 0x80;
    for (let i = 1; i < 7; i++) {
      byte = section[this.#at++] as number;
      low += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
    }
    let long = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      byte = section[this.#at++] ?? 0x80;
      long |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, (BigInt.asUintN(64, long) >> 1n) ^ -(long & 1n)));
    }
    return this.#fail(this.#at > section.length ? "a record is cut short" : "a varlong is longer than ten bytes");
  }

  #fail(detail: string): never {
    throw new RecordFault(detail, Math.max(0, this.index));
  }
}

/** The plain records section of a whole batch: a view, or new bytes where it was compressed. @throws CodecError */
export function recordsSection(batch: Uint8Array, header: BatchHeader, maxBytes: number): Uint8Array {
  const section = asBuffer(batch).subarray(HEADER_BYTES, header.bytes);
  return header.codec === 0 ? section : decompress(codecName(header.codec), section, { maxBytes });
}

/** Each record of one whole batch, made when it is asked for. @throws RecordFault, CodecError */
export function* eachRecord(batch: Uint8Array, options: { readonly maxBytes: number } = { maxBytes: DECOMPRESSED_MAX_BYTES }): Generator<RecordView, void, void> {
  const header = readBatchHeader(batch);
  if (header.recordCount === 0) return; // what compaction leaves of a producer's last batch
  const cursor = new RecordCursor(recordsSection(batch, header, options.maxBytes), header.recordCount);
  while (cursor.next()) {
    yield {
      offset: header.baseOffset + cursor.offsetDelta,
      timestamp: header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + cursor.timestampDelta,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
    };
  }
}

/** Every record of one whole batch. @throws RecordFault, CodecError */
export function readRecords(batch: Uint8Array, options?: { readonly maxBytes: number }): RecordView[] {
  return [...eachRecord(batch, options)];
}

/** Records inside a batch's (decompressed) section, one after the other, as views. record-format.md §2 "Record". */
import { asBuffer, HEADER_BYTES, readBatchHeader, type BatchHeader } from "./batch.js";
import { codecName, decompress } from "./codecs.js";

export type RecordFaultCode = "corrupt";

export class RecordFault extends Error {
  override readonly name = "RecordFault";
  constructor(detail: string, readonly index: number) {
    super(detail);
  }
}

export interface RecordView {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

/** Cursor over varints; every read is bounded by `end`. */
export class Cursor {
  constructor(readonly bytes: Buffer, public at: number, readonly end: number, public index = 0) {}

  fail(detail: string): never {
    throw new RecordFault(detail, this.index);
  }

  byte(): number {
    if (this.at >= this.end) this.fail("a record is cut short");
    return this.bytes[this.at++] as number;
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return this.fail("a varint is longer than five bytes");
  }

  varint(): number {
    const n = this.uvarint();
    return (n >>> 1) ^ -(n & 1);
  }

  /** As a number where that is exact, which every timestamp delta of a real batch is. */
  varlong(): number {
    let low = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.byte();
      low += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n)));
    }
    return this.fail("a varlong is longer than ten bytes");
  }

  take(count: number): number {
    if (count < 0 || count > this.end - this.at) this.fail("a record is cut short");
    const at = this.at;
    this.at += count;
    return at;
  }

  bytesOrNull(): Uint8Array | null {
    const count = this.varint();
    if (count < -1) this.fail("a length below -1");
    if (count === -1) return null;
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }
}

/** The plain records section of a whole batch. @throws CodecError */
export function recordsSection(batch: Uint8Array, header: BatchHeader, maxBytes: number): Buffer {
  const section = asBuffer(batch).subarray(HEADER_BYTES, header.bytes);
  return header.codec === 0 ? section : asBuffer(decompress(codecName(header.codec), section, { maxBytes }));
}

/** Every record of one whole batch. @throws RecordFault, CodecError */
export function readRecords(batch: Uint8Array, options: { readonly maxBytes: number } = { maxBytes: 256 * 1024 * 1024 }): RecordView[] {
  const header = readBatchHeader(batch);
  const section = recordsSection(batch, header, options.maxBytes);
  const cursor = new Cursor(section, 0, section.length);
  const records: RecordView[] = [];
  for (let i = 0; i < header.recordCount; i++) {
    cursor.index = i;
    records.push(readRecord(cursor, header));
  }
  if (cursor.at !== section.length) cursor.fail("bytes after the last record");
  return records;
}

function readRecord(cursor: Cursor, header: BatchHeader): RecordView {
  const length = cursor.varint();
  const end = cursor.at + length;
  if (length < 0 || end > cursor.end) cursor.fail("a record's length runs out of the batch");
  cursor.byte(); // attributes, unused
  const timestamp = header.logAppendTime ? (cursor.varlong(), header.maxTimestamp) : header.baseTimestamp + cursor.varlong();
  const offset = header.baseOffset + cursor.varint();
  const key = cursor.bytesOrNull();
  const value = cursor.bytesOrNull();
  const count = cursor.varint();
  if (count < 0 || count > (end - cursor.at) / 2) cursor.fail("a header count that cannot be");
  const headers = [];
  for (let i = 0; i < count; i++) {
    const name = cursor.bytesOrNull();
    if (name === null) cursor.fail("a header without a key");
    headers.push({ key: asBuffer(name as Uint8Array).toString("utf8"), value: cursor.bytesOrNull() });
  }
  if (cursor.at !== end) cursor.fail("a record's length disagrees with its content");
  return { offset, timestamp, key, value, headers };
}

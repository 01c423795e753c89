/** What a record of ours holds: who wrote it, its number, and a checksum over all of it, so that a reader can tell a whole one from anything else. */
import { asBuffer } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";
import { counterOf, FOREIGN, valueOf, writerOf } from "../oracle/history.js";

const MARK = 0x4b746b69;
const HEAD_BYTES = 16;

export const PAYLOAD_MIN_BYTES = HEAD_BYTES;

/**  mark u32 | writer u32 | counter u32 | checksum u32 of what is before and after it | filling */
export function payload(value: number, bytes: number): Uint8Array {
  const counter = counterOf(value);
  const buffer = Buffer.alloc(Math.max(HEAD_BYTES, bytes), (counter % 251) + 1);
  buffer.writeUInt32BE(MARK, 0);
  buffer.writeUInt32BE(writerOf(value), 4);
  buffer.writeUInt32BE(counter, 8);
  buffer.writeUInt32BE(checksum(buffer), 12);
  return buffer;
}

/** @returns FOREIGN for what is none of ours, or not whole */
export function valueIn(bytes: Uint8Array | null): number {
  if (bytes === null || bytes.length < HEAD_BYTES) return FOREIGN;
  const buffer = asBuffer(bytes);
  if (buffer.readUInt32BE(0) !== MARK || buffer.readUInt32BE(12) !== checksum(buffer)) return FOREIGN;
  return valueOf(buffer.readUInt32BE(4), buffer.readUInt32BE(8));
}

function checksum(buffer: Buffer): number {
  return crc32c(buffer.subarray(HEAD_BYTES), crc32c(buffer.subarray(0, 12)));
}

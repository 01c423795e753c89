/**
 * The bytes of the quorum's files.
 *
 *     segment   magic uint32, version uint32, first index uint64, term before it uint64, chain before it uint32, checksum uint32; then records
 *     record    payload length uint32, checksum uint32, chain before it uint32, index uint64, term uint64, kind uint8, payload
 *
 * A record's checksum (CRC-32C) covers all of it but itself, the chain before it included, and is the chain before the next one: records cannot be swapped,
 * dropped, or taken from another log, and still each can be judged alone, which is how a torn tail is told from damage.
 */
import { crc32c, crc32cParts } from "../base/crc32c.js";
import { PAYLOAD_MAX_BYTES, type Entry, type EntryKind, type Index, type Term } from "./types.js";

const KINDS: readonly EntryKind[] = ["noop", "data", "members"];
const MAGIC = 0x4b6e5261;
const VERSION = 1;
export const RECORD_HEAD_BYTES = 29;
export const SEGMENT_HEAD_BYTES = 32;

export interface SegmentHead {
  readonly first: Index;
  readonly previousTerm: Term;
  readonly chain: number;
}

export interface Decoded {
  readonly entry: Entry;
  readonly end: number;
  /** Before it, and after it. */
  readonly previous: number;
  readonly chain: number;
}

export function encodeSegmentHead(head: SegmentHead): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(VERSION, 4);
  writeUint64(bytes, head.first, 8);
  writeUint64(bytes, head.previousTerm, 16);
  bytes.writeUInt32BE(head.chain, 24);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 28)), 28);
  return bytes;
}

export function decodeSegmentHead(bytes: Buffer): SegmentHead | null {
  if (bytes.length < SEGMENT_HEAD_BYTES || bytes.readUInt32BE(0) !== MAGIC || bytes.readUInt32BE(4) !== VERSION) return null;
  if (crc32c(bytes.subarray(0, 28)) !== bytes.readUInt32BE(28)) return null;
  return { first: readUint64(bytes, 8), previousTerm: readUint64(bytes, 16), chain: bytes.readUInt32BE(24) };
}

/** @returns the parts of one record, to be written one after the other, and the chain after it */
export function encodeRecord(entry: Entry, previous: number): { readonly parts: readonly Uint8Array[]; readonly bytes: number; readonly chain: number } {
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt32BE(entry.payload.length, 0);
  head.writeUInt32BE(previous, 8);
  writeUint64(head, entry.index, 12);
  writeUint64(head, entry.term, 20);
  head.writeUInt8(KINDS.indexOf(entry.kind), 28);
  const chain = crc32cParts([head.subarray(0, 4), head.subarray(8), entry.payload]);
  head.writeUInt32BE(chain, 4);
  return { parts: entry.payload.length === 0 ? [head] : [head, entry.payload], bytes: head.length + entry.payload.length, chain };
}

/** The record at `at`, whatever came before it, or null if what stands there is none. */
export function decodeRecord(bytes: Buffer, at: number): Decoded | null {
  if (bytes.length - at < RECORD_HEAD_BYTES) return null;
  const length = bytes.readUInt32BE(at);
  const end = at + RECORD_HEAD_BYTES + length;
  if (length > PAYLOAD_MAX_BYTES || end > bytes.length) return null;
  const kind = KINDS[bytes.readUInt8(at + 28)];
  if (kind === undefined) return null;
  const chain = bytes.readUInt32BE(at + 4);
  if (crc32c(bytes.subarray(at + 8, end), crc32c(bytes.subarray(at, at + 4))) !== chain) return null;
  const payload = new Uint8Array(bytes.subarray(at + RECORD_HEAD_BYTES, end));
  return { entry: { index: readUint64(bytes, at + 12), term: readUint64(bytes, at + 20), kind, payload }, end, previous: bytes.readUInt32BE(at + 8), chain };
}

/** Does a whole record of a later entry stand anywhere from `from` on? Then what is bad before it is damage, since a torn write has nothing after it. */
export function laterRecordFrom(bytes: Buffer, from: number, last: Index): boolean {
  for (let at = from; at + RECORD_HEAD_BYTES <= bytes.length; at++) {
    const index = readUint64(bytes, at + 12);
    if (index <= last || index > last + bytes.length) continue; // cheap, and false for nearly every place
    if (decodeRecord(bytes, at) !== null) return true;
  }
  return false;
}

/** A small file's body behind its checksum. */
export function sealed(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(crc32c(body));
  return Buffer.concat([head, body]);
}

/** @returns null when the checksum is wrong */
export function unsealed(bytes: Uint8Array): Buffer | null {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return all.length >= 4 && crc32c(all.subarray(4)) === all.readUInt32BE(0) ? all.subarray(4) : null;
}

export function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value % 2 ** 32, at + 4);
}

/** May lie beyond the safe integers where the bytes are none of ours: callers compare before they use it. */
export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/**
 * Which transactions are open in a partition, and which were aborted (record-format.md §8). Transactions themselves come later; a log
 * written by Kafka may hold them, and what is open bounds what a read-committed reader may see.
 */
import type { Marker } from "./producers.js";

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
  /** The marker's offset. */
  readonly lastOffset: number;
  /** Last stable offset once this one was closed. */
  readonly lastStable: number;
}

export class OpenTransactions {
  /** First offset of each producer's open transaction. Offsets rise, so insertion order is offset order. */
  readonly #since = new Map<bigint, number>();

  get first(): number | null {
    let first: number | null = null;
    for (const offset of this.#since.values()) first = first === null ? offset : Math.min(first, offset);
    return first;
  }

  open(producerId: bigint, firstOffset: number): void {
    this.#since.set(producerId, firstOffset);
  }

  /** @returns the entry for the index when it was aborted and had data */
  close(producerId: bigint, since: number | null, end: { readonly marker: number; readonly commit: boolean }): AbortedTransaction | null {
    this.#since.delete(producerId);
    if (since === null || end.commit) return null;
    return { producerId, firstOffset: since, lastOffset: end.marker, lastStable: this.first ?? end.marker + 1 };
  }

  clear(): void {
    this.#since.clear();
  }
}

/** Entries that a reader of [from, upTo) needs, out of those in order of lastOffset. */
export function abortedIn(entries: readonly AbortedTransaction[], from: number, upTo: number): AbortedTransaction[] {
  const found: AbortedTransaction[] = [];
  for (const entry of entries) {
    if (entry.lastOffset >= from && entry.firstOffset < upTo) found.push(entry);
    if (entry.lastStable >= upTo) break;
  }
  return found;
}

const ENTRY_BYTES = 34;

export function encodeAborted(entries: readonly AbortedTransaction[]): Buffer {
  const bytes = Buffer.alloc(entries.length * ENTRY_BYTES);
  entries.forEach((entry, i) => {
    const at = i * ENTRY_BYTES; // the first two bytes are the version, 0
    bytes.writeBigInt64BE(entry.producerId, at + 2);
    bytes.writeBigInt64BE(BigInt(entry.firstOffset), at + 10);
    bytes.writeBigInt64BE(BigInt(entry.lastOffset), at + 18);
    bytes.writeBigInt64BE(BigInt(entry.lastStable), at + 26);
  });
  return bytes;
}

/** Stops before an entry that is cut short or that does not rise. */
export function decodeAborted(bytes: Uint8Array): AbortedTransaction[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: AbortedTransaction[] = [];
  for (let at = 0; at + ENTRY_BYTES <= view.length; at += ENTRY_BYTES) {
    const entry = {
      producerId: view.readBigInt64BE(at + 2),
      firstOffset: Number(view.readBigInt64BE(at + 10)),
      lastOffset: Number(view.readBigInt64BE(at + 18)),
      lastStable: Number(view.readBigInt64BE(at + 26)),
    };
    const last = entries.at(-1);
    if (view.readInt16BE(at) !== 0 || entry.firstOffset > entry.lastOffset || (last !== undefined && entry.lastOffset <= last.lastOffset)) break;
    entries.push(entry);
  }
  return entries;
}

const RECORDS_AT = 61;

/**
 * What a control batch says: an end of transaction, or null for the kinds that the log only keeps. Control batches are never compressed and hold
 * one record: length, attributes, timestamp delta, offset delta, key length, key (version, type), value length, value (version, coordinator epoch).
 */
export function readMarker(batch: Uint8Array, position: number, bytes: number): Marker | null {
  const view = Buffer.from(batch.buffer, batch.byteOffset + position, bytes);
  let at = RECORDS_AT;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70 && at < view.length; shift += 7) {
      const byte = view[at++] ?? 0;
      if (shift < 28) value |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    return (value >>> 1) ^ -(value & 1);
  };
  varint();
  at += 1;
  varint();
  varint();
  const keyBytes = varint();
  const key = at;
  if (keyBytes < 4 || key + keyBytes > view.length) return null;
  const type = view.readInt16BE(key + 2);
  at += keyBytes;
  const valueBytes = varint();
  if ((type !== 0 && type !== 1) || valueBytes < 6 || at + 6 > view.length) return null;
  return { commit: type === 1, coordinatorEpoch: view.readInt32BE(at + 2) };
}

/**
 * Committed offsets of one group. Values are kept as the log has them, with the offset of their record, since a transaction's commits take
 * effect at its marker and must not undo what was written in between.
 */
import type { Uuid } from "../../base/ids.js";

export interface Committed {
  readonly offset: bigint;
  readonly leaderEpoch: number; // -1 unknown
  readonly metadata: string;
  readonly commitMs: number; // wall time
  readonly expireMs: number; // wall time, -1 none: asked for by old clients only
  readonly topicId: Uuid | null;
  readonly at: number; // offset of its record
}

export interface OffsetBook {
  readonly topics: Map<string, Map<number, Committed>>;
  /** By producer id: what open transactions will commit. */
  readonly open: Map<bigint, Map<string, Map<number, Committed>>>;
}

export function newOffsetBook(): OffsetBook {
  return { topics: new Map(), open: new Map() };
}

export function committed(book: OffsetBook, topic: string, partition: number): Committed | null {
  return book.topics.get(topic)?.get(partition) ?? null;
}

export function isOpen(book: OffsetBook, topic: string, partition: number): boolean {
  for (const topics of book.open.values()) if (topics.get(topic)?.has(partition) === true) return true;
  return false;
}

export function isBlank(book: OffsetBook): boolean {
  return book.topics.size === 0 && book.open.size === 0;
}

export function put(topics: Map<string, Map<number, Committed>>, topic: string, partition: number, value: Committed | null): void {
  const partitions = topics.get(topic);
  if (value !== null) {
    if (partitions === undefined) topics.set(topic, new Map([[partition, value]]));
    else partitions.set(partition, value);
    return;
  }
  if (partitions === undefined) return;
  partitions.delete(partition);
  if (partitions.size === 0) topics.delete(topic);
}

export function putOpen(book: OffsetBook, producerId: bigint, topic: string, partition: number, value: Committed): void {
  let topics = book.open.get(producerId);
  if (topics === undefined) book.open.set(producerId, (topics = new Map()));
  put(topics, topic, partition, value);
}

/** A transaction ended: its commits count from where they were written, so a later plain commit stands. */
export function endTransaction(book: OffsetBook, producerId: bigint, result: "commit" | "abort"): void {
  const topics = book.open.get(producerId);
  if (topics === undefined) return;
  book.open.delete(producerId);
  if (result === "abort") return;
  for (const [topic, partitions] of topics) {
    for (const [partition, value] of partitions) {
      const standing = committed(book, topic, partition);
      if (standing === null || standing.at < value.at) put(book.topics, topic, partition, value);
    }
  }
}

export function* eachOffset(book: OffsetBook): Generator<{ readonly topic: string; readonly partition: number; readonly value: Committed }> {
  for (const [topic, partitions] of book.topics) for (const [partition, value] of partitions) yield { topic, partition, value };
}

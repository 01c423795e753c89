/** What the oracle knows of each log: which values readers saw where, who wrote them, and how far each log was shown to reach. */
import { counterOf, type Entry, FOREIGN, type Partition, type Poll, type Write, type Writer, writerOf } from "./history.js";

/** One record that a reader saw. */
export interface Sighting {
  readonly offset: number;
  readonly value: number;
  /** Null for what is no record of ours. */
  readonly write: Write | null;
  /** Where the batch's first record is, if the batch is whole. */
  readonly base: number;
  /** What readers saw at this offset before; undefined for nothing. */
  readonly before: number | undefined;
  /** Its batch has not been seen at this place before. */
  readonly isNew: boolean;
}

export class Seen {
  readonly writers = new Map<number, Writer>();
  readonly #partitions = new Map<string, Partition>();
  /** By the partition's number, then by offset. */
  readonly #values: number[][] = [];
  readonly #ends: number[] = [];
  /** Of the newest entry, if it is a poll. */
  sightings: readonly Sighting[] = [];

  partition(topic: string, topicId: string, index: number): Partition {
    const text = `${topic}-${index}`;
    const key = `${topicId}/${index}`;
    let partition = this.#partitions.get(key);
    if (partition === undefined) {
      partition = { number: this.#partitions.size, topic, topicId, index, text };
      this.#partitions.set(key, partition);
      this.#values.push([]);
      this.#ends.push(0);
    }
    return partition;
  }

  get partitions(): readonly Partition[] {
    return [...this.#partitions.values()];
  }

  /** What readers saw by offset; holes for what nobody saw. */
  values(partition: Partition): readonly (number | undefined)[] {
    return this.#values[partition.number] ?? [];
  }

  /** Past the last offset that any reader saw. */
  end(partition: Partition): number {
    return this.#ends[partition.number] ?? 0;
  }

  write(value: number): Write | null {
    if (value === FOREIGN) return null;
    const writer = this.writers.get(writerOf(value));
    return writer?.writes[Math.floor(counterOf(value) / writer.perBatch)] ?? null;
  }

  /** To be called with each entry before the rules read it. */
  note(entry: Entry): void {
    if (entry.f === "poll") this.#poll(entry.poll);
    else if (this.sightings.length > 0) this.sightings = [];
    if (entry.f === "write" && entry.type === "invoke") this.writers.set(entry.write.writer.number, entry.write.writer);
  }

  #poll(poll: Poll): void {
    const { partition, offsets, values } = poll;
    const known = this.#values[partition.number] ?? [];
    const sightings: Sighting[] = [];
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i] ?? 0;
      const value = values[i] ?? FOREIGN;
      const write = this.write(value);
      const before = known[offset];
      const base = write === null ? offset : offset - (counterOf(value) % write.writer.perBatch);
      let isNew = false;
      if (write !== null && write.partition === partition && !write.places.includes(base)) {
        write.places.push(base);
        isNew = true;
      }
      known[offset] = value;
      sightings.push({ offset, value, write, base, before, isNew });
    }
    if (poll.last >= poll.position) this.#ends[partition.number] = Math.max(this.end(partition), poll.last + 1);
    this.sightings = sightings;
  }
}

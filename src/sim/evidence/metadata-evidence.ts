/** The metadata as the committed entries of the quorum make it: each batch is decoded and applied once, and what changed is told. */
import { ClusterImage } from "../../metadata/cluster-image.js";
import { decodeBatch, type MetadataRecord, type PartitionChange } from "../../metadata/records.js";
import { replay } from "../../metadata/replay.js";
import type { PartitionImage } from "../../metadata/image.js";
import type { EntryFact } from "./raft-node.js";
import { Signal } from "./signal.js";

export interface Batch {
  readonly position: number;
  readonly payload: Uint8Array;
  readonly records: readonly MetadataRecord[];
  readonly before: ClusterImage;
  readonly after: ClusterImage;
}

/** One row of a partition that changed; `before` is as the batch found it, or as an earlier record of it left it. */
export interface RowChanged {
  readonly position: number;
  readonly topic: string;
  readonly before: PartitionImage;
  readonly change: PartitionChange;
  /** As it was before this record. */
  readonly image: ClusterImage;
  readonly batch: readonly MetadataRecord[];
}

/** Images are values that share what did not change, so many are cheap to keep. */
const IMAGES_MAX = 2_000;

export class MetadataEvidence {
  image = ClusterImage.empty;
  readonly onBatch = new Signal<Batch>();
  readonly onRecord = new Signal<{ readonly record: MetadataRecord; readonly position: number; readonly image: ClusterImage }>();
  readonly onRow = new Signal<RowChanged>();
  /** What could not be applied. */
  readonly onBroken = new Signal<{ readonly position: number; readonly text: string }>();
  readonly #images = new Map<number, ClusterImage>();
  readonly #payloads = new Map<number, Uint8Array>();
  /** Topic, partition and leader epoch → leader. */
  readonly #reigns = new Map<string, number>();

  committed(fact: EntryFact): void {
    if (fact.kind !== 1) return;
    const position = fact.index;
    try {
      const records = decodeBatch(fact.payload);
      const before = this.image;
      let at = before;
      for (const [i, record] of records.entries()) {
        this.onRecord.tell({ record, position, image: at });
        if (record.kind === "partitions-made") record.rows.forEach((row, n) => this.#reign(record.topicId, record.first + n, row.leaderEpoch, row.leader));
        if (record.kind === "partitions-changed") this.#rows(record, position, at, records);
        if (records.length > 1 && i < records.length - 1) at = replay(before, records.slice(0, i + 1), BigInt(position));
      }
      this.image = replay(before, records, BigInt(position));
      this.#payloads.set(position, fact.payload);
      this.#images.set(position, this.image);
      for (const list of [this.#images, this.#payloads]) if (list.size > IMAGES_MAX) list.delete(list.keys().next().value ?? -1);
      this.onBatch.tell({ position, payload: fact.payload, records, before, after: this.image });
    } catch (error) {
      this.onBroken.tell({ position, text: String(error) });
    }
  }

  /** The image at a position; undefined where it is not kept any more. */
  at(position: number): ClusterImage | undefined {
    return this.#images.get(position);
  }

  payloadAt(position: number): Uint8Array | undefined {
    return this.#payloads.get(position);
  }

  /** Who leads a partition in an epoch, as far as it is committed; -1: nobody, undefined: there is no such epoch. */
  leaderOf(topicId: string, partition: number, epoch: number): number | undefined {
    return this.#reigns.get(`${topicId}/${partition}/${epoch}`);
  }

  #reign(topicId: string, partition: number, epoch: number, leader: number | null): void {
    const key = `${topicId}/${partition}/${epoch}`;
    if (!this.#reigns.has(key)) this.#reigns.set(key, leader ?? -1);
  }

  #rows(record: Extract<MetadataRecord, { kind: "partitions-changed" }>, position: number, image: ClusterImage, batch: readonly MetadataRecord[]): void {
    const topic = image.topicById(record.topicId);
    for (const change of record.rows) {
      this.#reign(record.topicId, change.index, change.leaderEpoch, change.leader);
      const before = topic?.partition(change.index) ?? null;
      if (topic !== null && before !== null) this.onRow.tell({ position, topic: topic.name, before, change, image, batch });
    }
  }
}

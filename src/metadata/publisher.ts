/**
 * Hands the metadata on to whoever follows it: from the position where a follower stands when the batches since then are still here, else a
 * snapshot first. Each follower is pumped at its own pace; the image behaves as a value, so a slow one holds nobody up.
 *
 *     applied batch ──▶ recent (bounded) ──▶ follower: cursor ──▶ sink
 *                       image ── blocks ───▶ follower that stands before `recent`
 */
import { assert } from "../base/assert.js";
import { ClusterImage } from "./cluster-image.js";
import type { Position } from "./image.js";
import { SNAPSHOT_BLOCK_BYTES, snapshotBlocks } from "./snapshot.js";

export type FeedMessage =
  | { readonly kind: "snapshot"; readonly position: Position; readonly block: Uint8Array; readonly first: boolean; readonly last: boolean }
  | { readonly kind: "batches"; readonly batches: readonly FeedBatch[] }
  /** Nothing to tell, and where the teller stands: the first answer to a follower that is up to date. */
  | { readonly kind: "current"; readonly position: Position };

export interface FeedBatch {
  readonly position: Position;
  readonly bytes: Uint8Array;
}

/** False: full; `pump` is called again when there is room. */
export type FeedSink = (message: FeedMessage) => boolean;

export interface PublisherLimits {
  /** Batches kept for followers that come back: by their bytes and by their count. */
  readonly recentMaxBytes: number;
  readonly recentMaxCount: number;
}

export const PUBLISHER_LIMITS: PublisherLimits = { recentMaxBytes: 8 << 20, recentMaxCount: 20_000 };

export class Publisher {
  readonly #limits: PublisherLimits;
  readonly #followers = new Set<Follower>();
  #image = ClusterImage.empty;
  #recent: FeedBatch[] = [];
  #recentBytes = 0;
  /** A follower at this position or later can go on from `recent`. */
  #floor: Position = 0n;

  constructor(limits: PublisherLimits = PUBLISHER_LIMITS) {
    this.#limits = limits;
  }

  get image(): ClusterImage {
    return this.#image;
  }

  /** A committed batch was applied; `image` is what it made. */
  applied(image: ClusterImage, bytes: Uint8Array): void {
    assert(image.position > this.#image.position, "batches are published in order");
    this.#image = image;
    this.#recent.push({ position: image.position, bytes });
    this.#recentBytes += bytes.length;
    let drop = 0;
    while (this.#recent.length - drop > this.#limits.recentMaxCount || (this.#recentBytes > this.#limits.recentMaxBytes && this.#recent.length - drop > 1)) {
      const oldest = this.#recent[drop++];
      assert(oldest !== undefined, "the loop ends before the newest batch");
      this.#recentBytes -= oldest.bytes.length;
      this.#floor = oldest.position;
    }
    if (drop > 0) this.#recent = this.#recent.slice(drop);
    for (const follower of this.#followers) follower.pump();
  }

  /** The state machine was restored from a snapshot: followers that stand elsewhere get one too. */
  restored(image: ClusterImage): void {
    this.#image = image;
    this.#recent = [];
    this.#recentBytes = 0;
    this.#floor = image.position;
    for (const follower of this.#followers) follower.pump();
  }

  follow(from: Position, sink: FeedSink): Follower {
    const follower = new Follower(this, from, sink);
    this.#followers.add(follower);
    follower.pump();
    return follower;
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  /** @internal */
  drop(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** @internal Batches after `position` in pieces of a block's size, null where a snapshot is due. */
  after(position: Position): readonly FeedBatch[] | null {
    if (position < this.#floor || position > this.#image.position) return null;
    const first = firstAfter(this.#recent, position);
    const out: FeedBatch[] = [];
    let bytes = 0;
    for (let i = first; i < this.#recent.length && bytes < SNAPSHOT_BLOCK_BYTES; i++) {
      const batch = this.#recent[i] as FeedBatch; // i is below the length
      out.push(batch);
      bytes += batch.bytes.length;
    }
    return out;
  }
}

interface SnapshotUnderWay {
  readonly position: Position;
  readonly blocks: IterableIterator<Uint8Array>;
  next: Uint8Array | null;
  first: boolean;
}

export class Follower {
  readonly #publisher: Publisher;
  readonly #sink: FeedSink;
  #position: Position;
  #snapshot: SnapshotUnderWay | null = null;
  #greeted = false;
  #closed = false;
  #pumping = false;

  constructor(publisher: Publisher, from: Position, sink: FeedSink) {
    this.#publisher = publisher;
    this.#position = from;
    this.#sink = sink;
  }

  /** Sends until there is nothing to send or the sink is full. */
  pump(): void {
    if (this.#pumping) return; // a sink may report room from within a send
    this.#pumping = true;
    try {
      while (!this.#closed && this.#step());
    } finally {
      this.#pumping = false;
    }
  }

  close(): void {
    this.#closed = true;
    this.#publisher.drop(this);
  }

  /** @returns true to go on */
  #step(): boolean {
    if (this.#snapshot !== null) return this.#snapshotStep(this.#snapshot);
    const batches = this.#publisher.after(this.#position);
    if (batches === null) {
      const image = this.#publisher.image;
      // A follower that is ahead of this controller waits for it: what it knows was committed, and a feed never goes back.
      if (this.#position > image.position) return false;
      const blocks = snapshotBlocks(image);
      this.#snapshot = { position: image.position, blocks, next: taken(blocks), first: true };
      return true;
    }
    const last = batches.at(-1);
    if (last === undefined) {
      if (this.#greeted) return false;
      this.#greeted = true;
      return this.#sink({ kind: "current", position: this.#position });
    }
    this.#greeted = true;
    this.#position = last.position;
    return this.#sink({ kind: "batches", batches });
  }

  #snapshotStep(snapshot: SnapshotUnderWay): boolean {
    const block = snapshot.next;
    assert(block !== null, "a snapshot in progress has a next block");
    snapshot.next = taken(snapshot.blocks);
    const last = snapshot.next === null;
    if (last) {
      this.#snapshot = null;
      this.#position = snapshot.position;
      this.#greeted = true;
    }
    const first = snapshot.first;
    snapshot.first = false;
    return this.#sink({ kind: "snapshot", position: snapshot.position, block, first, last });
  }
}

function taken(blocks: IterableIterator<Uint8Array>): Uint8Array | null {
  const next = blocks.next();
  return next.done === true ? null : next.value;
}

function firstAfter(batches: readonly FeedBatch[], position: Position): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((batches[middle] as FeedBatch).position <= position) low = middle + 1; // middle is below the length
    else high = middle;
  }
  return low;
}

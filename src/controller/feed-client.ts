/** Follows the metadata feed of any controller: a snapshot or what came since, applied in order into an image. Goes elsewhere when a stream ends. */
import { backoffMs } from "../base/backoff.js";
import { ChangeLog, changesBetween } from "../metadata/changes.js";
import { ClusterImage } from "../metadata/cluster-image.js";
import type { ImageChanges } from "../metadata/image.js";
import { decodeBatch } from "../metadata/records.js";
import { replay } from "../metadata/replay.js";
import { SnapshotLoader } from "../metadata/snapshot.js";
import type { Timer } from "../world/clock.js";
import type { RpcAddress } from "../world/rpc.js";
import type { World } from "../world/world.js";
import { decodeCall, encodeCall, FEED, WireError, type FeedReply } from "./wire.js";

const REDIAL = { firstMs: 20, maxMs: 1_000 };

export class FeedClient {
  image = ClusterImage.empty;
  #loader: SnapshotLoader | null = null;
  #attempt = 0;
  #at = 0;
  #closed = false;
  #connected = false;
  #redial: Timer | null = null;
  #close: () => void = () => undefined;

  /** @param addresses controllers in order of preference, the own node's first */
  constructor(readonly world: World, readonly addresses: readonly RpcAddress[], readonly onImage: (image: ClusterImage, previous: ClusterImage, changes: ImageChanges) => void) {}

  start(): void {
    if (this.#closed) return;
    const address = this.addresses[this.#at % this.addresses.length];
    if (address === undefined) return;
    const stream = this.world.rpc.open(address, FEED);
    this.#connected = true;
    this.#close = () => stream.close();
    this.#loader = null;
    stream.onMessage((bytes) => {
      try {
        this.#take(decodeCall<FeedReply>(bytes).message);
        this.#attempt = 0;
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        stream.close();
      }
    });
    stream.onDrain(() => undefined);
    stream.onEnd(() => {
      this.#connected = false;
      if (this.#closed) return;
      this.#at++;
      this.#redial = this.world.clock.after(backoffMs(this.#attempt++, REDIAL, this.world.random.fraction()), () => this.start());
    });
    stream.send(encodeCall(0, { kind: "follow", from: this.image.position, clusterId: this.image.clusterId }));
  }

  /** Leaves this controller for the next one. */
  goElsewhere(): void {
    this.#close();
  }

  close(): void {
    this.#closed = true;
    this.#redial?.cancel();
    this.#close();
  }

  /** Plain data: where the image stands, and which of the addresses it is from. */
  inspect(): { readonly position: bigint; readonly at: number; readonly connected: boolean; readonly loading: boolean; readonly attempt: number } {
    return { position: this.image.position, at: this.#at % this.addresses.length, connected: this.#connected, loading: this.#loader !== null, attempt: this.#attempt };
  }

  #take(message: FeedReply): void {
    const before = this.image;
    switch (message.kind) {
      case "current":
        return;
      case "batches": {
        const changes = new ChangeLog();
        let next = before;
        for (const batch of message.batches) {
          if (BigInt(batch.position) <= next.position) continue; // told twice after a change of streams
          next = replay(next, decodeBatch(batch.bytes), BigInt(batch.position), changes);
        }
        if (next === before) return;
        this.image = next;
        return this.onImage(next, before, changes);
      }
      case "snapshot": {
        if (message.first) this.#loader = new SnapshotLoader();
        this.#loader?.add(message.block);
        if (!message.last || this.#loader === null) return;
        const image = this.#loader.finish();
        this.#loader = null;
        if (image.position <= before.position) return; // a feed never goes back
        this.image = image;
        return this.onImage(image, before, changesBetween(before, image));
      }
    }
  }
}

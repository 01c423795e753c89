/**
 * The metadata as the quorum's state machine, and the newest image on the leader: decisions are made on what is proposed already, so that they pipeline; each
 * answer waits until the image it was decided on is committed. When leadership is lost what was not committed is dropped, and its outcomes are unknown.
 */
import { assert } from "../base/assert.js";
import type { NodeId } from "../base/ids.js";
import { checkImage } from "../metadata/check-image.js";
import { ChangeLog } from "../metadata/changes.js";
import { ClusterImage } from "../metadata/cluster-image.js";
import { Publisher } from "../metadata/publisher.js";
import { decodeBatch, encodeBatch, FEATURE_LEVEL } from "../metadata/records.js";
import { replay } from "../metadata/replay.js";
import { snapshotBlocks, SnapshotLoader } from "../metadata/snapshot.js";
import type { Leadership, Quorum, StateMachine } from "../raft/quorum.js";
import type { World } from "../world/world.js";
import type { Decision } from "./decide/context.js";

export type Outcome<Reply> = { readonly ok: true; readonly reply: Reply; readonly position: bigint } | { readonly ok: false; readonly leader: NodeId | null; readonly unknown: boolean };

interface Pending {
  readonly index: number;
  readonly settle: (committed: boolean) => void;
}

export class MetadataMachine implements StateMachine {
  readonly publisher = new Publisher();
  #quorum: Quorum | null = null;
  /** Committed and applied. */
  #image = ClusterImage.empty;
  /** With what is proposed; the leader's alone. */
  #newest: ClusterImage | null = null;
  #newestIndex = 0;
  #pending: Pending[] = [];
  #leadership: Leadership = { leader: null, term: 0, self: false, ready: false };

  constructor(readonly world: World, readonly onLeadership: (change: Leadership) => void, readonly onApplied: (image: ClusterImage, changes: ChangeLog) => void) {}

  attach(quorum: Quorum): void {
    this.#quorum = quorum;
  }

  get image(): ClusterImage {
    return this.#image;
  }

  /** The image to decide on; null while this controller is not active. */
  get newest(): ClusterImage | null {
    return this.#newest;
  }

  get standing(): Leadership {
    return this.#leadership;
  }

  /** Decides on the newest image and proposes what comes of it; resolves when all of it is committed, or cannot be known to be. */
  decide<Reply>(decision: (image: ClusterImage) => Decision<Reply>): Promise<Outcome<Reply>> {
    const image = this.#newest;
    const quorum = this.#quorum;
    const leader = this.#leadership.leader;
    if (image === null || quorum === null) return Promise.resolve({ ok: false, leader, unknown: false });
    const { records, reply } = decision(image);
    if (records.length > 0) {
      const proposal = quorum.propose(encodeBatch(records));
      if (!proposal.ok) return Promise.resolve({ ok: false, leader: proposal.leader, unknown: false });
      this.#newest = replay(image, records, BigInt(proposal.index));
      this.#newestIndex = proposal.index;
    }
    const index = this.#newestIndex;
    const position = this.#newest?.position ?? image.position;
    if (index <= Number(this.#image.position)) return Promise.resolve({ ok: true, reply, position });
    return new Promise((resolve) => {
      this.#pending.push({ index, settle: (committed) => resolve(committed ? { ok: true, reply, position } : { ok: false, leader: this.#leadership.leader, unknown: true }) });
    });
  }

  // ---- StateMachine

  apply(entry: { readonly index: number; readonly term: number; readonly kind: string; readonly payload: Uint8Array }): void {
    if (entry.kind !== "data") return;
    const changes = new ChangeLog();
    this.#image = replay(this.#image, decodeBatch(entry.payload), BigInt(entry.index), changes);
    this.publisher.applied(this.#image, entry.payload);
    const due = this.#pending.filter((one) => one.index <= entry.index);
    this.#pending = this.#pending.filter((one) => one.index > entry.index);
    this.onApplied(this.#image, changes);
    for (const one of due) one.settle(true);
  }

  snapshot(): Iterator<Uint8Array> {
    return snapshotBlocks(this.#image);
  }

  async restore(_point: { readonly index: number; readonly term: number }, blocks: AsyncIterable<Uint8Array>): Promise<void> {
    const loader = new SnapshotLoader();
    for await (const block of blocks) loader.add(block);
    this.#image = loader.finish();
    this.publisher.restored(this.#image);
    this.onApplied(this.#image, new ChangeLog());
  }

  leadership(change: Leadership): void {
    const was = this.#leadership;
    this.#leadership = change;
    if (change.ready && !(was.ready && was.term === change.term)) {
      this.#newest = this.#image;
      this.#newestIndex = Number(this.#image.position);
      checkImage(this.#image);
      this.#found();
    }
    if (!change.ready) {
      this.#newest = null;
      const lost = this.#pending;
      this.#pending = [];
      for (const one of lost) one.settle(false);
    }
    this.onLeadership(change);
  }

  /** The first records of a cluster. */
  #found(): void {
    const clusterId = this.#quorum?.status().clusterId ?? "";
    if (this.#image.clusterId !== "" || clusterId === "") return;
    const founding = this.decide(() => ({ records: [{ kind: "cluster", clusterId }, { kind: "feature-level", level: FEATURE_LEVEL }], reply: null }));
    this.world.own(founding, "founding the metadata");
    assert(this.#newest !== null, "an active controller has an image to decide on");
  }
}

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
import { decodeBatch, encodeBatch, FEATURE_LEVEL, type MetadataRecord } from "../metadata/records.js";
import { replay } from "../metadata/replay.js";
import { snapshotBlocks, SnapshotLoader } from "../metadata/snapshot.js";
import type { Leadership, Quorum, StateMachine } from "../raft/quorum.js";
import type { World } from "../world/world.js";
import type { Decision } from "./decide/context.js";

export type Outcome<Reply> = { readonly ok: true; readonly reply: Reply; readonly position: bigint } | { readonly ok: false; readonly leader: NodeId | null; readonly unknown: boolean };

/** Above it a whole check would stop the loop for too long; tests and the simulator check images of any size. */
const CHECKED_MAX = 10_000;

interface Pending {
  readonly index: number;
  readonly term: number;
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

  /** @param founding records of a new cluster besides its id and feature level */
  constructor(readonly world: World, readonly founding: () => readonly MetadataRecord[], readonly onLeadership: (change: Leadership) => void, readonly onApplied: (image: ClusterImage, changes: ChangeLog) => void) {}

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

  /** Decisions whose commit is awaited. */
  get unanswered(): number {
    return this.#pending.length;
  }

  get standing(): Leadership {
    return this.#leadership;
  }

  /**
   * Decides on the newest image and proposes what comes of it; resolves when all of it is committed, or cannot be known to be. A refusal or a read changes nothing, so
   * nothing's commit would show that we still lead: a quorum is asked (readIndex), else a deposed leader would answer from the past.
   */
  async decide<Reply>(decision: (image: ClusterImage) => Decision<Reply>): Promise<Outcome<Reply>> {
    const image = this.#newest;
    const quorum = this.#quorum;
    const leader = this.#leadership.leader;
    if (image === null || quorum === null) return { ok: false, leader, unknown: false };
    const { records, reply } = decision(image);
    if (records.length > 0) {
      const proposal = quorum.propose(encodeBatch(records));
      if (!proposal.ok) return { ok: false, leader: proposal.leader, unknown: false };
      this.#newest = replay(image, records, BigInt(proposal.index));
      this.#newestIndex = proposal.index;
    }
    const index = this.#newestIndex;
    const position = this.#newest?.position ?? image.position;
    const { term } = this.#leadership;
    const changed = records.length > 0;
    if (index > Number(this.#image.position)) {
      const committed = await new Promise<boolean>((resolve) => this.#pending.push({ index, term, settle: resolve }));
      if (!committed) return { ok: false, leader: this.#leadership.leader, unknown: changed };
      if (changed) return { ok: true, reply, position };
    }
    const point = await quorum.readIndex();
    return point.ok ? { ok: true, reply, position } : { ok: false, leader: this.#leadership.leader, unknown: false };
  }

  // ---- StateMachine

  apply(entry: { readonly index: number; readonly term: number; readonly kind: string; readonly payload: Uint8Array }): void {
    if (entry.kind !== "data") return;
    const changes = new ChangeLog();
    this.#image = replay(this.#image, decodeBatch(entry.payload), BigInt(entry.index), changes);
    this.publisher.applied(this.#image, entry.payload);
    this.onApplied(this.#image, changes);
    const waiting = this.#pending.findIndex((one) => one.index > entry.index);
    const due = this.#pending.splice(0, waiting < 0 ? this.#pending.length : waiting); // in order of index
    for (const one of due) one.settle(one.term === entry.term);
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
      if (this.#image.partitionCount <= CHECKED_MAX) checkImage(this.#image, false);
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
    const founding = this.decide(() => ({ records: [{ kind: "cluster", clusterId }, { kind: "feature-level", level: FEATURE_LEVEL }, ...this.founding()], reply: null }));
    this.world.own(founding, "founding the metadata");
    assert(this.#newest !== null, "an active controller has an image to decide on");
  }
}

/**
 * What damage may be dealt, and what was: a map of which disks can still be relied on. A disk may be wiped, or bits of it flipped, only while
 * every committed entry of the quorum stays intact on a majority of voters without it, and every acknowledged record on another member of ISR or
 * ELR. A node counts as damaged until its repair is seen: no flipped bit is left on its disk, the quorum's leader knows that it holds all that is
 * committed, and it is back, under a new registration, in the ISR of each partition that it is assigned to. Both are judged by what runs now;
 * where that cannot be known, nothing may be dealt and nothing is repaired.
 */
import type { NodeId } from "../../base/ids.js";
import type { MetadataImage } from "../../metadata/image.js";
import type { QuorumInspection } from "../../raft/quorum.js";
import type { SimCluster } from "../cluster/cluster.js";
import type { FileContent } from "../file-content.js";
import type { Excuses } from "../run.js";
import type { Simulation } from "../simulation.js";

interface Flip {
  readonly path: string;
  readonly file: FileContent;
  readonly position: number;
  readonly bit: number;
  readonly before: number;
}

interface Damage {
  readonly sinceMs: number;
  /** Its broker's epoch in the metadata then; a repaired node has a newer one. */
  readonly brokerEpoch: bigint;
  readonly flips: Flip[];
  /** Since when its node has not run for more than a moment; null while it does. */
  downSinceMs: number | null;
  /** The incarnation that was seen last, and when first. */
  seen: { readonly incarnation: object | null; readonly sinceMs: number };
}

/** How long after a disk's fault has ended a process may still end of it: what failed is told late by a stalled disk. */
const AFTERMATH_MS = 30_000;
/** A node that refuses its damaged disk for so long gets an empty one from whoever looks after it. */
const REPLACE_AFTER_MS = 15_000;
/** What has run for so long has accepted its disk. */
const RUNS_AFTER_MS = 3_000;

export class Atlas implements Excuses {
  readonly #damaged = new Map<number, Damage>();
  /** Node → since when, and until when, its disk fails calls; Infinity while it lasts. */
  readonly #failing = new Map<number, { untilMs: number; holds: number }>();
  /** Damage that was repaired, for the report. */
  repairs = 0;
  /** Disks that were replaced because their nodes would not start with them. */
  replacements = 0;
  /** Damage that was asked for and would have been too much. */
  refusals = 0;

  constructor(readonly sim: Simulation, readonly cluster: SimCluster) {}

  // ------------------------------------------------------------------------------------------------------------ excuses

  isDamaged(node: number): boolean {
    return this.#damaged.has(node);
  }

  explainsFall(node: number, sinceMs: number): boolean {
    const failing = this.#failing.get(node);
    return this.#damaged.has(node) || (failing !== undefined && failing.untilMs + AFTERMATH_MS >= sinceMs);
  }

  get damagedNodes(): readonly number[] {
    return [...this.#damaged.keys()].sort((a, b) => a - b);
  }

  // ------------------------------------------------------------------------------------------------------------ for those who deal

  /** Calls of its disk fail from now until the result is called. */
  beginFailing(node: number): () => void {
    const failing = this.#failing.get(node) ?? { untilMs: 0, holds: 0 };
    this.#failing.set(node, failing);
    failing.holds++;
    failing.untilMs = Infinity;
    return () => {
      if (--failing.holds === 0) failing.untilMs = this.sim.nowMs;
    };
  }

  /** Whether this disk, of a node that does not run, may be wiped or damaged now. */
  mayDamage(id: number): boolean {
    const allowed = this.#wholeWithout(id);
    if (!allowed) this.refusals++;
    return allowed;
  }

  wipe(id: number): void {
    this.#declare(id);
    this.cluster.node(id).machine.disk.wipe();
  }

  /** @returns false if there is no such durable byte */
  flip(id: number, path: string, position: number, bit: number): boolean {
    const { disk } = this.cluster.node(id).machine;
    const file = disk.tree.durableFile(path);
    const before = file?.durableBytes()[position];
    if (file === null || before === undefined || !disk.flipBit(path, position, bit)) return false;
    this.#declare(id).flips.push({ path, file, position, bit, before });
    return true;
  }

  /** Looks whether repairs are done. To be called now and then. */
  look(): void {
    for (const id of this.damagedNodes) {
      this.#replaceIfRefused(id);
      if (this.lacks(id) !== null) continue;
      this.#damaged.delete(id);
      this.repairs++;
    }
  }

  // ------------------------------------------------------------------------------------------------------------ judging

  #declare(id: number): Damage {
    let damage = this.#damaged.get(id);
    if (damage === undefined) {
      const epoch = this.#newestImage()?.image.broker(id as NodeId)?.epoch ?? -1n; // ids of the plan are node ids
      damage = { sinceMs: this.sim.nowMs, brokerEpoch: epoch, flips: [], downSinceMs: null, seen: { incarnation: null, sinceMs: this.sim.nowMs } };
      this.#damaged.set(id, damage);
    }
    return damage;
  }

  /** It ends again and again because its disk is not what it was: an operator replaces it, which costs no more than the damage has. */
  #replaceIfRefused(id: number): void {
    const damage = this.#damaged.get(id);
    const node = this.cluster.node(id);
    if (damage === undefined || !node.wanted) return;
    const { nowMs } = this.sim;
    if (damage.seen.incarnation !== node.current) damage.seen = { incarnation: node.current, sinceMs: nowMs };
    const runs = node.isUp && nowMs - damage.seen.sinceMs >= RUNS_AFTER_MS;
    damage.downSinceMs = runs ? null : (damage.downSinceMs ?? nowMs);
    if (node.isUp || damage.downSinceMs === null || nowMs - damage.downSinceMs < REPLACE_AFTER_MS || !node.machine.powered) return;
    damage.downSinceMs = null;
    this.replacements++;
    if (this.sim.trace.withText) this.sim.trace.say("fault", node.machine.name, nowMs, "the node does not accept its damaged disk: it is replaced");
    node.machine.disk.wipe();
  }

  #wholeWithout(id: number): boolean {
    const size = this.cluster.nodes.length;
    const minority = Math.floor((size - 1) / 2);
    const others = this.damagedNodes.filter((one) => one !== id).length;
    if (others + 1 > minority) return false;
    const quorums = this.#quorums();
    const committed = Math.max(0, ...quorums.map((one) => one.commitIndex));
    const whole = quorums.filter((one) => one.nodeId !== id && !this.#damaged.has(one.nodeId) && one.standing === "voter" && !one.repairing && one.durableIndex >= committed);
    if (whole.length < size - minority) return false;
    const image = this.#newestImage();
    return image !== null && image.applied >= committed && everyPartition(image.image, ({ replicas, isr, elr }) => {
      if (!replicas.includes(id as NodeId)) return true;
      return [...isr, ...elr].some((one) => one !== id && !this.#damaged.has(one));
    });
  }

  /** What is missing until a node counts as repaired, for people; null if it does, or never was damaged. */
  lacks(id: number, { flips = true }: { readonly flips?: boolean } = {}): string | null {
    const damage = this.#damaged.get(id);
    if (damage === undefined) return null;
    const { machine } = this.cluster.node(id);
    const flipped = damage.flips.find(({ path, file, position, before }) => machine.disk.tree.durableFile(path) === file && position < file.durableSize && file.durableBytes()[position] !== before);
    if (flips && flipped !== undefined) return `byte ${flipped.position} of ${flipped.path} of node ${id} is still flipped`;
    const quorums = this.#quorums();
    const own = quorums.find((one) => one.nodeId === id);
    if (own === undefined) return `node ${id} does not run`;
    if (own.standing !== "voter" || own.repairing) return `node ${id} is ${own.repairing ? "repairing its log" : `a ${own.standing}`}`;
    const leader = newest(quorums.filter((one) => one.role === "leader"), (one) => one.term);
    if (leader === undefined) return "nobody leads the quorum";
    const seen = leader.voters.find((one) => one.id === id);
    if (seen === undefined || seen.directoryId !== own.directoryId) return `the quorum's leader does not know node ${id} as a voter`;
    if (seen.matchIndex < leader.commitIndex || own.durableIndex < leader.commitIndex) return `node ${id} holds entries up to ${seen.matchIndex} of ${leader.commitIndex}`;
    const image = this.cluster.node(leader.nodeId).current?.controller?.inspect().image ?? null;
    const broker = image?.broker(id as NodeId) ?? null;
    if (image === null || broker === null || broker.fenced || broker.epoch <= damage.brokerEpoch) return `broker ${id} is not registered anew`;
    let out = "";
    everyPartition(image, ({ replicas, isr, index }, topic) => {
      if (!replicas.includes(id as NodeId) || isr.includes(id as NodeId)) return true;
      out = `broker ${id} is not in the ISR of ${topic}-${index}`;
      return false;
    });
    return out === "" ? null : out;
  }

  #quorums(): readonly QuorumInspection[] {
    return this.cluster.nodes.flatMap(({ isUp, current }) => (isUp && current !== null && current.controller !== null ? [current.controller.inspect().quorum] : []));
  }

  /** The metadata of the node that has applied most, which is committed. */
  #newestImage(): { readonly applied: number; readonly image: MetadataImage } | null {
    const seen = this.cluster.nodes.flatMap(({ isUp, current }) => (isUp && current !== null && current.controller !== null ? [current.controller.inspect()] : []));
    return newest(seen.map(({ quorum, image }) => ({ applied: quorum.appliedIndex, image })), (one) => one.applied) ?? null;
  }
}

type Partition = NonNullable<ReturnType<NonNullable<ReturnType<MetadataImage["topic"]>>["partition"]>>;

export function everyPartition(image: MetadataImage, holds: (partition: Partition, topic: string) => boolean): boolean {
  for (const topic of image.topics()) {
    for (let i = 0; i < topic.partitionCount; i++) {
      const partition = topic.partition(i);
      if (partition !== null && !holds(partition, topic.name)) return false;
    }
  }
  return true;
}

function newest<T>(all: readonly T[], of: (one: T) => number): T | undefined {
  return all.reduce<T | undefined>((best, one) => (best === undefined || of(one) > of(best) ? one : best), undefined);
}

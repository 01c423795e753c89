/** Whether a cluster, or a part of it that should be able to carry on alone, is well: judged by what its parts say of themselves to `inspect`. */
import type { NodeId } from "../base/ids.js";
import type { MetadataImage } from "../metadata/image.js";
import type { QuorumInspection } from "../raft/quorum.js";
import type { SimCluster } from "./cluster/cluster.js";
import type { SimNode } from "./cluster/node.js";
import { everyPartition } from "./faults/atlas.js";

const MIN_ISR = "min.insync.replicas";

export interface Seen {
  readonly id: number;
  readonly quorum: QuorumInspection;
  readonly image: MetadataImage;
}

/** What the controllers that run among these nodes say. */
export function seenOf(cluster: SimCluster, ids: readonly number[]): readonly Seen[] {
  return ids.flatMap((id) => {
    const { isUp, current } = cluster.node(id);
    return isUp && current !== null && current.controller !== null ? [{ id, ...current.controller.inspect() }] : [];
  });
}

/** The active controller among these nodes: of the newest term. */
export function leaderOf(seen: readonly Seen[]): Seen | null {
  const leaders = seen.filter(({ quorum }) => quorum.role === "leader");
  return leaders.reduce<Seen | null>((best, one) => (best === null || one.quorum.term > best.quorum.term ? one : best), null);
}

/** @returns what keeps the whole cluster from being well, for people; null if it is */
export function whatAils(cluster: SimCluster): string | null {
  const ids = cluster.nodes.map((node) => node.id);
  const down = cluster.nodes.find((node) => !node.isUp || node.current?.broker?.isReady() !== true);
  if (down !== undefined) return `node ${down.id} is ${down.isUp ? "not ready" : "down"}`;
  const seen = seenOf(cluster, ids);
  const leader = leaderOf(seen);
  if (leader === null) return "nobody leads the quorum";
  const behind = seen.find(({ quorum }) => quorum.appliedIndex < leader.quorum.commitIndex || quorum.leader !== leader.id);
  if (behind !== undefined) return `node ${behind.id} follows ${behind.quorum.leader ?? "nobody"} and has applied ${behind.quorum.appliedIndex} of ${leader.quorum.commitIndex}`;
  const learner = ids.find((id) => !leader.quorum.voters.some((one) => one.id === id));
  if (learner !== undefined) return `node ${learner} is no voter`;
  const fenced = ids.find((id) => leader.image.broker(id as NodeId)?.fenced !== false);
  if (fenced !== undefined) return `broker ${fenced} is fenced`;
  let ill: string | null = null;
  everyPartition(leader.image, ({ leader: first, isr, replicas, index }, topic) => {
    if (first === null) ill = `${topic}-${index} has no leader`;
    else if (isr.length < replicas.length) ill = `the ISR of ${topic}-${index} is ${isr.join(", ")} of ${replicas.join(", ")}`;
    return ill === null;
  });
  return ill;
}

/**
 * @param could the partitions that the core must serve, by `topic-index`
 * @returns what keeps the core from carrying on without the others
 */
export function whatAilsCore(cluster: SimCluster, core: readonly number[], could: ReadonlySet<string>): string | null {
  const leader = leaderOf(seenOf(cluster, core));
  if (leader === null || leader.quorum.leader !== leader.id) return "nobody of the core leads the quorum";
  const late = core.find((id) => cluster.node(id).current?.broker?.isReady() !== true || leader.image.broker(id as NodeId)?.fenced !== false);
  if (late !== undefined) return `broker ${late} of the core is not ready, or fenced`;
  let ill: string | null = null;
  everyPartition(leader.image, (partition, topic) => {
    const name = `${topic}-${partition.index}`;
    if (!could.has(name)) return true;
    const { leader: first, isr } = partition;
    const outside = isr.find((one) => !core.includes(one));
    if (first === null || !core.includes(first)) ill = `${name} is led by ${first ?? "nobody"}`;
    else if (outside !== undefined) ill = `broker ${outside}, which is outside of the core, is in the ISR of ${name}`;
    else if (isr.length < Math.min(keptMinIsrOf(leader.image, topic), partition.replicas.length)) ill = `the ISR of ${name} is ${isr.join(", ")}`;
    return ill === null;
  });
  return ill;
}

/** Partitions that must be served by the core alone: enough of their replicas are in it, and one of those may lead. */
export function coreCould(cluster: SimCluster, core: readonly number[]): ReadonlySet<string> {
  const seen = seenOf(cluster, cluster.nodes.map((node) => node.id));
  const image = leaderOf(seen)?.image ?? seen[0]?.image;
  const names = new Set<string>();
  if (image === undefined) return names;
  everyPartition(image, ({ replicas, isr, elr, index }, topic) => {
    const inside = replicas.filter((one) => core.includes(one)).length;
    const eligible = [...isr, ...elr].filter((one) => core.includes(one)).length;
    if (eligible > 0 && inside >= Math.min(keptMinIsrOf(image, topic), replicas.length)) names.add(`${topic}-${index}`);
    return true;
  });
  return names;
}

/** As leaders and controllers count: the topic's own, else the cluster's, which stands in the metadata from the first day. */
function keptMinIsrOf(image: MetadataImage, topic: string): number {
  return Number(image.config("topic", topic).get(MIN_ISR) ?? image.config("broker", "").get(MIN_ISR) ?? "1");
}

/** One line on how a node stands, for people. */
export function describeNode({ isUp, current, machine }: SimNode): string {
  if (!isUp || current === null) return machine.powered ? "down" : "without power";
  const broker = current.broker === null ? "broker starting" : current.broker.isReady() ? "broker ready" : "broker not ready";
  if (current.controller === null) return `controller starting, ${broker}`;
  const { role, standing, term, leader, commitIndex, appliedIndex, durableIndex, lastIndex, logStart, repairing, voters, notes } = current.controller.inspect().quorum;
  return `${standing} ${role} in term ${term}, leader ${leader ?? "none"}, log ${logStart} to ${lastIndex}, durable ${durableIndex}, committed ${commitIndex}, applied ${appliedIndex}${repairing ? ", repairing" : ""}, voters ${voters.map((one) => `${one.id}:${one.matchIndex}`).join(" ")}, ${broker}${notes.length > 0 ? `; ${notes.join("; ")}` : ""}`;
}

/** Changes of one partition, and who may lead it. Pure; KIP-497, 841, 903, 966. */
import { epoch, type NodeId } from "../../base/ids.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { PartitionImage } from "../../metadata/image.js";
import type { MetadataRecord, PartitionChange } from "../../metadata/records.js";
import type { Uuid } from "../../base/ids.js";
import type { RowFacts } from "../../metadata/partition-columns.js";
import { isUncleanAllowed, minIsrOf, type DecideContext } from "./context.js";

export interface NextPartition {
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[];
  readonly lastKnownElr?: readonly NodeId[];
  readonly leader: NodeId | null;
  readonly recovering?: boolean;
  readonly unclean?: boolean;
  /** One per replica, when one of them was given another directory. */
  readonly directories?: readonly Uuid[];
}

/** The record of a change; null where nothing changes. The leader epoch rises exactly when the leader changes. */
export function changed(p: PartitionImage, next: NextPartition): PartitionChange | null {
  const recovering = next.recovering ?? p.recovering;
  const lastKnownElr = next.lastKnownElr ?? (next.isr.length + next.elr.length === 0 ? p.lastKnownElr : []);
  if (next.directories === undefined && next.leader === p.leader && same(next.isr, p.isr) && same(next.elr, p.elr) && same(lastKnownElr, p.lastKnownElr) && recovering === p.recovering) return null;
  return {
    index: p.index,
    isr: next.isr,
    elr: next.elr,
    lastKnownElr,
    leader: next.leader,
    leaderEpoch: next.leader === p.leader ? p.leaderEpoch : epoch(p.leaderEpoch + 1),
    partitionEpoch: p.partitionEpoch + 1,
    recovering,
    directories: next.directories ?? null,
    unclean: next.unclean ?? false,
  };
}

function same(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

export interface LeaderRules {
  /** May this broker lead now? */
  readonly alive: (id: NodeId) => boolean;
  readonly minIsr: number;
  /** May one outside ISR and ELR lead? */
  readonly unclean: boolean;
}

/** Who should lead, and with which sets: first of the ISR, then of the ELR, then nobody, unless an unclean election is asked for. */
export function elected(p: PartitionImage, isr: readonly NodeId[], elr: readonly NodeId[], rules: LeaderRules): NextPartition {
  if (p.leader !== null && isr.includes(p.leader) && rules.alive(p.leader)) return { isr, elr, leader: p.leader };
  const fromIsr = p.replicas.find((id) => isr.includes(id) && rules.alive(id));
  if (fromIsr !== undefined) return { isr, elr, leader: fromIsr };
  const fromElr = p.replicas.find((id) => elr.includes(id) && rules.alive(id));
  if (fromElr !== undefined) {
    // The last of the ISR has everything too: it stays eligible while it is away.
    const eligible = p.replicas.filter((id) => id !== fromElr && (elr.includes(id) || isr.includes(id)));
    return { isr: [fromElr], elr: rules.minIsr <= 1 ? [] : eligible, leader: fromElr };
  }
  if (rules.unclean) {
    const any = p.replicas.find((id) => rules.alive(id));
    if (any !== undefined) return { isr: [any], elr: [], leader: any, recovering: true, unclean: true };
  }
  return { isr, elr, leader: null };
}

/** The ISR without one member: the last one stays. Below the minimum who leaves remains eligible (KIP-966). */
export function withoutMember(p: PartitionImage, id: NodeId, minIsr: number): { readonly isr: readonly NodeId[]; readonly elr: readonly NodeId[] } {
  const isr = p.isr.filter((one) => one !== id);
  if (isr.length === 0) return { isr: p.isr, elr: p.elr };
  return { isr, elr: eligibleBeside(p, isr, minIsr) };
}

/** Who stays eligible outside this ISR: those who left it while it was below the minimum. */
export function eligibleBeside(p: PartitionImage, isr: readonly NodeId[], minIsr: number): readonly NodeId[] {
  if (isr.length >= minIsr) return [];
  return p.replicas.filter((id) => !isr.includes(id) && (p.isr.includes(id) || p.elr.includes(id)));
}

/** Where a walk over all partitions goes on: topics in order of name, partitions in order of index. */
export interface Cursor {
  readonly topic: string;
  readonly index: number;
}

export const START: Cursor = { topic: "", index: 0 };

/** What one turn of a walk decided; `next` is null at the end. */
export interface Block {
  readonly records: readonly MetadataRecord[];
  readonly next: Cursor | null;
}

/** Topics that one block passes by: what it does not want costs little, but not nothing. */
const TOPICS_MAX = 5_000;
const TOPIC_COST = 9;

export interface Walk {
  /** Whose place in the row `wanted` is told. */
  readonly broker: NodeId | null;
  readonly wanted: (row: RowFacts) => boolean;
  readonly from: Cursor;
  /** Work of one block: a partition is one, and a topic that is looked into some more, since it is replaced in the image. */
  readonly limit: number;
}

/**
 * Decides over the next partitions that `wanted` picks by their rows alone, without making an object for the others: there may be a hundred thousand, and a
 * decision over all of them would hold the loop for a second.
 */
export function changeBlock(image: ClusterImage, walk: Walk, context: DecideContext, decide: (p: PartitionImage, rules: TopicRules) => PartitionChange | null, topicCost = TOPIC_COST): { readonly records: MetadataRecord[]; readonly next: Cursor | null } {
  const { broker, wanted, from } = walk;
  const records: MetadataRecord[] = [];
  let left = walk.limit;
  let topics = 0;
  for (const topic of image.topicsFrom(from.topic)) {
    const first = topic.name === from.topic ? from.index : 0;
    if (left <= 0 || (topics++ === TOPICS_MAX && walk.limit !== Infinity)) return { records, next: { topic: topic.name, index: first } };
    const indexes = topic.columns.scan(broker, wanted, left, first);
    const last = indexes.at(-1);
    if (last === undefined) continue;
    left -= indexes.length + topicCost;
    const rules = topicRules(image, topic.name, context);
    const rows: PartitionChange[] = [];
    for (const index of indexes) {
      const row = decide(topic.existing(index), rules);
      if (row !== null) rows.push(row);
    }
    if (rows.length > 0) records.push({ kind: "partitions-changed", topicId: topic.id, rows });
    if (left <= 0 && last + 1 < topic.partitionCount) return { records, next: { topic: topic.name, index: last + 1 } };
  }
  return { records, next: null };
}

/** The same over all of them, or the first `limit`, at once. */
export function changeEach(
  image: ClusterImage,
  which: { readonly broker: NodeId | null; readonly wanted: (row: RowFacts) => boolean; readonly limit?: number },
  context: DecideContext,
  decide: (p: PartitionImage, rules: TopicRules) => PartitionChange | null,
): MetadataRecord[] {
  return changeBlock(image, { limit: Infinity, ...which, from: START }, context, decide, 0).records;
}

/** A topic's settings that elections look at, read once. */
export interface TopicRules {
  readonly minIsr: (replicas: number) => number;
  readonly unclean: boolean;
}

export function topicRules(image: ClusterImage, topic: string, context: DecideContext): TopicRules {
  const minIsr = minIsrOf(image, topic, Infinity, context);
  return { minIsr: (replicas) => Math.min(minIsr, replicas), unclean: isUncleanAllowed(image, topic, context) };
}

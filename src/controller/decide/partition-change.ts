/** Changes of one partition, and who may lead it. Pure; KIP-497, 841, 903, 966. */
import { epoch, type NodeId } from "../../base/ids.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { PartitionImage } from "../../metadata/image.js";
import type { MetadataRecord, PartitionChange } from "../../metadata/records.js";
import type { Uuid } from "../../base/ids.js";

export interface NextPartition {
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[];
  readonly lastKnownElr?: readonly NodeId[];
  readonly leader: NodeId | null;
  readonly recovering?: boolean;
  readonly unclean?: boolean;
}

/** The record of a change; null where nothing changes. The leader epoch rises exactly when the leader changes. */
export function changed(p: PartitionImage, next: NextPartition): PartitionChange | null {
  const recovering = next.recovering ?? p.recovering;
  const lastKnownElr = next.lastKnownElr ?? (next.leader === null ? p.lastKnownElr : []);
  if (next.leader === p.leader && same(next.isr, p.isr) && same(next.elr, p.elr) && same(lastKnownElr, p.lastKnownElr) && recovering === p.recovering) return null;
  return {
    index: p.index,
    isr: next.isr,
    elr: next.elr,
    lastKnownElr,
    leader: next.leader,
    leaderEpoch: next.leader === p.leader ? p.leaderEpoch : epoch(p.leaderEpoch + 1),
    partitionEpoch: p.partitionEpoch + 1,
    recovering,
    directories: null,
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

/** One record for each topic that has changes. */
export function changeRecords(changes: ReadonlyMap<Uuid, readonly PartitionChange[]>): MetadataRecord[] {
  return [...changes].filter(([, rows]) => rows.length > 0).map(([topicId, rows]) => ({ kind: "partitions-changed", topicId, rows }));
}

/** Decides over every partition that names `broker` among its replicas (all, for null). */
export function changeEach(image: ClusterImage, broker: NodeId | null, decide: (p: PartitionImage, topic: string) => PartitionChange | null): MetadataRecord[] {
  const changes = new Map<Uuid, PartitionChange[]>();
  for (const topic of image.topics()) {
    const rows: PartitionChange[] = [];
    for (let index = 0; index < topic.partitionCount; index++) {
      const p = topic.existing(index);
      if (broker !== null && !p.replicas.includes(broker)) continue;
      const row = decide(p, topic.name);
      if (row !== null) rows.push(row);
    }
    if (rows.length > 0) changes.set(topic.id, rows);
  }
  return changeRecords(changes);
}

/** Elections that somebody asks for, and the return of leaders to their preferred replicas. */
import type { NodeId } from "../../base/ids.js";
import type { AdminCommand, AdminReply, AdminResult } from "../../coordination/admin.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { PartitionImage } from "../../metadata/image.js";
import type { RowFacts } from "../../metadata/partition-columns.js";
import type { MetadataRecord, PartitionChange } from "../../metadata/records.js";
import { isAlive, minIsrOf, type DecideContext, type Decision } from "./context.js";
import { changed, changeEach, elected } from "./partition-change.js";

export function decideElections(image: ClusterImage, command: Extract<AdminCommand, { kind: "elect-leaders" }>, context: DecideContext): Decision<AdminReply> {
  const records: MetadataRecord[] = [];
  const results: AdminResult[] = [];
  const all = command.partitions === null;
  const seen = new Set<string>();
  const asked = command.partitions ?? needing(image, command.type);
  for (const one of asked) {
    const key = `${one.topic}/${one.partition}`;
    if (seen.has(key)) continue; // decided once: two changes of one partition would both start from the same epoch
    seen.add(key);
    const topic = image.topic(one.topic);
    const p = topic?.partition(one.partition) ?? null;
    if (topic === null || p === null) {
      results.push({ error: "UNKNOWN_TOPIC_OR_PARTITION", message: `there is no partition ${one.topic}-${one.partition}`, name: one.topic, partition: one.partition });
      continue;
    }
    const verdict = command.type === "preferred" ? toPreferred(image, p) : toAny(image, p, minIsrOf(image, topic.name, p.replicas.length, context));
    if (typeof verdict !== "string") records.push({ kind: "partitions-changed", topicId: topic.id, rows: [verdict] });
    const error = typeof verdict === "string" ? verdict : "NONE";
    if (!all || error !== "ELECTION_NOT_NEEDED") results.push({ error, message: null, name: one.topic, partition: one.partition });
  }
  return { records, reply: { error: null, message: null, results } };
}

/** Of all partitions those that an election could change or must be refused for: no object is made for the others. */
function* needing(image: ClusterImage, type: "preferred" | "unclean"): IterableIterator<{ readonly topic: string; readonly partition: number }> {
  for (const topic of image.topics()) {
    for (const partition of topic.columns.scan(null, (row) => (type === "preferred" ? row.leader !== row.preferred : row.leader < 0), Infinity)) yield { topic: topic.name, partition };
  }
}

function toPreferred(image: ClusterImage, p: PartitionImage): PartitionChange | "ELECTION_NOT_NEEDED" | "PREFERRED_LEADER_NOT_AVAILABLE" {
  const [preferred] = p.replicas;
  if (preferred === undefined || p.leader === preferred) return "ELECTION_NOT_NEEDED";
  if (!p.isr.includes(preferred) || !isAlive(image, preferred)) return "PREFERRED_LEADER_NOT_AVAILABLE";
  return changed(p, { isr: p.isr, elr: p.elr, leader: preferred }) ?? "ELECTION_NOT_NEEDED";
}

function toAny(image: ClusterImage, p: PartitionImage, minIsr: number): PartitionChange | "ELECTION_NOT_NEEDED" | "ELIGIBLE_LEADERS_NOT_AVAILABLE" {
  if (p.leader !== null) return "ELECTION_NOT_NEEDED";
  const next = elected(p, p.isr, p.elr, { alive: (id: NodeId) => isAlive(image, id), minIsr, unclean: true });
  return next.leader === null ? "ELIGIBLE_LEADERS_NOT_AVAILABLE" : (changed(p, next) ?? "ELECTION_NOT_NEEDED");
}

/** Leaders that can go back to their preferred replica, at most `limit` at a time. */
export function rebalanceRecords(image: ClusterImage, limit: number, context: DecideContext): readonly MetadataRecord[] {
  // The preferred replica is the first of the row, so bit 0 of its ISR.
  const movable = (row: RowFacts): boolean => row.leader >= 0 && row.leader !== row.preferred && (row.isrBits & 1) !== 0;
  return changeEach(image, { broker: null, wanted: movable, limit }, context, (p) => {
    const verdict = toPreferred(image, p);
    return typeof verdict === "string" ? null : verdict;
  });
}

export interface ReportedEnd {
  /** Of the incarnation that reported: another one may have lost what this one had. */
  readonly brokerEpoch: bigint;
  readonly lastEpoch: number;
  readonly end: number;
}

/** Nobody may lead and nobody is eligible. */
export function waitsForEnds(p: PartitionImage): boolean {
  return p.leader === null && p.isr.length === 0 && p.elr.length === 0;
}

/** Nobody is eligible: once every replica has said how far its log goes, the one with the largest (epoch, end) leads, never the first to return. */
export function recoverRecords(image: ClusterImage, topicId: PartitionImage["topicId"], index: number, ends: ReadonlyMap<NodeId, ReportedEnd>): readonly MetadataRecord[] {
  const p = image.topicById(topicId)?.partition(index) ?? null;
  if (p === null || !waitsForEnds(p)) return [];
  if (!p.replicas.every((id) => isAlive(image, id) && ends.get(id)?.brokerEpoch === image.broker(id)?.epoch)) return [];
  const best = [...p.replicas].sort((a, b) => {
    const [x, y] = [ends.get(a) as ReportedEnd, ends.get(b) as ReportedEnd];
    return y.lastEpoch - x.lastEpoch || y.end - x.end;
  })[0];
  const row = best === undefined ? null : changed(p, { isr: [best], elr: [], lastKnownElr: [], leader: best, recovering: true, unclean: true });
  return row === null ? [] : [{ kind: "partitions-changed", topicId, rows: [row] }];
}

/** ISR changes by compare-and-set: behaviours.md §11, KIP-497, 841, 903, 966. Each of a call is decided on what the ones before it made. */
import type { NodeId } from "../../base/ids.js";
import type { IsrChange, IsrOutcome } from "../../coordination/coordination.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { MetadataRecord } from "../../metadata/records.js";
import { isAlive, minIsrOf, type DecideContext, type Decision } from "./context.js";
import { changed, eligibleBeside } from "./partition-change.js";

export function decideIsr(image: ClusterImage, from: NodeId, asks: readonly IsrChange[], context: DecideContext): Decision<readonly IsrOutcome[]> {
  const records: MetadataRecord[] = [];
  const taken = new Set<string>();
  const reply = asks.map((ask): IsrOutcome => {
    const refuse = (error: Extract<IsrOutcome, { ok: false }>["error"]): IsrOutcome => ({ ok: false, error });
    const topic = image.topicById(ask.topicId);
    const p = topic?.partition(ask.partition) ?? null;
    if (topic === null || p === null) return refuse("UNKNOWN_TOPIC_ID");
    const key = `${ask.topicId}/${ask.partition}`;
    if (taken.has(key)) return refuse("INVALID_UPDATE_VERSION");
    if (ask.leaderEpoch < p.leaderEpoch) return refuse("FENCED_LEADER_EPOCH");
    if (ask.leaderEpoch > p.leaderEpoch) return refuse("NOT_CONTROLLER");
    if (p.leader !== from) return refuse("INVALID_REQUEST");
    if (ask.partitionEpoch < p.partitionEpoch) return refuse("INVALID_UPDATE_VERSION");
    if (ask.partitionEpoch > p.partitionEpoch) return refuse("NOT_CONTROLLER");
    const isr = ask.isr.map((one) => one.id);
    if (!isr.includes(from) || new Set(isr).size !== isr.length || !isr.every((id) => p.replicas.includes(id))) return refuse("INVALID_REQUEST");
    // After an unclean election the leader is alone until it says that it has recovered (KIP-704).
    if (p.recovering && !ask.recovered && isr.length > 1) return refuse("INVALID_REQUEST");
    const eligible = ask.isr.every(({ id, brokerEpoch }) => {
      const sameIncarnation = image.broker(id)?.epoch === brokerEpoch;
      return p.isr.includes(id) ? sameIncarnation || brokerEpoch === -1n : sameIncarnation && isAlive(image, id);
    });
    if (!eligible) return refuse("INELIGIBLE_REPLICA");
    const minIsr = minIsrOf(image, topic.name, p.replicas.length, context);
    const ordered = p.replicas.filter((id) => isr.includes(id));
    const row = changed(p, { isr: ordered, elr: eligibleBeside(p, ordered, minIsr), leader: p.leader, recovering: p.recovering && !ask.recovered });
    if (row === null) return { ok: true, leader: p.leader, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch, isr: p.isr };
    taken.add(key);
    records.push({ kind: "partitions-changed", topicId: ask.topicId, rows: [row] });
    return { ok: true, leader: row.leader, leaderEpoch: row.leaderEpoch, partitionEpoch: row.partitionEpoch, isr: row.isr };
  });
  return { records, reply };
}

/** Brokers come, stay, stop and go. Design §6; reliability.md M2, C7, C8, C27. */
import { NO_UUID, type NodeId, type Uuid } from "../../base/ids.js";
import type { BrokerRegistration } from "../../coordination/coordination.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import { replay } from "../../metadata/replay.js";
import { FEATURE_LEVEL, type MetadataRecord } from "../../metadata/records.js";
import type { ErrorName } from "../../protocol/errors.js";
import { isAlive, isUncleanAllowed, minIsrOf, type DecideContext, type Decision } from "./context.js";
import { changed, changeEach, elected, withoutMember } from "./partition-change.js";

export type RegisterReply = { readonly ok: true } | { readonly ok: false; readonly error: ErrorName; readonly message: string };

export interface Registering extends BrokerRegistration {
  readonly clusterId: string;
  readonly lost: readonly { readonly topicId: Uuid; readonly partition: number }[];
}

/** The position of the record that this makes is the broker's epoch. Whatever an earlier incarnation led ends in the same batch. */
export function decideRegister(image: ClusterImage, ask: Registering, secret: string, context: DecideContext): Decision<RegisterReply> {
  const refuse = (error: ErrorName, message: string): Decision<RegisterReply> => ({ records: [], reply: { ok: false, error, message } });
  if (ask.clusterId !== "" && ask.clusterId !== image.clusterId) return refuse("INCONSISTENT_CLUSTER_ID", `the disk belongs to cluster ${ask.clusterId}, this is ${image.clusterId}`);
  if (ask.directories.length === 0 || new Set(ask.directories).size !== ask.directories.length || ask.directories.includes(NO_UUID)) return refuse("INVALID_REGISTRATION", "directory ids are missing, reserved or repeated");
  const owner = image.brokers().find((broker) => broker.id !== ask.nodeId && broker.directories.some((id) => ask.directories.includes(id)));
  if (owner !== undefined) return refuse("INVALID_REGISTRATION", `the directory belongs to broker ${owner.id}`);

  const old = image.broker(ask.nodeId);
  const records: MetadataRecord[] = old !== null && !old.fenced ? [...fenceRecords(image, ask.nodeId, context)] : [];
  const fenced = records.length === 0 ? image : replay(image, records, image.position + 1n);
  const wiped = old !== null && !old.directories.some((id) => ask.directories.includes(id));
  const lost = new Set(ask.lost.map((one) => `${one.topicId}/${one.partition}`));
  if (wiped || lost.size > 0) {
    records.push(
      ...changeEach(fenced, ask.nodeId, (p, topic) => {
        const gone = wiped || lost.has(`${p.topicId}/${p.index}`);
        if (!gone || !(p.isr.includes(ask.nodeId) || p.elr.includes(ask.nodeId))) return null;
        const isr = p.isr.filter((id) => id !== ask.nodeId);
        const elr = p.elr.filter((id) => id !== ask.nodeId);
        // What was lost in recovery may still be the best there is; a new disk never is.
        if (!wiped && isr.length + elr.length === 0) return null;
        const rules = { alive: (id: NodeId) => isAlive(fenced, id), minIsr: minIsrOf(fenced, topic, p.replicas.length, context), unclean: isUncleanAllowed(fenced, topic, context) };
        const next = elected(p, isr, elr, rules);
        return changed(p, next.isr.length + next.elr.length === 0 ? { ...next, lastKnownElr: [ask.nodeId] } : next);
      }),
    );
  }
  records.push({
    kind: "broker-registered",
    id: ask.nodeId,
    incarnation: ask.incarnation,
    directories: ask.directories,
    rack: ask.rack,
    listeners: ask.listeners,
    nodePort: ask.nodePort,
    features: { min: 1, max: FEATURE_LEVEL },
    secret,
  });
  return { records, reply: { ok: true } };
}

/** Out of every ISR that has others, leaders moved; the last in-sync replica stays, without a leader. */
export function fenceRecords(image: ClusterImage, id: NodeId, context: DecideContext): readonly MetadataRecord[] {
  const broker = image.broker(id);
  if (broker === null || broker.fenced) return [];
  const alive = (other: NodeId) => other !== id && isAlive(image, other);
  return [
    ...changeEach(image, id, (p, topic) => {
      if (!p.isr.includes(id)) return null;
      const minIsr = minIsrOf(image, topic, p.replicas.length, context);
      const { isr, elr } = withoutMember(p, id, minIsr);
      return changed(p, elected(p, isr, elr, { alive, minIsr, unclean: isUncleanAllowed(image, topic, context) }));
    }),
    { kind: "broker-changed", id, epoch: broker.epoch, fenced: true, stopping: false },
  ];
}

/** It has caught up with its own registration: partitions that waited for it get their leader. */
export function unfenceRecords(image: ClusterImage, id: NodeId, context: DecideContext): readonly MetadataRecord[] {
  const broker = image.broker(id);
  if (broker === null || !broker.fenced) return [];
  const alive = (other: NodeId) => other === id || isAlive(image, other);
  return [
    { kind: "broker-changed", id, epoch: broker.epoch, fenced: false, stopping: false },
    ...changeEach(image, id, (p, topic) => {
      if (p.leader !== null) return null;
      return changed(p, elected(p, p.isr, p.elr, { alive, minIsr: minIsrOf(image, topic, p.replicas.length, context), unclean: isUncleanAllowed(image, topic, context) }));
    }),
  ];
}

/** Controlled shutdown: leaders move to others in sync first. Safe to go when it leads nothing that somebody else could lead. */
export function decideStopping(image: ClusterImage, id: NodeId, context: DecideContext): Decision<{ readonly safe: boolean }> {
  const broker = image.broker(id);
  if (broker === null || broker.fenced || broker.stopping) return { records: [], reply: { safe: true } };
  const alive = (other: NodeId) => other !== id && isAlive(image, other);
  const records: readonly MetadataRecord[] = [
    { kind: "broker-changed", id, epoch: broker.epoch, fenced: false, stopping: true },
    ...changeEach(image, id, (p, topic) => {
      if (!p.isr.includes(id) || !p.isr.some(alive)) return null;
      const minIsr = minIsrOf(image, topic, p.replicas.length, context);
      const { isr, elr } = withoutMember(p, id, minIsr);
      return changed(p, elected(p, isr, elr, { alive, minIsr, unclean: false }));
    }),
  ];
  return { records, reply: { safe: true } };
}

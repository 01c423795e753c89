/** Brokers come, stay, stop and go. Design §6; reliability.md M2, C7, C8, C27. */
import { NO_UUID, type NodeId, type Uuid } from "../../base/ids.js";
import type { BrokerRegistration } from "../../coordination/coordination.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import { replay } from "../../metadata/replay.js";
import type { MetadataRecord } from "../../metadata/records.js";
import type { ErrorName } from "../../protocol/errors.js";
import { isAlive, type DecideContext, type Decision } from "./context.js";
import { changed, changeEach, elected, withoutMember } from "./partition-change.js";

export type RegisterReply = { readonly ok: true } | { readonly ok: false; readonly error: ErrorName; readonly message: string };

export interface Registering extends BrokerRegistration {
  readonly clusterId: string;
  /** Feature levels that the broker's build can read. */
  readonly features: { readonly min: number; readonly max: number };
  readonly lost: readonly { readonly topicId: Uuid; readonly partition: number }[];
}

/** The position of the record that this makes is the broker's epoch. Whatever an earlier incarnation led ends in the same batch. */
export function decideRegister(image: ClusterImage, ask: Registering, secret: string, context: DecideContext): Decision<RegisterReply> {
  const refuse = (error: ErrorName, message: string): Decision<RegisterReply> => ({ records: [], reply: { ok: false, error, message } });
  if (ask.clusterId !== "" && ask.clusterId !== image.clusterId) return refuse("INCONSISTENT_CLUSTER_ID", `the disk belongs to cluster ${ask.clusterId}, this is ${image.clusterId}`);
  if (image.featureLevel < ask.features.min || image.featureLevel > ask.features.max) {
    return refuse("UNSUPPORTED_VERSION", `the cluster runs at feature level ${image.featureLevel}, this build reads ${ask.features.min} to ${ask.features.max}: run a newer build`);
  }
  if (ask.directories.length === 0 || new Set(ask.directories).size !== ask.directories.length || ask.directories.includes(NO_UUID)) return refuse("INVALID_REGISTRATION", "directory ids are missing, reserved or repeated");
  const owner = image.brokers().find((broker) => broker.id !== ask.nodeId && broker.directories.some((id) => ask.directories.includes(id)));
  if (owner !== undefined) return refuse("INVALID_REGISTRATION", `the directory belongs to broker ${owner.id}`);

  const old = image.broker(ask.nodeId);
  const sameDisk = old !== null && old.directories.some((id) => ask.directories.includes(id));
  // The lock on the directory proves the old process gone. Without it a second process with the same id may be the one that asks.
  if (old !== null && !old.fenced && !sameDisk && old.incarnation !== ask.incarnation) {
    return refuse("DUPLICATE_BROKER_REGISTRATION", `broker ${ask.nodeId} is up with another disk: a new disk is let in when the old incarnation's lease has ended`);
  }

  const records: MetadataRecord[] = [...fenceRecords(image, ask.nodeId, context)];
  const fenced = records.length === 0 ? image : replay(image, records, image.position + 1n);
  records.push(...lossRecords(fenced, ask, old !== null && !sameDisk, context));
  records.push({
    kind: "broker-registered",
    id: ask.nodeId,
    incarnation: ask.incarnation,
    directories: ask.directories,
    rack: ask.rack,
    listeners: ask.listeners,
    nodePort: ask.nodePort,
    features: ask.features,
    secret,
  });
  return { records, reply: { ok: true } };
}

/**
 * A new disk leaves every ISR and ELR, and so does each partition whose recovery lost something. Where nobody is left eligible the partition waits until all replicas
 * have said how far they go (elections.ts): the first to return may have less than another.
 */
function lossRecords(image: ClusterImage, ask: Registering, wiped: boolean, context: DecideContext): readonly MetadataRecord[] {
  const id = ask.nodeId;
  const lost = new Set(ask.lost.map((one) => `${one.topicId}/${one.partition}`));
  if (!wiped && lost.size === 0) return [];
  const [directory = NO_UUID] = ask.directories;
  return changeEach(image, { broker: id, wanted: (row) => row.holds && (wiped || row.inIsr || row.inElr) }, context, (p, rules) => {
    if (!wiped && !lost.has(`${p.topicId}/${p.index}`)) return null;
    const directories = wiped ? { directories: p.directories.map((old, i) => (p.replicas[i] === id ? directory : old)) } : {};
    if (!p.isr.includes(id) && !p.elr.includes(id)) return changed(p, { ...p, ...directories });
    const isr = p.isr.filter((one) => one !== id);
    const elr = p.elr.filter((one) => one !== id);
    if (isr.length + elr.length === 0 && !rules.unclean) return changed(p, { isr, elr, leader: null, lastKnownElr: [id], ...directories });
    const next = elected(p, isr, elr, { alive: (other) => isAlive(image, other), minIsr: rules.minIsr(p.replicas.length), unclean: rules.unclean });
    return changed(p, { ...next, ...(next.isr.length + next.elr.length === 0 ? { lastKnownElr: [id] } : {}), ...directories });
  });
}

/** Out of every ISR that has others, leaders moved; the last in-sync replica stays, without a leader. */
export function fenceRecords(image: ClusterImage, id: NodeId, context: DecideContext): readonly MetadataRecord[] {
  const broker = image.broker(id);
  if (broker === null || broker.fenced) return [];
  const alive = (other: NodeId) => other !== id && isAlive(image, other);
  return [
    ...changeEach(image, { broker: id, wanted: (row) => row.inIsr }, context, (p, rules) => {
      const minIsr = rules.minIsr(p.replicas.length);
      const { isr, elr } = withoutMember(p, id, minIsr);
      return changed(p, elected(p, isr, elr, { alive, minIsr, unclean: rules.unclean }));
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
    ...changeEach(image, { broker: id, wanted: (row) => row.holds && row.leader < 0 }, context, (p, rules) =>
      changed(p, elected(p, p.isr, p.elr, { alive, minIsr: rules.minIsr(p.replicas.length), unclean: rules.unclean })),
    ),
  ];
}

/** Controlled shutdown: leaders move to others that have everything. What only this broker can lead stays with it until it goes. */
export function decideStopping(image: ClusterImage, id: NodeId, context: DecideContext): Decision<null> {
  const broker = image.broker(id);
  if (broker === null || broker.fenced || broker.stopping) return { records: [], reply: null };
  const alive = (other: NodeId) => other !== id && isAlive(image, other);
  const records: readonly MetadataRecord[] = [
    { kind: "broker-changed", id, epoch: broker.epoch, fenced: false, stopping: true },
    ...changeEach(image, { broker: id, wanted: (row) => row.inIsr }, context, (p, rules) => {
      if (!p.isr.some(alive) && !p.elr.some(alive)) return null;
      const minIsr = rules.minIsr(p.replicas.length);
      const { isr, elr } = withoutMember(p, id, minIsr);
      return changed(p, elected(p, isr, elr, { alive, minIsr, unclean: false }));
    }),
  ];
  return { records, reply: null };
}

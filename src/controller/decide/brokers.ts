/** Brokers come, stay, stop and go. Design §6; reliability.md M2, C7, C8, C27. */
import { NO_UUID, type NodeId, type Uuid } from "../../base/ids.js";
import type { BrokerRegistration } from "../../coordination/coordination.js";
import type { BrokerState, ClusterImage } from "../../metadata/cluster-image.js";
import { replay } from "../../metadata/replay.js";
import type { MetadataRecord } from "../../metadata/records.js";
import type { ErrorName } from "../../protocol/errors.js";
import { isAlive, type DecideContext, type Decision } from "./context.js";
import { changeBlock, changed, elected, START, withoutMember, type Block, type Cursor } from "./partition-change.js";

interface Refusal {
  readonly ok: false;
  readonly error: ErrorName;
  readonly message: string;
}

/** `again`: more is to be done before it is registered. */
export type RegisterReply = { readonly ok: true; readonly again: RegisterAt | null } | Refusal;

export interface Registering extends BrokerRegistration {
  readonly clusterId: string;
  /** Feature levels that the broker's build can read. */
  readonly features: { readonly min: number; readonly max: number };
  readonly lost: readonly { readonly topicId: Uuid; readonly partition: number }[];
}

/** What keeps this registration out; null when it may go on. */
function refusalOf(image: ClusterImage, ask: Registering): Refusal | null {
  const refuse = (error: ErrorName, message: string): Refusal => ({ ok: false, error, message });
  if (ask.clusterId !== "" && ask.clusterId !== image.clusterId) return refuse("INCONSISTENT_CLUSTER_ID", `the disk belongs to cluster ${ask.clusterId}, this is ${image.clusterId}`);
  if (image.featureLevel < ask.features.min || image.featureLevel > ask.features.max) {
    return refuse("UNSUPPORTED_VERSION", `the cluster runs at feature level ${image.featureLevel}, this build reads ${ask.features.min} to ${ask.features.max}: run a newer build`);
  }
  if (ask.directories.length === 0 || new Set(ask.directories).size !== ask.directories.length || ask.directories.includes(NO_UUID)) return refuse("INVALID_REGISTRATION", "directory ids are missing, reserved or repeated");
  const owner = image.brokers().find((broker) => broker.id !== ask.nodeId && broker.directories.some((id) => ask.directories.includes(id)));
  if (owner !== undefined) return refuse("INVALID_REGISTRATION", `the directory belongs to broker ${owner.id}`);
  const old = image.broker(ask.nodeId);
  // The lock on the directory proves the old process gone. Without it a second process with the same id may be the one that asks.
  if (old !== null && !old.fenced && !isSameDisk(old, ask) && old.incarnation !== ask.incarnation) {
    return refuse("DUPLICATE_BROKER_REGISTRATION", `broker ${ask.nodeId} is up with another disk: a new disk is let in when the old incarnation's lease has ended`);
  }
  return null;
}

function isSameDisk(old: BrokerState, ask: Registering): boolean {
  return old.directories.some((id) => ask.directories.includes(id));
}

/** How far a registration has come: first whatever an earlier incarnation led ends, then what was lost leaves ISR and ELR. */
export type RegisterAt = { readonly phase: "fence" | "loss"; readonly cursor: Cursor };

export const REGISTER_START: RegisterAt = { phase: "fence", cursor: START };

/**
 * One turn of a registration, over at most `limit` partitions: `again` tells where the next one begins. The position of the record that the last one makes is the
 * broker's epoch, and stands after the end of everything that an earlier incarnation led; where little is to be done all of it is one batch.
 */
export function decideRegister(image: ClusterImage, ask: Registering, secret: string, at: RegisterAt, limit: number, context: DecideContext): Decision<RegisterReply> {
  const refusal = refusalOf(image, ask);
  if (refusal !== null) return { records: [], reply: refusal };
  const old = image.broker(ask.nodeId);
  if (at.phase === "loss" && old?.fenced === false) return { records: [], reply: { ok: true, again: REGISTER_START } }; // another incarnation came in between
  const records: MetadataRecord[] = [];
  if (at.phase === "fence" && old !== null) {
    const block = fenceBlock(image, ask.nodeId, at.cursor, limit, context);
    if (block.next !== null) return { records: block.records, reply: { ok: true, again: { phase: "fence", cursor: block.next } } };
    records.push(...block.records);
  }
  const wiped = old !== null && !isSameDisk(old, ask);
  if (wiped || ask.lost.length > 0) {
    const left = limit - rowCount(records);
    const cursor = at.phase === "loss" ? at.cursor : START;
    if (left === 0) return { records, reply: { ok: true, again: { phase: "loss", cursor } } };
    const fenced = records.length === 0 ? image : replay(image, records, image.position + 1n);
    const block = lossBlock(fenced, ask, wiped, cursor, left, context);
    records.push(...block.records);
    if (block.next !== null) return { records, reply: { ok: true, again: { phase: "loss", cursor: block.next } } };
  }
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
  return { records, reply: { ok: true, again: null } };
}

function rowCount(records: readonly MetadataRecord[]): number {
  return records.reduce((sum, record) => sum + (record.kind === "partitions-changed" ? record.rows.length : 0), 0);
}

/**
 * A new disk leaves every ISR and ELR, and so does each partition whose recovery lost something. Where nobody is left eligible the partition waits until all replicas
 * have said how far they go (elections.ts): the first to return may have less than another.
 */
function lossBlock(image: ClusterImage, ask: Registering, wiped: boolean, from: Cursor, limit: number, context: DecideContext): Block {
  const id = ask.nodeId;
  const lost = new Set(ask.lost.map((one) => `${one.topicId}/${one.partition}`));
  const [directory = NO_UUID] = ask.directories;
  return changeBlock(image, { broker: id, wanted: (row) => row.holds && (wiped || row.inIsr || row.inElr), from, limit }, context, (p, rules) => {
    if (!wiped && !lost.has(`${p.topicId}/${p.index}`)) return null;
    const renamed = wiped && p.directories.some((old, i) => p.replicas[i] === id && old !== directory);
    const directories = renamed ? { directories: p.directories.map((old, i) => (p.replicas[i] === id ? directory : old)) } : {};
    if (!p.isr.includes(id) && !p.elr.includes(id)) return changed(p, { isr: p.isr, elr: p.elr, leader: p.leader, ...directories });
    const isr = p.isr.filter((one) => one !== id);
    const elr = p.elr.filter((one) => one !== id);
    if (isr.length + elr.length === 0 && !rules.unclean) return changed(p, { isr, elr, leader: null, lastKnownElr: [id], ...directories });
    const next = elected(p, isr, elr, { alive: (other) => isAlive(image, other), minIsr: rules.minIsr(p.replicas.length), unclean: rules.unclean });
    return changed(p, { ...next, ...(next.isr.length + next.elr.length === 0 ? { lastKnownElr: [id] } : {}), ...directories });
  });
}

/**
 * Fenced first, so that nobody counts on it any more; then, block by block, out of every ISR that has others, leaders moved. The last in-sync replica stays,
 * without a leader. A walk from the start over a broker that is fenced already finishes what another controller began.
 */
export function fenceBlock(image: ClusterImage, id: NodeId, from: Cursor, limit: number, context: DecideContext): Block {
  const broker = image.broker(id);
  if (broker === null) return { records: [], next: null };
  const alive = (other: NodeId) => other !== id && isAlive(image, other);
  const block = changeBlock(image, { broker: id, wanted: (row) => row.inIsr, from, limit }, context, (p, rules) => {
    const minIsr = rules.minIsr(p.replicas.length);
    const { isr, elr } = withoutMember(p, id, minIsr);
    return changed(p, elected(p, isr, elr, { alive, minIsr, unclean: rules.unclean }));
  });
  return broker.fenced ? block : { ...block, records: [{ kind: "broker-changed", id, epoch: broker.epoch, fenced: true, stopping: false }, ...block.records] };
}

/** It has caught up with its own registration: unfenced first, then partitions that waited for it get their leader. */
export function unfenceBlock(image: ClusterImage, id: NodeId, from: Cursor, limit: number, context: DecideContext): Block {
  const broker = image.broker(id);
  if (broker === null) return { records: [], next: null };
  const alive = (other: NodeId) => other === id || isAlive(image, other);
  const block = changeBlock(image, { broker: id, wanted: (row) => row.holds && row.leader < 0, from, limit }, context, (p, rules) =>
    changed(p, elected(p, p.isr, p.elr, { alive, minIsr: rules.minIsr(p.replicas.length), unclean: rules.unclean })),
  );
  return !broker.fenced ? block : { ...block, records: [{ kind: "broker-changed", id, epoch: broker.epoch, fenced: false, stopping: false }, ...block.records] };
}

/** Controlled shutdown: leaders move to others that have everything. What only this broker can lead stays with it until it goes. */
export function stopBlock(image: ClusterImage, id: NodeId, from: Cursor, limit: number, context: DecideContext): Block {
  const broker = image.broker(id);
  if (broker === null || broker.fenced) return { records: [], next: null };
  const alive = (other: NodeId) => other !== id && isAlive(image, other);
  const block = changeBlock(image, { broker: id, wanted: (row) => row.inIsr, from, limit }, context, (p, rules) => {
    if (!p.isr.some(alive) && !p.elr.some(alive)) return null;
    const minIsr = rules.minIsr(p.replicas.length);
    const { isr, elr } = withoutMember(p, id, minIsr);
    return changed(p, elected(p, isr, elr, { alive, minIsr, unclean: false }));
  });
  return broker.stopping ? block : { ...block, records: [{ kind: "broker-changed", id, epoch: broker.epoch, fenced: false, stopping: true }, ...block.records] };
}

/** What an earlier controller may have left half done for this broker, by what it is now. */
export function mendBlock(image: ClusterImage, id: NodeId, from: Cursor, limit: number, context: DecideContext): Block {
  const broker = image.broker(id);
  if (broker === null) return { records: [], next: null };
  return (broker.fenced ? fenceBlock : broker.stopping ? stopBlock : unfenceBlock)(image, id, from, limit, context);
}

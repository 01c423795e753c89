/**
 * A classic group as plain data, and the few questions that are asked of it everywhere. Rules live in join.ts, sync.ts, membership.ts and
 * rebalance.ts; each takes the group and one event, changes the group, and leaves what should now happen in `turn.effects`.
 *
 *   Empty ──join──▶ PreparingRebalance ──all joined, or time──▶ CompletingRebalance ──leader's assignment committed──▶ Stable
 *     ▲                    ▲  └────────nobody left───────▶ Empty            │ member joins, leaves, expires              │
 *     └────────────────────┴───────────────────────────────────────────────┴─────────────────────────────────────────────┘
 *
 * Nothing durable is shown before it is committed: a group is Stable only once its record has passed the high watermark, so a
 * coordinator that has lost its partition cannot hand out an assignment that its successor does not know (reliability.md G1, G7).
 */
import { assert } from "../../base/assert.js";
import type { ErrorName } from "../../protocol/errors.js";
import { subscribedTopics } from "./subscription.js";

export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";

/** Names a request that waits for its answer; the driver knows whose it is. */
export type Waiter = number;

export interface Protocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface Member {
  readonly id: string;
  readonly instanceId: string | null; // static membership, KIP-345
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[]; // in order of preference
  assignment: Uint8Array;
  joining: Waiter | null;
  syncing: Waiter | null;
  isNew: boolean; // has not been through a rebalance yet
  deadlineMs: number; // of its session, on the monotonic clock
  armedMs: number; // when the clock will look at it next; Infinity when nothing is armed
}

export interface Group {
  readonly id: string;
  state: GroupState;
  stateSinceMs: number; // wall time, -1 unknown; offset expiry counts from it
  protocolType: string | null;
  protocolName: string | null;
  generation: number;
  leaderId: string | null;
  readonly members: Map<string, Member>; // in order of joining
  readonly statics: Map<string, string>; // instance id to member id
  readonly pending: Map<string, number>; // member ids given out and not yet used (KIP-394), with their deadlines
  readonly unsynced: Set<string>; // members that took part in the rebalance and have not asked for their assignment
  joinDeadlineMs: number; // while PreparingRebalance
  /** While the first rebalance after Empty is held open for more joiners, KIP-134. */
  delay: { remainingMs: number; joined: boolean } | null;
  syncDeadlineMs: number; // while `unsynced` holds somebody
  assigning: number | null; // the generation whose assignment is on its way into the log
  subscribed: ReadonlySet<string> | null; // topics; null when not known
  stored: boolean; // the log has, or may have, a record of it
  owesRecord: boolean; // the log refused to hear that it is empty: nobody waits for that, it is said again later
}

export interface GroupLimits {
  readonly membersMax: number;
  readonly initialDelayMs: number;
}

/** One event's circumstances, and what comes of it. */
export interface Turn {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limits: GroupLimits;
  readonly effects: Effect[];
}

export type Effect =
  | { readonly do: "answer"; readonly to: Waiter; readonly answer: Answer }
  /** Look at this member (or, with null, at the group's own deadlines) at `atMs`: onWake. */
  | { readonly do: "wake"; readonly atMs: number; readonly memberId: string | null }
  /** Append the group's record; onWritten is told how that went. */
  | { readonly do: "write"; readonly value: GroupValue; readonly then: Continuation };

export type Answer = JoinAnswer | SyncAnswer;

export interface JoinAnswer {
  readonly api: "join";
  readonly error: ErrorName;
  readonly memberId: string;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly { readonly memberId: string; readonly groupInstanceId: string | null; readonly metadata: Uint8Array }[];
}

export interface SyncAnswer {
  readonly api: "sync";
  readonly error: ErrorName;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

/** What the log holds of a group: GroupMetadataValue. */
export interface GroupValue {
  readonly protocolType: string;
  readonly generation: number;
  readonly protocol: string | null;
  readonly leader: string | null;
  readonly currentStateTimestamp: number;
  readonly members: readonly MemberValue[];
}

export interface MemberValue {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeout: number;
  readonly sessionTimeout: number;
  readonly subscription: Uint8Array;
  readonly assignment: Uint8Array;
}

export type Continuation =
  | { readonly kind: "emptied" }
  | { readonly kind: "assigned"; readonly generation: number; readonly assignments: ReadonlyMap<string, Uint8Array> }
  | { readonly kind: "replaced"; readonly waiter: Waiter; readonly answer: JoinAnswer; readonly undo: Replacement };

/** A static member that came back under a new id. */
export interface Replacement {
  readonly before: Member;
  readonly after: Member;
  readonly wasLeader: boolean;
}

/** How an append went: refused (nothing is in the log), late (it may still commit, no answer waits for it any longer), committed. */
export type Written = { readonly outcome: "refused"; readonly error: ErrorName } | { readonly outcome: "late" } | { readonly outcome: "committed" };

export const NO_BYTES = new Uint8Array(0);

export function newGroup(id: string, wallMs: number): Group {
  return {
    id, state: "Empty", stateSinceMs: wallMs, protocolType: null, protocolName: null, generation: 0, leaderId: null,
    members: new Map(), statics: new Map(), pending: new Map(), unsynced: new Set(),
    joinDeadlineMs: Infinity, delay: null, syncDeadlineMs: Infinity, assigning: null, subscribed: null, stored: false, owesRecord: false,
  };
}

export function moveTo(group: Group, state: GroupState, turn: Turn): void {
  group.state = state;
  group.stateSinceMs = turn.wallMs;
}

/** Nothing would be lost if it were forgotten. */
export function isVacant(group: Group): boolean {
  return group.members.size === 0 && group.pending.size === 0 && group.state === "Empty" && !group.stored;
}

export function addMember(group: Group, member: Member): void {
  assert(!group.members.has(member.id), "a member joins once");
  group.members.set(member.id, member);
  if (member.instanceId !== null) group.statics.set(member.instanceId, member.id);
  group.leaderId ??= member.id;
}

/** Takes a member out without a word to it; the next in order of joining leads. */
export function dropMember(group: Group, member: Member): void {
  group.members.delete(member.id);
  group.unsynced.delete(member.id);
  if (member.instanceId !== null && group.statics.get(member.instanceId) === member.id) group.statics.delete(member.instanceId);
  if (group.leaderId === member.id) group.leaderId = firstKey(group.members);
}

export function firstKey(members: ReadonlyMap<string, Member>): string | null {
  for (const id of members.keys()) return id;
  return null;
}

/** Protocols that every member lists. */
export function commonProtocols(group: Group): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const member of group.members.values()) {
    for (const name of new Set(member.protocols.map((protocol) => protocol.name))) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count === group.members.size).map(([name]) => name));
}

/** May somebody with these protocols be in the group? */
export function acceptsProtocols(group: Group, protocolType: string, protocols: readonly Protocol[]): boolean {
  if (group.members.size === 0) return protocolType !== "" && protocols.length > 0;
  if (group.protocolType !== protocolType) return false;
  const common = commonProtocols(group);
  return protocols.some((protocol) => common.has(protocol.name));
}

/** Each member votes for the first of its protocols that all share; most votes win, earlier candidates at a tie. */
export function electProtocol(group: Group): string {
  const common = commonProtocols(group);
  const votes = new Map<string, number>();
  for (const member of group.members.values()) {
    const choice = member.protocols.find((protocol) => common.has(protocol.name));
    assert(choice !== undefined, "a member without a common protocol was not let in");
    votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
  }
  let best: { readonly name: string; readonly votes: number } | null = null;
  for (const [name, count] of votes) if (best === null || count > best.votes) best = { name, votes: count };
  assert(best !== null, "a group without members has no protocol to choose");
  return best.name;
}

export function metadataOf(member: Member, protocolName: string | null): Uint8Array {
  return member.protocols.find((protocol) => protocol.name === protocolName)?.metadata ?? NO_BYTES;
}

export function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return a.length === b.length && a.every((one, i) => one.name === b[i]?.name && sameBytes(one.metadata, b[i].metadata));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** The topics that consumers of the group want, from the chosen protocol's metadata; null where that cannot be known. */
export function topicsOf(group: Group): ReadonlySet<string> | null {
  if (group.protocolType !== "consumer" || group.protocolName === null || group.members.size === 0) return null;
  const topics = new Set<string>();
  for (const member of group.members.values()) {
    const wanted = subscribedTopics(metadataOf(member, group.protocolName));
    if (wanted === null) return null; // somebody's own format under the name of consumers: nothing is known
    for (const topic of wanted) topics.add(topic);
  }
  return topics;
}

export function rebalanceTimeoutMs(group: Group): number {
  let longest = 0;
  for (const member of group.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs);
  return longest;
}

/** Its session runs from now on, and the clock will look at it in time. */
export function extendSession(member: Member, turn: Turn, timeoutMs: number = member.sessionTimeoutMs): void {
  member.deadlineMs = turn.nowMs + timeoutMs;
  if (member.armedMs <= member.deadlineMs) return; // the look that is planned already plans the next
  member.armedMs = member.deadlineMs;
  turn.effects.push({ do: "wake", atMs: member.deadlineMs, memberId: member.id });
}

export function valueOf(group: Group, assignments: ReadonlyMap<string, Uint8Array> | null): GroupValue {
  return {
    protocolType: group.protocolType ?? "",
    generation: group.generation,
    protocol: group.protocolName,
    leader: group.leaderId,
    currentStateTimestamp: group.stateSinceMs,
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataOf(member, group.protocolName),
      assignment: assignments === null ? member.assignment : (assignments.get(member.id) ?? NO_BYTES),
    })),
  };
}

/** The group as a new coordinator finds it in the log. Sessions begin with `onLoaded`. */
export function groupFromValue(id: string, value: GroupValue): Group {
  const group = newGroup(id, value.currentStateTimestamp);
  group.stored = true;
  group.state = value.members.length === 0 ? "Empty" : "Stable";
  group.protocolType = value.protocolType === "" ? null : value.protocolType;
  group.protocolName = value.protocol;
  group.generation = value.generation;
  for (const one of value.members) {
    if (group.members.has(one.memberId)) continue; // cannot be; a log that says it twice is not a reason to stop
    addMember(group, {
      id: one.memberId, instanceId: one.groupInstanceId, clientId: one.clientId, clientHost: one.clientHost,
      sessionTimeoutMs: one.sessionTimeout, rebalanceTimeoutMs: one.rebalanceTimeout < 0 ? one.sessionTimeout : one.rebalanceTimeout,
      protocols: [{ name: value.protocol ?? "", metadata: one.subscription }], assignment: one.assignment,
      joining: null, syncing: null, isNew: false, deadlineMs: Infinity, armedMs: Infinity,
    });
  }
  group.leaderId = value.leader !== null && group.members.has(value.leader) ? value.leader : firstKey(group.members);
  group.subscribed = topicsOf(group);
  return group;
}

export function joinRefusal(error: ErrorName, memberId: string): JoinAnswer {
  return { api: "join", error, memberId, generation: -1, protocolType: null, protocolName: null, leader: "", skipAssignment: false, members: [] };
}

export function syncRefusal(error: ErrorName): SyncAnswer {
  return { api: "sync", error, protocolType: null, protocolName: null, assignment: NO_BYTES };
}

/**
 * Is this the member it says it is? A static member whose instance id now belongs to another process is fenced (KIP-345).
 */
export function findMember(group: Group, memberId: string, instanceId: string | null): { readonly ok: true; readonly member: Member } | { readonly ok: false; readonly error: ErrorName } {
  if (instanceId !== null) {
    const holder = group.statics.get(instanceId);
    if (holder === undefined) return { ok: false, error: "UNKNOWN_MEMBER_ID" };
    if (holder !== memberId) return { ok: false, error: "FENCED_INSTANCE_ID" };
  }
  const member = group.members.get(memberId);
  return member === undefined ? { ok: false, error: "UNKNOWN_MEMBER_ID" } : { ok: true, member };
}

/** Holds between any two events. */
export function checkGroup(group: Group): void {
  assert(group.leaderId === null ? group.members.size === 0 : group.members.has(group.leaderId), `group ${group.id}: its leader is one of its members`);
  assert(group.state !== "Empty" || group.members.size === 0, `group ${group.id}: Empty has no members`);
  assert(group.state === "Empty" || group.state === "PreparingRebalance" || group.members.size > 0, `group ${group.id}: ${group.state} has members`);
  assert(group.state !== "PreparingRebalance" || group.joinDeadlineMs < Infinity, `group ${group.id}: a rebalance ends some time`);
  for (const [instanceId, memberId] of group.statics) assert(group.members.get(memberId)?.instanceId === instanceId, `group ${group.id}: an instance id leads to its member`);
  for (const member of group.members.values()) {
    assert(member.joining === null || group.state === "PreparingRebalance", `group ${group.id}: who joins waits for a rebalance`);
    assert(member.syncing === null || group.state === "CompletingRebalance", `group ${group.id}: who syncs waits for the leader`);
  }
  for (const id of group.unsynced) assert(group.members.has(id), `group ${group.id}: who has not synced is a member`);
}

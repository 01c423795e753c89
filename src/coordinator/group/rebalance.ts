/** How a rebalance begins and ends. behaviours.md §7, KIP-134. */
import { assert } from "../../base/assert.js";
import type { ErrorName } from "../../protocol/errors.js";
import {
  dropMember, electProtocol, extendSession, joinRefusal, metadataOf, moveTo, NO_BYTES, rebalanceTimeoutMs, syncRefusal, topicsOf, valueOf,
  type Group, type JoinAnswer, type Member, type Turn,
} from "./group.js";

/** Everybody has to join again. Who waits for an assignment of the generation that ends here is told so. */
export function prepareRebalance(group: Group, turn: Turn): void {
  assert(group.state !== "PreparingRebalance", "a rebalance begins once");
  const fromEmpty = group.state === "Empty";
  answerSyncs(group, "REBALANCE_IN_PROGRESS", turn);
  group.unsynced.clear();
  group.syncDeadlineMs = Infinity;
  moveTo(group, "PreparingRebalance", turn);
  const timeoutMs = rebalanceTimeoutMs(group);
  if (fromEmpty) {
    // Consumers of one deployment start together: a pause spares them a rebalance for each.
    group.delay = { remainingMs: Math.max(timeoutMs - turn.limits.initialDelayMs, 0), joined: false };
    endJoiningAt(group, turn.nowMs + turn.limits.initialDelayMs, turn);
    return;
  }
  group.delay = null;
  endJoiningAt(group, turn.nowMs + timeoutMs, turn);
  maybeCompleteJoin(group, turn);
}

/** Ends the rebalance early when nobody is missing. */
export function maybeCompleteJoin(group: Group, turn: Turn): void {
  if (group.state !== "PreparingRebalance" || group.delay !== null || group.pending.size > 0) return;
  for (const member of group.members.values()) if (member.joining === null) return;
  completeJoin(group, turn);
}

export function rebalance(group: Group, turn: Turn): void {
  if (group.state === "PreparingRebalance") maybeCompleteJoin(group, turn);
  else prepareRebalance(group, turn);
}

/** The group's own deadlines. */
export function onGroupDeadline(group: Group, turn: Turn): void {
  if (group.state === "PreparingRebalance" && group.joinDeadlineMs <= turn.nowMs) {
    const { delay } = group;
    if (delay !== null && delay.joined && delay.remainingMs > 0) {
      const moreMs = Math.min(turn.limits.initialDelayMs, delay.remainingMs);
      group.delay = { remainingMs: delay.remainingMs - moreMs, joined: false };
      endJoiningAt(group, turn.nowMs + moreMs, turn);
    } else completeJoin(group, turn);
  }
  if (group.syncDeadlineMs <= turn.nowMs) expireUnsynced(group, turn);
  if (group.owesRecord && group.state === "Empty") writeEmpty(group, turn);
}

function endJoiningAt(group: Group, atMs: number, turn: Turn): void {
  group.joinDeadlineMs = atMs;
  turn.effects.push({ do: "wake", atMs, memberId: null });
}

/** Whoever joined makes the next generation. */
function completeJoin(group: Group, turn: Turn): void {
  for (const member of [...group.members.values()]) {
    // Static members may be restarting: they stay until their session ends.
    if (member.joining === null && member.instanceId === null) dropMember(group, member);
  }
  if (group.members.size > 0 && !joinedLeader(group)) {
    endJoiningAt(group, turn.nowMs + rebalanceTimeoutMs(group), turn); // only static members, none of them back yet
    return;
  }
  group.delay = null;
  group.joinDeadlineMs = Infinity;
  group.generation++;
  if (group.members.size === 0) {
    group.protocolName = null;
    group.subscribed = null;
    moveTo(group, "Empty", turn);
    writeEmpty(group, turn);
    return;
  }
  group.protocolName = electProtocol(group);
  group.subscribed = topicsOf(group);
  moveTo(group, "CompletingRebalance", turn);
  for (const member of group.members.values()) {
    member.assignment = NO_BYTES;
    member.isNew = false;
    if (member.joining === null) continue; // a static member that is away
    extendSession(member, turn);
    group.unsynced.add(member.id);
    answerJoin(member, generationFor(group, member), turn);
  }
  group.syncDeadlineMs = turn.nowMs + rebalanceTimeoutMs(group);
  turn.effects.push({ do: "wake", atMs: group.syncDeadlineMs, memberId: null });
}

export function writeEmpty(group: Group, turn: Turn): void {
  group.stored = true;
  group.owesRecord = false;
  turn.effects.push({ do: "write", value: valueOf(group, null), then: { kind: "emptied" } });
}

/** The leader must be there to lead: if it is not back, the first who is. */
function joinedLeader(group: Group): boolean {
  if (group.leaderId !== null && group.members.get(group.leaderId)?.joining != null) return true;
  for (const member of group.members.values()) {
    if (member.joining === null) continue;
    group.leaderId = member.id;
    return true;
  }
  return false;
}

function expireUnsynced(group: Group, turn: Turn): void {
  group.syncDeadlineMs = Infinity;
  if (group.unsynced.size === 0 || (group.state !== "CompletingRebalance" && group.state !== "Stable")) return;
  for (const id of [...group.unsynced]) {
    const member = group.members.get(id);
    if (member !== undefined) removeMember(group, member, "UNKNOWN_MEMBER_ID", turn);
  }
  prepareRebalance(group, turn);
}

/** Takes a member out; requests that wait for it are answered with `error`. The caller begins the rebalance. */
export function removeMember(group: Group, member: Member, error: ErrorName, turn: Turn): void {
  answerJoin(member, joinRefusal(error, error === "FENCED_INSTANCE_ID" ? member.id : ""), turn);
  answerSync(member, error, turn);
  dropMember(group, member);
}

export function answerJoin(member: Member, answer: JoinAnswer, turn: Turn): void {
  if (member.joining === null) return;
  turn.effects.push({ do: "answer", to: member.joining, answer });
  member.joining = null;
}

export function answerSync(member: Member, error: ErrorName, turn: Turn): void {
  if (member.syncing === null) return;
  turn.effects.push({ do: "answer", to: member.syncing, answer: syncRefusal(error) });
  member.syncing = null;
}

export function answerSyncs(group: Group, error: ErrorName, turn: Turn): void {
  for (const member of group.members.values()) answerSync(member, error, turn);
}

/** The generation as this member is told of it: only the leader gets the list. */
export function generationFor(group: Group, member: Member): JoinAnswer {
  const leads = member.id === group.leaderId;
  return {
    api: "join", error: "NONE", memberId: member.id, generation: group.generation, protocolType: group.protocolType, protocolName: group.protocolName,
    leader: group.leaderId ?? "", skipAssignment: false, members: leads ? memberList(group) : [],
  };
}

export function memberList(group: Group): JoinAnswer["members"] {
  return [...group.members.values()].map((member) => ({ memberId: member.id, groupInstanceId: member.instanceId, metadata: metadataOf(member, group.protocolName) }));
}

/** Heartbeat, LeaveGroup and the ends of sessions. behaviours.md §7. */
import type { ErrorName } from "../../protocol/errors.js";
import { extendSession, findMember, type Group, type Member, type Turn } from "./group.js";
import { maybeCompleteJoin, onGroupDeadline, prepareRebalance, removeMember } from "./rebalance.js";

export interface HeartbeatAsk {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
}

export function heartbeat(group: Group, ask: HeartbeatAsk, turn: Turn): ErrorName {
  const found = findMember(group, ask.memberId, ask.instanceId);
  if (!found.ok) return found.error;
  if (ask.generation !== group.generation) return "ILLEGAL_GENERATION";
  extendSession(found.member, turn);
  return group.state === "PreparingRebalance" ? "REBALANCE_IN_PROGRESS" : "NONE";
}

/** One member's leaving. With an instance id and no member id, an admin's word about a static member. */
export function leave(group: Group, ask: { readonly memberId: string; readonly instanceId: string | null }, turn: Turn): ErrorName {
  if (group.pending.delete(ask.memberId)) {
    maybeCompleteJoin(group, turn);
    return "NONE";
  }
  const memberId = ask.memberId === "" && ask.instanceId !== null ? (group.statics.get(ask.instanceId) ?? "") : ask.memberId;
  const found = findMember(group, memberId, ask.instanceId);
  if (!found.ok) return found.error;
  depart(group, found.member, turn);
  return "NONE";
}

/** The clock looks at a member, or (null) at the group's own deadlines. */
export function onWake(group: Group, memberId: string | null, turn: Turn): void {
  if (memberId === null) return onGroupDeadline(group, turn);
  const pendingUntilMs = group.pending.get(memberId);
  if (pendingUntilMs !== undefined) {
    if (pendingUntilMs > turn.nowMs) return;
    group.pending.delete(memberId);
    return maybeCompleteJoin(group, turn);
  }
  const member = group.members.get(memberId);
  if (member === undefined || member.armedMs > turn.nowMs) return;
  member.armedMs = Infinity;
  if (member.deadlineMs > turn.nowMs) return look(member, turn);
  // Who waits for an answer of ours cannot send heartbeats, so it keeps its session; but a new member that waits too long is gone.
  const waits = member.joining !== null || member.syncing !== null;
  if (waits && !member.isNew) return extendSession(member, turn);
  depart(group, member, turn);
}

function look(member: Member, turn: Turn): void {
  member.armedMs = member.deadlineMs;
  turn.effects.push({ do: "wake", atMs: member.deadlineMs, memberId: member.id });
}

function depart(group: Group, member: Member, turn: Turn): void {
  removeMember(group, member, "UNKNOWN_MEMBER_ID", turn);
  switch (group.state) {
    case "Empty":
      return;
    case "PreparingRebalance":
      return maybeCompleteJoin(group, turn);
    case "CompletingRebalance":
    case "Stable":
      return prepareRebalance(group, turn);
  }
}

/** A new coordinator has read the group: every session begins anew, since nobody knows when its member was last heard. */
export function onLoaded(group: Group, turn: Turn): void {
  for (const member of group.members.values()) extendSession(member, turn);
  if (group.state === "Stable" && group.members.size > turn.limits.membersMax) prepareRebalance(group, turn);
}

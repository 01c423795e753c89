/** JoinGroup. behaviours.md §7; KIP-394 (member ids), KIP-345 (static members), KIP-389 (group size), KIP-814 (skipped assignments). */
import type { ErrorName } from "../../protocol/errors.js";
import {
  acceptsProtocols, addMember, electProtocol, extendSession, findMember, firstKey, joinRefusal, NO_BYTES, sameProtocols, valueOf,
  type Group, type JoinAnswer, type Member, type Protocol, type Replacement, type Turn, type Waiter,
} from "./group.js";
import { answerJoin, answerSync, generationFor, maybeCompleteJoin, memberList, rebalance } from "./rebalance.js";

export interface JoinAsk {
  readonly waiter: Waiter;
  readonly memberId: string; // "" for who has none yet
  readonly freshId: string; // to be given to who has none
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** v4 and later: who has no id is given one and asked to come again with it, so that a lost answer leaves no ghost member. */
  readonly needsId: boolean;
  /** v9 and later: understands that a returning leader need not assign. */
  readonly maySkipAssignment: boolean;
}

/** A new member that never hears of its join would otherwise wait for ever as a member: its client is long gone. */
const NEW_MEMBER_TIMEOUT_MS = 300_000;
/** Ids given out and not used yet, in one group. */
export const PENDING_MEMBERS_MAX = 10_000;

export function join(group: Group, ask: JoinAsk, turn: Turn): void {
  const error = isFull(group, ask, turn) ? "GROUP_MAX_SIZE_REACHED" : acceptsProtocols(group, ask.protocolType, ask.protocols) ? null : "INCONSISTENT_GROUP_PROTOCOL";
  if (error !== null) return refuse(ask, error, turn);
  if (ask.memberId === "") joinNew(group, ask, turn);
  else joinAgain(group, ask, turn);
}

function isFull(group: Group, ask: JoinAsk, turn: Turn): boolean {
  const known = group.members.get(ask.memberId);
  switch (group.state) {
    case "Empty":
      return false;
    case "PreparingRebalance": {
      // Those who do not come back will be dropped, so only those who did count.
      if (known?.joining != null || (ask.instanceId !== null && group.statics.has(ask.instanceId))) return false;
      let joining = 0;
      for (const member of group.members.values()) if (member.joining !== null) joining++;
      return joining >= turn.limits.membersMax;
    }
    case "CompletingRebalance":
    case "Stable":
      return known === undefined && !(ask.instanceId !== null && group.statics.has(ask.instanceId)) && group.members.size >= turn.limits.membersMax;
  }
}

function joinNew(group: Group, ask: JoinAsk, turn: Turn): void {
  if (ask.instanceId !== null) {
    const before = group.statics.get(ask.instanceId);
    const member = before === undefined ? undefined : group.members.get(before);
    if (member === undefined) return admit(group, ask, ask.freshId, turn);
    return replaceStatic(group, ask, member, turn);
  }
  if (!ask.needsId) return admit(group, ask, ask.freshId, turn);
  if (group.pending.size >= PENDING_MEMBERS_MAX) return refuse(ask, "COORDINATOR_LOAD_IN_PROGRESS", turn); // come again later
  const deadlineMs = turn.nowMs + ask.sessionTimeoutMs;
  group.pending.set(ask.freshId, deadlineMs);
  turn.effects.push({ do: "wake", atMs: deadlineMs, memberId: ask.freshId });
  turn.effects.push({ do: "answer", to: ask.waiter, answer: joinRefusal("MEMBER_ID_REQUIRED", ask.freshId) });
}

function joinAgain(group: Group, ask: JoinAsk, turn: Turn): void {
  if (group.pending.has(ask.memberId)) {
    if (ask.instanceId !== null) return refuse(ask, "UNKNOWN_MEMBER_ID", turn); // static members are never pending
    return admit(group, ask, ask.memberId, turn);
  }
  const found = findMember(group, ask.memberId, ask.instanceId);
  if (!found.ok) return refuse(ask, found.error, turn);
  const { member } = found;
  const unchanged = sameProtocols(member.protocols, ask.protocols);
  // An answer that was lost is given again; anything new, and a leader that asks again, makes a new generation.
  const answered = group.state === "CompletingRebalance" ? unchanged : group.state === "Stable" && unchanged && member.id !== group.leaderId;
  if (answered) {
    extendSession(member, turn);
    turn.effects.push({ do: "answer", to: ask.waiter, answer: generationFor(group, member) });
    return;
  }
  update(member, ask, turn);
  rebalance(group, turn);
}

function admit(group: Group, ask: JoinAsk, id: string, turn: Turn): void {
  group.pending.delete(id);
  if (group.members.size === 0) group.protocolType = ask.protocolType;
  const member: Member = {
    id, instanceId: ask.instanceId, clientId: ask.clientId, clientHost: ask.clientHost,
    sessionTimeoutMs: ask.sessionTimeoutMs, rebalanceTimeoutMs: ask.rebalanceTimeoutMs, protocols: ask.protocols, assignment: NO_BYTES,
    joining: ask.waiter, syncing: null, isNew: true, deadlineMs: Infinity, armedMs: Infinity,
  };
  if (group.delay !== null) group.delay.joined = true;
  addMember(group, member);
  extendSession(member, turn, NEW_MEMBER_TIMEOUT_MS);
  // checkGroup: a joining member waits for a rebalance, which begins here unless it has begun.
  rebalance(group, turn);
}

/** The member's own words, newer than what was known. A join that still waits was sent on a connection that is gone. */
function update(member: Member, ask: JoinAsk, turn: Turn): void {
  answerJoin(member, joinRefusal("REBALANCE_IN_PROGRESS", member.id), turn);
  member.protocols = ask.protocols;
  member.sessionTimeoutMs = ask.sessionTimeoutMs;
  member.rebalanceTimeoutMs = ask.rebalanceTimeoutMs;
  member.clientId = ask.clientId;
  member.clientHost = ask.clientHost;
  member.joining = ask.waiter;
  extendSession(member, turn, member.isNew ? NEW_MEMBER_TIMEOUT_MS : member.sessionTimeoutMs);
}

/** An instance came back without its member id: it gets a new one, and whoever still uses the old one is fenced. */
function replaceStatic(group: Group, ask: JoinAsk, before: Member, turn: Turn): void {
  const wasLeader = group.leaderId === before.id;
  const oldLeader = group.leaderId;
  answerJoin(before, joinRefusal("FENCED_INSTANCE_ID", before.id), turn);
  answerSync(before, "FENCED_INSTANCE_ID", turn);
  const after: Member = {
    ...before, id: ask.freshId, clientId: ask.clientId, clientHost: ask.clientHost, sessionTimeoutMs: ask.sessionTimeoutMs,
    rebalanceTimeoutMs: ask.rebalanceTimeoutMs, protocols: ask.protocols, joining: null, syncing: null, deadlineMs: Infinity, armedMs: Infinity,
  };
  swap(group, before, after, wasLeader);
  extendSession(after, turn);
  if (group.state !== "Stable" || electProtocol(group) !== group.protocolName) {
    after.joining = ask.waiter;
    rebalance(group, turn);
    return;
  }
  // Nothing changes for the others: the new id goes into the log, and the instance keeps its assignment.
  const answer: JoinAnswer = {
    ...generationFor(group, after),
    // A client older than KIP-814 would assign as soon as it read that it leads: it is told of a leader that is gone.
    ...(ask.maySkipAssignment ? { skipAssignment: wasLeader, members: wasLeader ? memberList(group) : [] } : { leader: oldLeader ?? "", members: [] }),
  };
  turn.effects.push({ do: "write", value: valueOf(group, null), then: { kind: "replaced", waiter: ask.waiter, answer, undo: { before, after, wasLeader } } });
}

/** Puts one member in another's place, in the order of joining too. */
function swap(group: Group, from: Member, to: Member, leads: boolean): void {
  const members = [...group.members.values()].map((member) => (member === from ? to : member));
  group.members.clear();
  for (const member of members) group.members.set(member.id, member);
  if (to.instanceId !== null) group.statics.set(to.instanceId, to.id);
  if (group.unsynced.delete(from.id)) group.unsynced.add(to.id);
  if (leads) group.leaderId = to.id;
  else if (group.leaderId === from.id) group.leaderId = firstKey(group.members);
}

/** The log refused the new id: the old one holds again. Nothing came between, since appends are made at the end of the turn. */
export function undoReplacement(group: Group, undo: Replacement, turn: Turn): void {
  if (group.members.get(undo.after.id) !== undo.after) return;
  answerSync(undo.after, "COORDINATOR_NOT_AVAILABLE", turn);
  answerJoin(undo.after, joinRefusal("COORDINATOR_NOT_AVAILABLE", undo.after.id), turn);
  swap(group, undo.after, undo.before, undo.wasLeader);
  undo.before.armedMs = Infinity; // what was armed for it may have rung while it was away
  extendSession(undo.before, turn);
  maybeCompleteJoin(group, turn);
}

function refuse(ask: JoinAsk, error: ErrorName, turn: Turn): void {
  turn.effects.push({ do: "answer", to: ask.waiter, answer: joinRefusal(error, ask.memberId) });
}

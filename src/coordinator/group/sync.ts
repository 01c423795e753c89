/** SyncGroup, and what becomes of the group's record once the log has answered. behaviours.md §7. */
import { unreachable } from "../../base/assert.js";
import type { ErrorName } from "../../protocol/errors.js";
import { extendSession, findMember, joinRefusal, moveTo, NO_BYTES, syncRefusal, valueOf, type Continuation, type Group, type Member, type SyncAnswer, type Turn, type Waiter, type Written } from "./group.js";
import { undoReplacement } from "./join.js";
import { answerSync, answerSyncs, prepareRebalance } from "./rebalance.js";

/** Before a record that nobody waits for is offered again to a log that refused it. */
const RETRY_MS = 5_000;

export interface SyncAsk {
  readonly waiter: Waiter;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  readonly protocolType: string | null; // v5 and later
  readonly protocolName: string | null;
  /** Of a leader; empty from the others. */
  readonly assignments: ReadonlyMap<string, Uint8Array>;
}

export function sync(group: Group, ask: SyncAsk, turn: Turn): void {
  const found = findMember(group, ask.memberId, ask.instanceId);
  if (!found.ok) return refuse(ask, found.error, turn);
  if (ask.generation !== group.generation) return refuse(ask, "ILLEGAL_GENERATION", turn);
  if (ask.protocolType !== null && ask.protocolType !== group.protocolType) return refuse(ask, "INCONSISTENT_GROUP_PROTOCOL", turn);
  if (ask.protocolName !== null && ask.protocolName !== group.protocolName) return refuse(ask, "INCONSISTENT_GROUP_PROTOCOL", turn);
  const { member } = found;
  switch (group.state) {
    case "Empty":
      return refuse(ask, "UNKNOWN_MEMBER_ID", turn);
    case "PreparingRebalance":
      return refuse(ask, "REBALANCE_IN_PROGRESS", turn);
    case "Stable":
      group.unsynced.delete(member.id);
      extendSession(member, turn);
      turn.effects.push({ do: "answer", to: ask.waiter, answer: assigned(group, member) });
      return;
    case "CompletingRebalance":
      answerSync(member, "REBALANCE_IN_PROGRESS", turn); // an earlier try, on a connection that is gone
      extendSession(member, turn);
      group.unsynced.delete(member.id);
      member.syncing = ask.waiter;
      // A leader that asks twice has its first word taken: that is the one on its way into the log.
      if (member.id === group.leaderId && group.assigning !== group.generation) assign(group, ask.assignments, turn);
      return;
    default:
      return unreachable(group.state);
  }
}

function assign(group: Group, given: ReadonlyMap<string, Uint8Array>, turn: Turn): void {
  // Members that the leader left out get nothing; names it made up are ignored.
  const assignments = new Map([...group.members.keys()].map((id) => [id, given.get(id) ?? NO_BYTES]));
  group.assigning = group.generation;
  group.stored = true;
  turn.effects.push({ do: "write", value: valueOf(group, assignments), then: { kind: "assigned", generation: group.generation, assignments } });
}

function assigned(group: Group, member: Member): SyncAnswer {
  return { api: "sync", error: "NONE", protocolType: group.protocolType, protocolName: group.protocolName, assignment: member.assignment };
}

/** The log has answered. A record that was refused left no trace; one that is late may still be committed, and is then taken as said. */
export function onWritten(group: Group, then: Continuation, written: Written, turn: Turn): void {
  switch (then.kind) {
    case "emptied":
      // Until it is said, memory is ahead of the log by a generation that nobody was ever given.
      if (written.outcome !== "refused") return;
      group.owesRecord = true;
      turn.effects.push({ do: "wake", atMs: turn.nowMs + RETRY_MS, memberId: null });
      return;
    case "replaced":
      switch (written.outcome) {
        case "refused":
          undoReplacement(group, then.undo, turn);
          turn.effects.push({ do: "answer", to: then.waiter, answer: joinRefusal(groupError(written.error), "") });
          return;
        case "late":
          turn.effects.push({ do: "answer", to: then.waiter, answer: joinRefusal("COORDINATOR_NOT_AVAILABLE", "") });
          return;
        case "committed":
          turn.effects.push({ do: "answer", to: then.waiter, answer: then.answer });
          return;
        default:
          return unreachable(written);
      }
    case "assigned":
      return onAssignment(group, then, written, turn);
    default:
      return unreachable(then);
  }
}

function onAssignment(group: Group, then: Continuation & { readonly kind: "assigned" }, written: Written, turn: Turn): void {
  const current = group.state === "CompletingRebalance" && group.generation === then.generation;
  if (written.outcome === "late") {
    if (current) answerSyncs(group, "COORDINATOR_NOT_AVAILABLE", turn); // they ask again, and wait again
    return;
  }
  if (group.assigning === then.generation) group.assigning = null;
  if (!current) return; // the group has moved on to its next rebalance
  if (written.outcome === "refused") {
    answerSyncs(group, groupError(written.error), turn);
    prepareRebalance(group, turn);
    return;
  }
  moveTo(group, "Stable", turn);
  for (const member of group.members.values()) {
    member.assignment = then.assignments.get(member.id) ?? NO_BYTES;
    if (member.syncing === null) continue;
    extendSession(member, turn);
    turn.effects.push({ do: "answer", to: member.syncing, answer: assigned(group, member) });
    member.syncing = null;
  }
}

/** What a member is told of a log that refused the group's record. */
export function groupError(error: ErrorName): ErrorName {
  switch (error) {
    case "UNKNOWN_TOPIC_OR_PARTITION":
    case "NOT_ENOUGH_REPLICAS":
    case "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
    case "REQUEST_TIMED_OUT":
      return "COORDINATOR_NOT_AVAILABLE";
    case "NOT_LEADER_OR_FOLLOWER":
    case "FENCED_LEADER_EPOCH":
    case "KAFKA_STORAGE_ERROR":
      return "NOT_COORDINATOR";
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
    case "INVALID_FETCH_SIZE":
      return "UNKNOWN_SERVER_ERROR";
    default:
      return error;
  }
}

function refuse(ask: SyncAsk, error: ErrorName, turn: Turn): void {
  turn.effects.push({ do: "answer", to: ask.waiter, answer: syncRefusal(error) });
}

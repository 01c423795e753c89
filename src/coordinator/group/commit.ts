/** Who may commit, what may be deleted, what expires: the rules around a group's offsets. behaviours.md §7, KIP-211, KIP-496. */
import type { ErrorName } from "../../protocol/errors.js";
import { extendSession, findMember, type Group, type Turn } from "./group.js";
import { eachOffset, isOpen, type Committed, type OffsetBook } from "./offsets.js";

export interface CommitAsk {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
}

/** May this caller commit now? NONE also extends its session. */
export function checkCommit(group: Group, ask: CommitAsk, turn: Turn): ErrorName {
  if (ask.generation < 0 && group.state === "Empty") return "NONE"; // who manages its partitions itself
  if (ask.generation < 0 && ask.memberId === "" && ask.instanceId === null) return "UNKNOWN_MEMBER_ID"; // not while there are members
  const found = findMember(group, ask.memberId, ask.instanceId);
  if (!found.ok) return found.error;
  if (ask.generation !== group.generation) return "ILLEGAL_GENERATION";
  if (group.state === "CompletingRebalance") return "REBALANCE_IN_PROGRESS";
  extendSession(found.member, turn);
  return "NONE";
}

/** May this topic's offsets be deleted from under the group? */
export function checkOffsetDelete(group: Group, topic: string): ErrorName {
  if (group.state === "Empty") return "NONE";
  return group.subscribed === null || group.subscribed.has(topic) ? "GROUP_SUBSCRIBED_TO_TOPIC" : "NONE";
}

export interface Expired {
  readonly topic: string;
  readonly partition: number;
}

/** What has lain long enough, at most `max` of it. */
export function expiredOffsets(group: Group, book: OffsetBook, options: { readonly wallMs: number; readonly retentionMs: number; readonly max: number }): readonly Expired[] {
  const since = expiryBase(group);
  if (since === null) return [];
  const expired: Expired[] = [];
  for (const { topic, partition, value } of eachOffset(book)) {
    if (expired.length >= options.max) break;
    const baseMs = since(topic, value);
    if (baseMs === null || isOpen(book, topic, partition)) continue;
    const untilMs = value.expireMs >= 0 ? value.expireMs : baseMs + options.retentionMs;
    if (untilMs <= options.wallMs) expired.push({ topic, partition });
  }
  return expired;
}

/** From when an offset's retention counts; null while it is in use. */
function expiryBase(group: Group): ((topic: string, value: Committed) => number | null) | null {
  if (group.protocolType === null) return group.state === "Empty" ? (_, value) => value.commitMs : null;
  if (group.state === "Empty") {
    const sinceMs = group.stateSinceMs;
    return (_, value) => (sinceMs >= 0 ? Math.max(sinceMs, value.commitMs) : value.commitMs);
  }
  const { subscribed } = group;
  if (group.state !== "Stable" || subscribed === null) return null;
  return (topic, value) => (subscribed.has(topic) ? null : value.commitMs);
}

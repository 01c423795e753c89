/**
 * What a leader knows of its replicas and decides from it, pure: the high watermark, who joins and who leaves the ISR. Design §7; KIP-101, 497, 841, 903,
 * 966. A follower's fetch offset is its durable end; the leader counts itself up to its own durable end (written end on lax topics).
 */
import { assert, unreachable } from "../base/assert.js";
import type { NodeId } from "../base/ids.js";
import type { IsrOutcome } from "../coordination/coordination.js";
import type { PartitionImage } from "../metadata/image.js";

export interface FollowerView {
  end: number;
  logStart: number;
  brokerEpoch: bigint;
  /** When it last had everything that we had then. */
  caughtUpMs: number;
  fetchedMs: number;
  /** Our end when it last fetched. */
  endAtFetch: number;
}

export interface LeaderView {
  readonly self: NodeId;
  readonly epoch: number;
  /** First offset of this reign: nothing below it is news, and no "latest" is told below it. */
  readonly epochStart: number;
  partitionEpoch: number;
  replicas: readonly NodeId[];
  isr: readonly NodeId[];
  /** The ISR that was asked for and is not decided. */
  proposed: readonly NodeId[] | null;
  minIsr: number;
  highWatermark: number;
  readonly followers: Map<NodeId, FollowerView>;
  recovering: boolean;
  /** Not before then: after a refusal the controller needs time to change its mind. */
  proposeAfterMs: number;
}

export function makeLeaderView(self: NodeId, image: PartitionImage, known: { readonly epochStart: number; readonly highWatermark: number; readonly minIsr: number; readonly nowMs: number }): LeaderView {
  const followers = new Map<NodeId, FollowerView>();
  for (const id of image.replicas) {
    if (id !== self) followers.set(id, { end: -1, logStart: -1, brokerEpoch: -1n, caughtUpMs: known.nowMs, fetchedMs: known.nowMs, endAtFetch: -1 });
  }
  return {
    self,
    epoch: image.leaderEpoch,
    epochStart: known.epochStart,
    partitionEpoch: image.partitionEpoch,
    replicas: image.replicas,
    isr: image.isr,
    proposed: null,
    minIsr: known.minIsr,
    highWatermark: known.highWatermark,
    followers,
    recovering: image.recovering,
    proposeAfterMs: 0,
  };
}

/** Until a change is decided the larger of both sets counts: whichever wins, what is committed is on all its members. */
export function maximalIsr(view: LeaderView): readonly NodeId[] {
  return view.proposed === null ? view.isr : [...new Set([...view.isr, ...view.proposed])];
}

/** @returns true when the high watermark has risen */
export function advanceHighWatermark(view: LeaderView, ownEnd: number): boolean {
  if (view.isr.length < view.minIsr) return false; // KIP-966: what fewer than the minimum hold is not committed
  let mark = ownEnd;
  for (const id of maximalIsr(view)) if (id !== view.self) mark = Math.min(mark, view.followers.get(id)?.end ?? -1);
  if (mark <= view.highWatermark) return false;
  view.highWatermark = mark;
  return true;
}

/** Takes a follower's fetch as its word about its disk. @returns true when that changes anything but the time */
export function onFollowerFetch(view: LeaderView, from: { readonly id: NodeId; readonly brokerEpoch: bigint }, at: { readonly offset: number; readonly logStart: number; readonly leaderEnd: number; readonly nowMs: number }): boolean {
  const follower = view.followers.get(from.id);
  if (follower === undefined || from.brokerEpoch < follower.brokerEpoch) return false; // the second: an old connection speaks after its successor
  const changed = follower.end !== at.offset || follower.logStart !== at.logStart || follower.brokerEpoch !== from.brokerEpoch;
  if (at.offset >= at.leaderEnd) follower.caughtUpMs = at.nowMs;
  else if (follower.endAtFetch >= 0 && at.offset >= follower.endAtFetch) follower.caughtUpMs = Math.max(follower.caughtUpMs, follower.fetchedMs);
  follower.end = at.offset;
  follower.logStart = at.logStart;
  follower.brokerEpoch = from.brokerEpoch;
  follower.fetchedMs = at.nowMs;
  follower.endAtFetch = at.leaderEnd;
  return changed;
}

/** Our end has moved on from `before`. Who held everything until now was caught up until now: it does not ask while there is nothing new. */
export function onOwnAppend(view: LeaderView, before: number, nowMs: number): void {
  for (const follower of view.followers.values()) if (follower.end === before) follower.caughtUpMs = Math.max(follower.caughtUpMs, nowMs);
}

export interface Parting {
  readonly epoch: number;
  readonly end: number;
}

/**
 * KIP-595: where a reader's log parts from ours; null while it does not. `reader.epoch` is that of its last record, -1 where it has none to compare.
 * An epoch of -1 in the answer: the reader speaks of a reign that is later than all of ours.
 */
export function parting(endOfEpoch: (epoch: number) => Parting, reader: { readonly offset: number; readonly epoch: number }): Parting | null {
  if (reader.epoch < 0) return null;
  const ours = endOfEpoch(reader.epoch);
  if (ours.epoch < 0) return { epoch: -1, end: -1 };
  return ours.epoch === reader.epoch && ours.end >= reader.offset ? null : { epoch: ours.epoch, end: ours.end };
}

export interface IsrRules {
  readonly nowMs: number;
  readonly lagMaxMs: number;
  readonly leaderEnd: number;
  /** The broker epoch that the image has for a broker that may be in an ISR; null if it is fenced, stopping or unknown. */
  readonly eligible: (id: NodeId) => bigint | null;
}

/** The ISR that should be asked for, or null when it is right or a change is under way. */
export function wantedIsr(view: LeaderView, rules: IsrRules): readonly NodeId[] | null {
  if (view.proposed !== null || rules.nowMs < view.proposeAfterMs) return null;
  const stays = (id: NodeId) => {
    if (id === view.self) return true;
    const follower = view.followers.get(id);
    return follower !== undefined && (follower.end >= rules.leaderEnd || rules.nowMs - follower.caughtUpMs <= rules.lagMaxMs);
  };
  const joins = (id: NodeId) => {
    const follower = view.followers.get(id);
    if (follower === undefined || follower.end < 0) return false;
    return follower.end >= view.highWatermark && follower.end >= view.epochStart && rules.eligible(id) === follower.brokerEpoch;
  };
  const wanted = view.replicas.filter((id) => (view.isr.includes(id) ? stays(id) : joins(id)));
  if (wanted.length === view.isr.length && wanted.every((id) => view.isr.includes(id))) return view.recovering ? wanted : null;
  // One kind of change at a time keeps the larger set easy to see; growth waits for the next turn.
  const shrunk = view.isr.filter((id) => wanted.includes(id));
  return shrunk.length < view.isr.length ? shrunk : wanted;
}

/** When the first ISR member that is behind will have been so for too long, and has to leave; null while none is behind. */
export function lagDeadlineMs(view: LeaderView, rules: { readonly leaderEnd: number; readonly lagMaxMs: number }): number | null {
  let first: number | null = null;
  for (const id of view.isr) {
    const follower = view.followers.get(id);
    if (follower === undefined || follower.end >= rules.leaderEnd) continue;
    first = Math.min(first ?? Infinity, follower.caughtUpMs);
  }
  return first === null ? null : first + rules.lagMaxMs + 1;
}

/**
 * Takes what the controller has settled. What is known already is ignored: the feed may tell of a change whose answer came before, while the next one is
 * under way, and that one must go on counting. Anything newer ends it: it was applied, or its compare-and-set can only fail now.
 */
export function settleIsr(view: LeaderView, settled: { readonly isr: readonly NodeId[]; readonly partitionEpoch: number; readonly recovering: boolean; readonly replicas?: readonly NodeId[] }): void {
  if (settled.partitionEpoch <= view.partitionEpoch) return;
  view.partitionEpoch = settled.partitionEpoch;
  view.isr = settled.isr;
  view.recovering = settled.recovering;
  view.proposed = null;
  if (settled.replicas === undefined) return;
  view.replicas = settled.replicas;
  for (const id of [...view.followers.keys()]) if (!settled.replicas.includes(id)) view.followers.delete(id);
}

/**
 * Ends a proposal whose fate the answer tells. An outdated one goes on counting until the metadata says what became of it: an earlier try, whose answer
 * was lost, may have been applied. @returns what to do next
 */
export function onProposalRefused(view: LeaderView, partitionEpoch: number, error: IsrRefusal): "ask-again" | "dropped" | "await-metadata" | "over" {
  if (view.partitionEpoch !== partitionEpoch || view.proposed === null) return "over"; // the feed was faster
  switch (error) {
    case "REQUEST_TIMED_OUT":
    case "NOT_CONTROLLER":
    case "STALE_BROKER_EPOCH":
      return "ask-again";
    case "INELIGIBLE_REPLICA": // the controller looks at these two only after the epochs were found right: nothing was applied
    case "INVALID_REQUEST":
      view.proposed = null;
      return "dropped";
    case "FENCED_LEADER_EPOCH":
    case "INVALID_UPDATE_VERSION":
    case "UNKNOWN_TOPIC_ID":
      return "await-metadata";
    default:
      return unreachable(error);
  }
}

type IsrRefusal = Extract<IsrOutcome, { readonly ok: false }>["error"];

/** Holds between any two events. */
export function checkLeader(view: LeaderView, log: { readonly start: number; readonly durableEnd: number; readonly end: number }, durable: boolean): void {
  assert(view.isr.includes(view.self), "a leader is in its ISR");
  assert(view.highWatermark <= (durable ? log.durableEnd : log.end), "what is committed is held by the leader");
}

/**
 * What a follower decides about its part of a Fetch answer, pure. Truncation goes by leader epoch, never by the high watermark (KIP-101, KIP-279,
 * KIP-595), and an answer that diverges does nothing but truncate (KAFKA-14704).
 */
import type { ErrorName } from "../protocol/errors.js";

export interface FollowerLog {
  readonly start: number;
  readonly end: number;
  /** End of the largest epoch <= `epoch`; -1 and -1 where unknown. */
  endOfEpoch(epoch: number): { readonly epoch: number; readonly end: number };
}

export interface LeaderReply {
  readonly error: ErrorName;
  readonly diverging: { readonly epoch: number; readonly end: number } | null;
  /** The leader's; told with OFFSET_OUT_OF_RANGE too, -1 where it is not. */
  readonly logStart: number;
}

export type FollowerStep =
  /** Cut everything from `to` on, and the epochs that begin there; then fetch again. */
  | { readonly do: "truncate"; readonly to: number }
  /** Nothing of ours lies where the leader's log is: begin again at its start. */
  | { readonly do: "reset"; readonly start: number }
  /** Append what came, maybe nothing, then take over watermark and start. */
  | { readonly do: "append" }
  /** Somebody else leads, or the metadata of one of us is behind: later. */
  | { readonly do: "delay" };

export function onReply(log: FollowerLog, reply: LeaderReply): FollowerStep {
  if (reply.error === "OFFSET_OUT_OF_RANGE" && reply.logStart >= 0) {
    // Below the leader's start, or an empty log that was begun beyond the leader's end. Anything else is a doubt, and nothing is deleted on doubt.
    if (log.end < reply.logStart || log.start === log.end) return { do: "reset", start: reply.logStart };
    return { do: "delay" };
  }
  if (reply.error !== "NONE") return { do: "delay" };
  if (reply.diverging !== null) return { do: "truncate", to: truncationPoint(log, reply.diverging) };
  return { do: "append" };
}

/**
 * Where the two logs part, as far as one exchange can tell: where the common epoch ends, on both sides. If we do not know the leader's epoch, our largest one
 * below it counts, and the next fetch asks with that (KIP-279).
 */
export function truncationPoint(log: FollowerLog, diverging: { readonly epoch: number; readonly end: number }): number {
  const ours = diverging.epoch < 0 ? { epoch: -1, end: -1 } : log.endOfEpoch(diverging.epoch);
  const to = ours.end < 0 ? diverging.end : Math.min(ours.end, diverging.end);
  return Math.max(log.start, Math.min(to, log.end));
}

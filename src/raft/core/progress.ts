/** What a leader sends to one follower: probes, a pipeline of appends, or chunks of a snapshot. Raft §5.3, §7. */
import { assert } from "../../base/assert.js";
import { everyone } from "../members.js";
import { keyOf, ORIGIN, type Index, type MemberKey } from "../types.js";
import type { LeaderRole, Out, Progress, Raft } from "./state.js";

/** Progress of exactly the members there are. */
export function trackMembers(raft: Raft, role: LeaderRole, nowMs: number): void {
  const wanted = new Set(everyone(raft.log.members).map(keyOf));
  for (const key of [...role.progress.keys()]) if (!wanted.has(key)) role.progress.delete(key);
  for (const key of wanted) {
    if (key === raft.key || role.progress.has(key)) continue;
    role.progress.set(key, {
      match: 0, next: raft.log.last.index + 1, state: "probe", paused: false, inflight: [], inflightBytes: 0,
      heardMs: nowMs, round: 0, caughtUpMs: -Infinity, inStepSinceMs: Infinity, snapshot: null,
    });
  }
}

/** What was under way is lost, and what it had may be too, if its disk was damaged meanwhile: we ask anew from our end. */
export function restart(raft: Raft, progress: Progress): void {
  progress.match = 0;
  progress.snapshot = null;
  progress.next = raft.log.last.index + 1;
  probe(progress);
}

export function probe(progress: Progress): void {
  progress.state = "probe";
  progress.paused = false;
  progress.inflight.length = 0;
  progress.inflightBytes = 0;
}

export function arrived(progress: Progress, match: Index): void {
  progress.match = Math.max(progress.match, match);
  for (let first = progress.inflight[0]; first !== undefined && first.last <= progress.match; first = progress.inflight[0]) {
    progress.inflight.shift();
    progress.inflightBytes -= first.bytes;
  }
}

/** Sends what fits into the pipeline. */
export function replicate(raft: Raft, role: LeaderRole, key: MemberKey, out: Out): void {
  const progress = role.progress.get(key);
  if (progress === undefined) return;
  if (progress.state === "probe" && !progress.paused) {
    if (!sendEntries(raft, role, key, progress, out)) return;
    progress.paused = true;
  }
  while (
    progress.state === "stream" && progress.next <= raft.log.last.index &&
    progress.inflight.length < raft.timing.inflightMax && progress.inflightBytes < raft.timing.inflightMaxBytes
  ) {
    if (!sendEntries(raft, role, key, progress, out)) return;
  }
}

/** @returns false when a snapshot had to be begun instead */
function sendEntries(raft: Raft, role: LeaderRole, key: MemberKey, progress: Progress, out: Out): boolean {
  const previous = progress.next - 1;
  const term = raft.log.termAt(previous);
  if (term === null) {
    beginSnapshot(raft, role, key, progress, out);
    return false;
  }
  const entries = raft.log.slice(progress.next, raft.log.last.index + 1, raft.timing.batchMaxBytes);
  out.send(key, { kind: "append", term: raft.term, previous: { index: previous, term }, entries, commit: raft.commit, round: role.round });
  if (progress.state !== "stream" || entries.length === 0) return true;
  const bytes = entries.reduce((sum, entry) => sum + entry.payload.length, 0);
  progress.next += entries.length;
  progress.inflight.push({ last: progress.next - 1, bytes });
  progress.inflightBytes += bytes;
  return true;
}

function beginSnapshot(raft: Raft, role: LeaderRole, key: MemberKey, progress: Progress, out: Out): void {
  assert(raft.snapshot !== null, "entries are dropped only once a snapshot holds them");
  probe(progress);
  progress.state = "snapshot";
  progress.snapshot = { of: raft.snapshot, position: 0, sentMs: out.nowMs };
  sendChunk(raft, role, key, progress, 0, out);
}

export function sendChunk(raft: Raft, role: LeaderRole, key: MemberKey, progress: Progress, position: number, out: Out): void {
  const sending = progress.snapshot;
  assert(sending !== null, "a chunk is of a snapshot");
  const { of } = sending;
  if (of !== raft.snapshot && of !== raft.previousSnapshot) return beginSnapshot(raft, role, key, progress, out); // its file is gone
  sending.position = position;
  sending.sentMs = out.nowMs;
  out.push({ do: "send-chunk", to: key, snapshot: of, position, bytes: Math.min(raft.timing.chunkBytes, of.bytes - position), term: raft.term, round: role.round });
}

/** An empty append to everybody: the round, the commit index, and a question whether the logs agree up to what was sent. */
export function announce(raft: Raft, role: LeaderRole, out: Out): void {
  for (const [key, progress] of role.progress) {
    if (progress.state === "lost") continue;
    const term = raft.log.termAt(progress.next - 1);
    if (term === null && progress.state !== "snapshot") {
      beginSnapshot(raft, role, key, progress, out); // compacted since it was asked
      continue;
    }
    // Asks nothing while chunks are under way: every log agrees before its first entry.
    const previous = progress.state === "snapshot" || term === null ? ORIGIN : { index: progress.next - 1, term };
    out.send(key, { kind: "append", term: raft.term, previous, entries: [], commit: raft.commit, round: role.round });
    if (progress.state === "snapshot" && progress.snapshot !== null && out.nowMs - progress.snapshot.sentMs >= raft.timing.electionMs / 2) {
      sendChunk(raft, role, key, progress, progress.snapshot.position, out); // it, or its answer, was lost
    }
  }
}

/** What a leader does: opens its term, takes proposals, hears answers, commits by quorum, and steps down when it cannot lead. */
import { assert } from "../../base/assert.js";
import { decodeMembership, isQuorum, isVoter, quorumValue } from "../members.js";
import { keyOf, PAYLOAD_MAX_BYTES, type Entry, type MemberKey } from "../types.js";
import { mayChange } from "./membership.js";
import type { MessageOf } from "./messages.js";
import { announce, arrived, probe, replicate, restart, sendChunk, trackMembers } from "./progress.js";
import { confirmReads } from "./reads.js";
import { stepDown, type LeaderRole, type Out, type Progress, type Raft } from "./state.js";

/** A committed index is told to followers this much later, unless an append carries it before. */
const COMMIT_NEWS_MS = 5;

export function becomeLeader(raft: Raft, out: Out): void {
  const { nowMs } = out;
  const role: LeaderRole = {
    name: "leader", firstIndex: raft.log.last.index + 1, sinceMs: nowMs, progress: new Map(), heartbeatAtMs: nowMs + raft.timing.heartbeatMs,
    round: 1, reads: [], transfer: null, uncommittedBytes: 0,
  };
  raft.role = role;
  raft.leader = raft.key;
  trackMembers(raft, role, nowMs);
  appendOwn(raft, role, { kind: "noop", payload: new Uint8Array(0) }, out);
}

function appendOwn(raft: Raft, role: LeaderRole, what: Pick<Entry, "kind" | "payload">, out: Out): void {
  out.append([{ index: raft.log.last.index + 1, term: raft.term, kind: what.kind, payload: what.payload }]);
  role.uncommittedBytes += what.payload.length;
  if (what.kind === "members") trackMembers(raft, role, out.nowMs); // in force from here on
  for (const key of role.progress.keys()) replicate(raft, role, key, out); // the others write while we do
}

/** Would a proposal be taken? The driver asks first. */
export function maySubmit(raft: Raft, bytes: number): boolean {
  return raft.role.name === "leader" && raft.role.transfer === null && raft.role.uncommittedBytes + bytes <= raft.timing.uncommittedMaxBytes;
}

export function propose(raft: Raft, entry: { readonly kind: "data" | "members"; readonly payload: Uint8Array }, out: Out): void {
  const { role } = raft;
  assert(role.name === "leader" && maySubmit(raft, entry.payload.length), "the driver asks first whether a proposal may be made");
  assert(entry.payload.length <= PAYLOAD_MAX_BYTES, `a proposal has ${PAYLOAD_MAX_BYTES} bytes at most`);
  if (entry.kind === "members") assert(mayChange(raft, decodeMembership(entry.payload)), "the driver asks first whether the membership may change");
  appendOwn(raft, role, entry, out);
}

export function onLeaderTick(raft: Raft, role: LeaderRole, out: Out): void {
  const { nowMs } = out;
  // A leader that a quorum does not answer may have a successor already.
  if (nowMs - role.sinceMs >= raft.timing.electionMs && !isQuorum(raft.log.members, (key) => key === raft.key || wasHeard(raft, role.progress.get(key), nowMs))) return stepDown(raft, out);
  if (role.transfer !== null && nowMs >= role.transfer.untilMs) role.transfer = null; // the heir did not make it
  if (nowMs < role.heartbeatAtMs) return;
  role.heartbeatAtMs = nowMs + raft.timing.heartbeatMs;
  announce(raft, role, out);
}

function wasHeard(raft: Raft, progress: Progress | undefined, nowMs: number): boolean {
  return progress !== undefined && nowMs - progress.heardMs < raft.timing.electionMs;
}

export function onAppendAnswer(raft: Raft, from: MemberKey, answer: MessageOf<"append-answer">, out: Out): void {
  const { role } = raft;
  if (role.name !== "leader") return;
  const progress = role.progress.get(from);
  if (progress === undefined || progress.state === "lost") return; // answers to what an older connection carried
  progress.heardMs = out.nowMs;
  progress.round = Math.max(progress.round, answer.round);
  if (answer.ok) onAgreement(raft, role, from, progress, answer, out);
  else onRefusal(raft, progress, answer);
  if (raft.role !== role) return;
  confirmReads(raft, out);
  replicate(raft, role, from, out);
}

function onAgreement(raft: Raft, role: LeaderRole, from: MemberKey, progress: Progress, answer: MessageOf<"append-answer">, out: Out): void {
  if (Math.max(answer.match, answer.previous) > raft.log.last.index) return; // it speaks of another log
  arrived(progress, answer.match);
  if (progress.state === "probe" && answer.previous >= progress.next - 1) {
    progress.state = "stream";
    progress.next = Math.max(progress.match, answer.previous) + 1;
  }
  progress.next = Math.max(progress.next, progress.match + 1);
  if (progress.match >= raft.commit) {
    if (out.nowMs - progress.caughtUpMs >= raft.timing.electionMs) progress.inStepSinceMs = out.nowMs;
    progress.caughtUpMs = out.nowMs;
  }
  tryCommit(raft, out);
  if (raft.role === role) handOver(raft, role, from, out);
}

function onRefusal(raft: Raft, progress: Progress, answer: MessageOf<"append-answer">): void {
  if (answer.previous <= progress.match || progress.state === "snapshot") return; // overtaken
  if (progress.state === "probe" && answer.previous !== progress.next - 1) return; // of an earlier probe
  probe(progress);
  const agreed = raft.log.lastWithin(Math.min(answer.hint.index, answer.previous - 1), answer.hint.term);
  // Where the search stopped at the base, its entry may differ too: then one before it, which means a snapshot.
  const known = (raft.log.termAt(agreed) ?? Infinity) <= answer.hint.term && answer.hint.index >= raft.log.base.index;
  progress.next = Math.max(progress.match + 1, known ? agreed + 1 : Math.min(raft.log.base.index, answer.hint.index + 1));
}

export function onSnapshotAnswer(raft: Raft, from: MemberKey, answer: MessageOf<"snapshot-answer">, out: Out): void {
  const { role } = raft;
  if (role.name !== "leader") return;
  const progress = role.progress.get(from);
  if (progress === undefined || progress.state === "lost") return;
  progress.heardMs = out.nowMs;
  progress.round = Math.max(progress.round, answer.round);
  confirmReads(raft, out);
  const sending = progress.snapshot;
  if (progress.state !== "snapshot" || sending === null || sending.of.index !== answer.index) return;
  if (answer.done) {
    progress.snapshot = null;
    probe(progress);
    arrived(progress, answer.index);
    progress.next = progress.match + 1;
    tryCommit(raft, out);
    if (raft.role === role) replicate(raft, role, from, out);
  } else if (answer.next !== sending.position && answer.next < sending.of.bytes) sendChunk(raft, role, from, progress, answer.next, out);
}

/** Commits what a quorum has on disk, and only through an entry of our own term. Raft §5.4.2. */
export function tryCommit(raft: Raft, out: Out): void {
  const { role } = raft;
  if (role.name !== "leader") return;
  const reached = quorumValue(raft.log.members, (key) => (key === raft.key ? raft.writing.durable : (role.progress.get(key)?.match ?? 0)));
  if (reached <= raft.commit || raft.log.termAt(reached) !== raft.term) return;
  for (const entry of raft.log.slice(Math.max(raft.commit + 1, role.firstIndex), reached + 1)) role.uncommittedBytes -= entry.payload.length;
  raft.commit = reached;
  role.heartbeatAtMs = Math.min(role.heartbeatAtMs, out.nowMs + COMMIT_NEWS_MS);
  confirmReads(raft, out);
  if (raft.log.membersIndex <= raft.commit && !isVoter(raft.log.members, raft.key)) leave(raft, role, out);
}

/** We removed ourselves and that is committed: the others hear it, and the most advanced goes on at once. Thesis §4.2.2. */
function leave(raft: Raft, role: LeaderRole, out: Out): void {
  announce(raft, role, out);
  const heir = mostAdvanced(raft, role);
  if (heir !== null) out.send(heir, { kind: "timeout-now", term: raft.term });
  stepDown(raft, out);
}

export function onPeerConnected(raft: Raft, role: LeaderRole, peer: MemberKey, out: Out): void {
  const progress = role.progress.get(peer);
  if (progress === undefined) return;
  restart(raft, progress);
  replicate(raft, role, peer, out);
}

export function onPeerLost(role: LeaderRole, peer: MemberKey): void {
  const progress = role.progress.get(peer);
  if (progress === undefined) return;
  probe(progress);
  progress.snapshot = null;
  progress.state = "lost";
}

/** Begins to hand over: no more proposals, and the heir goes as soon as it has everything. Thesis §3.10. */
export function onTransfer(raft: Raft, to: MemberKey | null, out: Out): void {
  const { role } = raft;
  if (role.name !== "leader" || role.transfer !== null) return;
  const heir = to ?? mostAdvanced(raft, role);
  if (heir === null || heir === raft.key || !isVoter(raft.log.members, heir)) return;
  role.transfer = { to: heir, untilMs: out.nowMs + raft.timing.electionMs };
  handOver(raft, role, heir, out);
}

function handOver(raft: Raft, role: LeaderRole, heard: MemberKey, out: Out): void {
  if (role.transfer?.to !== heard || role.progress.get(heard)?.match !== raft.log.last.index) return;
  out.send(heard, { kind: "timeout-now", term: raft.term });
}

function mostAdvanced(raft: Raft, role: LeaderRole): MemberKey | null {
  let best: { readonly key: MemberKey; readonly match: number } | null = null;
  for (const key of raft.log.members.voters.map(keyOf)) {
    const progress = role.progress.get(key);
    if (progress === undefined || progress.state === "lost") continue;
    if (best === null || progress.match > best.match) best = { key, match: progress.match };
  }
  return best?.key ?? null;
}

/** What a follower does with a leader's entries and snapshots. Raft §5.3, §7. */
import { assert } from "../../base/assert.js";
import type { Index, LogPoint, MemberKey, Snapshot } from "../types.js";
import { ORIGIN } from "../types.js";
import type { MessageOf } from "./messages.js";
import { restartElectionTimer, type Out, type Raft } from "./state.js";

/** A leader of our term has spoken. */
function hear(raft: Raft, from: MemberKey, out: Out): void {
  assert(raft.role.name !== "leader", "one leader a term");
  if (raft.role.name !== "follower") raft.role = { name: "follower" };
  raft.leader = from;
  raft.heardMs = out.nowMs;
  restartElectionTimer(raft, out.nowMs);
}

export function onAppend(raft: Raft, from: MemberKey, append: MessageOf<"append">, out: Out): void {
  hear(raft, from, out);
  const { log } = raft;
  const { previous, round } = append;

  const ours = log.termAt(previous.index);
  const beyond = previous.index > log.last.index;
  if (beyond || (ours !== null && ours !== previous.term)) {
    assert(previous.index > raft.commit, "a leader agrees with everything committed");
    const hint = hintFor(raft, previous);
    out.send(from, { kind: "append-answer", term: raft.term, ok: false, previous: previous.index, match: 0, hint, round });
    return;
  }

  // Below our base everything is committed, and so agrees already.
  const fresh = append.entries.filter((entry) => entry.index > log.base.index);
  const changed = fresh.findIndex((entry) => log.termAt(entry.index) !== entry.term);
  if (changed >= 0) {
    const added = fresh.slice(changed);
    const first = added[0]?.index ?? 0;
    if (first <= log.last.index) out.truncate(first);
    out.append(added);
  }
  const end = append.entries.at(-1)?.index ?? previous.index;
  raft.commit = Math.max(raft.commit, Math.min(append.commit, end));

  // All that is committed agrees too (leader completeness), so the answer may tell of more than was asked.
  const agreed = Math.max(end, Math.min(raft.commit, log.last.index));
  if (raft.repair !== null) learnRepair(raft, append, agreed, out);
  const answer = (match: Index) => ({ kind: "append-answer", term: raft.term, ok: true, previous: end, match, hint: ORIGIN, round }) as const;
  const durable = raft.writing.durable;
  // A heartbeat is answered at once, or a slow disk would look like a lost follower; what it promises is durable already.
  if (agreed <= durable || append.entries.length === 0) out.send(from, answer(Math.min(agreed, durable)));
  if (agreed > durable) out.promise(from, answer(agreed));
}

/** The last place where a log that has `previous` may agree with ours. */
function hintFor(raft: Raft, previous: LogPoint): LogPoint {
  const { log } = raft;
  const index = Math.max(log.lastWithin(Math.min(previous.index - 1, log.last.index), previous.term), Math.min(raft.commit, previous.index - 1), log.base.index);
  return { index, term: log.termAt(index) ?? log.base.term };
}

/**
 * After damage: how far our log must reach before we may vote again. A commit index counts only once it is of the leader's own term, since only
 * then does it cover all that earlier terms committed, maybe with an acknowledgement of ours that we lost.
 */
function learnRepair(raft: Raft, append: MessageOf<"append">, agreed: Index, out: Out): void {
  const { repair } = raft;
  if (repair === null) return;
  if (repair.upTo === null && append.commit <= agreed && raft.log.termAt(append.commit) === append.term) repair.upTo = append.commit;
  endRepair(raft, out);
}

export function endRepair(raft: Raft, out: Out): void {
  if (raft.repair?.upTo === null || raft.repair === null || raft.writing.durable < raft.repair.upTo) return;
  raft.repair = null;
  out.push({ do: "repaired" });
}

export function onSnapshot(raft: Raft, from: MemberKey, message: MessageOf<"snapshot">, out: Out): void {
  hear(raft, from, out);
  const { point, total, position, chunk, round } = message;
  const answer = (next: number, done: boolean) => out.send(from, { kind: "snapshot-answer", term: raft.term, index: point.index, next, done, round });
  // We hold all of it, committed; it is durable here only as far as our disk has got, which the next append finds out.
  if (point.index <= Math.min(raft.commit, raft.writing.durable)) return answer(total, true);
  if (point.index <= raft.commit) return;

  const known = raft.incoming;
  if (known === null || known.index !== point.index || known.term !== point.term || known.total !== total || known.from !== from) {
    if (known !== null && known.bytes === known.total) return; // the one before is being checked: one at a time
    if (position !== 0) return answer(0, false);
    raft.incoming = { index: point.index, term: point.term, from, total, bytes: 0, round };
  }
  const incoming = raft.incoming;
  assert(incoming !== null, "the snapshot that comes in was begun");
  incoming.round = round;
  if (incoming.bytes === total) return; // whole, and being checked
  if (position !== incoming.bytes || position + chunk.length > total || chunk.length === 0) return answer(incoming.bytes, false);
  incoming.bytes += chunk.length;
  out.push({ do: "store-chunk", point, position, chunk });
  if (incoming.bytes < total) return answer(incoming.bytes, false);
  out.push({ do: "install", point, total });
}

/** The snapshot is on the disk and was checked; whatever came meanwhile, it lowers nothing. */
export function onInstalled(raft: Raft, snapshot: Snapshot, out: Out): void {
  const incoming = raft.incoming;
  assert(incoming !== null && incoming.index === snapshot.index, "what was installed came in before");
  raft.incoming = null;
  if (raft.role.name === "leader") return; // elected meanwhile, so its log holds all of that; a leader loads nothing
  const agrees = raft.log.termAt(snapshot.index) === snapshot.term;
  if (snapshot.index > (raft.snapshot?.index ?? 0)) {
    raft.previousSnapshot = raft.snapshot;
    raft.snapshot = snapshot;
    if (snapshot.index > raft.commit) {
      if (agrees) out.compact({ index: snapshot.index, term: snapshot.term });
      else out.reset(snapshot);
      raft.commit = snapshot.index;
      raft.applied = snapshot.index;
      out.push({ do: "restore", snapshot });
    }
    raft.writing.durable = Math.max(raft.writing.durable, snapshot.index);
  }
  if (raft.leader === incoming.from) {
    out.send(incoming.from, { kind: "snapshot-answer", term: raft.term, index: snapshot.index, next: incoming.total, done: true, round: incoming.round });
  }
  endRepair(raft, out);
}

export function onInstallFailed(raft: Raft, point: LogPoint): void {
  if (raft.incoming?.index === point.index && raft.incoming.term === point.term) raft.incoming = null; // the leader begins it again
}

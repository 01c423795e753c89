/** Linearizable reads without clocks: the commit index, once a quorum has confirmed that we led after the read was asked for. Thesis §6.4. */
import { isQuorum } from "../members.js";
import { announce } from "./progress.js";
import type { Out, Raft } from "./state.js";

export function onRead(raft: Raft, id: number, out: Out): void {
  const { role } = raft;
  if (role.name !== "leader" || role.reads.length >= raft.timing.readsMax) {
    out.push({ do: "read-failed", id });
    return;
  }
  role.reads.push({ id, index: null, round: 0 });
  confirmReads(raft, out);
}

/** Gives waiting reads their index and a round of their own, and answers those whose round a quorum has answered. */
export function confirmReads(raft: Raft, out: Out): void {
  const { role } = raft;
  if (role.name !== "leader" || role.reads.length === 0) return;
  if (raft.commit < role.firstIndex) return; // what the terms before ours committed is not known yet
  const fresh = role.reads.filter((read) => read.index === null);
  if (fresh.length > 0) {
    role.round++; // answers to earlier rounds prove nothing about now
    for (const read of fresh) {
      read.index = raft.commit;
      read.round = role.round;
    }
    announce(raft, role, out);
  }
  for (let first = role.reads[0]; first !== undefined; first = role.reads[0]) {
    const { index, round, id } = first;
    if (index === null || !isQuorum(raft.log.members, (key) => key === raft.key || (role.progress.get(key)?.round ?? 0) >= round)) return;
    role.reads.shift();
    out.push({ do: "read-ready", id, index });
  }
}

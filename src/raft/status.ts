/** What the quorum looks like from this node, as plain data. */
import { nodeId, type NodeId } from "../base/ids.js";
import type { Raft } from "./core/state.js";
import type { Identity } from "./identity.js";
import { isLearner, isVoter } from "./members.js";
import type { ExpectedPeer, MemberStatus, QuorumStatus } from "./quorum.js";
import { keyOf, type Index, type Member, type MemberKey } from "./types.js";
import type { Hello } from "./wire.js";

export interface Seen {
  readonly raft: Raft | null;
  readonly identity: Identity;
  readonly peers: readonly ExpectedPeer[];
  readonly applied: Index;
  readonly refusal: string | null;
  readonly heard: ReadonlyMap<NodeId, Hello>;
  readonly nowMs: number;
  readonly wallMs: number;
}

export function describeQuorum(seen: Seen): QuorumStatus {
  const { raft, identity } = seen;
  const { clusterId, directoryId } = identity;
  const notes = notesOf(seen);
  if (raft === null) {
    return {
      clusterId, nodeId: identity.nodeId, directoryId, role: "founding", standing: "none", term: 0, leader: null, commitIndex: 0, appliedIndex: 0, lastIndex: 0, logStart: 1,
      voters: [], learners: [], repairing: false, notes,
    };
  }
  const { members } = raft.log;
  return {
    clusterId, nodeId: identity.nodeId, directoryId,
    role: raft.role.name === "prospective" ? "candidate" : raft.role.name,
    standing: isVoter(members, raft.key) ? "voter" : isLearner(members, raft.key) ? "learner" : "none",
    term: raft.term, leader: idOf(raft.leader), commitIndex: raft.commit, appliedIndex: seen.applied, lastIndex: raft.log.last.index, logStart: raft.log.base.index + 1,
    voters: members.voters.map((one) => memberStatus(raft, one, seen)),
    learners: members.learners.map((one) => memberStatus(raft, one, seen)),
    repairing: raft.repair !== null,
    notes,
  };
}

function memberStatus(raft: Raft, member: Member, { nowMs, wallMs }: Seen): MemberStatus {
  const { id, directoryId, host, port } = member;
  const own = keyOf(member) === raft.key;
  const progress = raft.role.name === "leader" ? raft.role.progress.get(keyOf(member)) : undefined;
  const wall = (atMs: number | undefined) => (own ? wallMs : atMs === undefined || atMs === -Infinity ? -1 : Math.round(wallMs - (nowMs - atMs)));
  return { id, directoryId, host, port, matchIndex: own ? raft.writing.durable : (progress?.match ?? 0), lastContactMs: wall(progress?.heardMs), lastCaughtUpMs: wall(progress?.caughtUpMs) };
}

function notesOf({ raft, refusal, peers, heard, identity }: Seen): readonly string[] {
  const notes: string[] = [];
  if (refusal !== null) notes.push(refusal);
  if (raft === null) return notes;
  const { voters, learners } = raft.log.members;
  if (raft.repair !== null) notes.push("the log of this node was damaged: it does not vote until it has fetched what it may have lost");
  if (raft.stalled) notes.push("the disk of this node has stalled");
  for (const one of learners) {
    if (one.replaces !== undefined) notes.push(`node ${one.id} came back on another disk (${one.directoryId}, before ${one.replaces}): it follows as a learner and votes again by itself once it has been in step for a while`);
  }
  if (voters.length > 0) {
    const differing = [...peers.filter((peer) => !voters.some((voter) => voter.id === peer.id)), ...voters.filter((voter) => !peers.some((peer) => peer.id === voter.id))];
    for (const { id } of differing) notes.push(`node ${id} ${voters.some((voter) => voter.id === id) ? "votes, and is not in controller.quorum.voters" : "is in controller.quorum.voters, and does not vote"}`);
  }
  for (const hello of heard.values()) {
    if (hello.clusterId !== "" && hello.clusterId !== identity.clusterId) notes.push(`node ${hello.nodeId} belongs to another cluster, ${hello.clusterId}`);
  }
  return notes;
}

export function idOf(key: MemberKey | null): NodeId | null {
  return key === null ? null : nodeId(Number(key.split("/")[0]));
}

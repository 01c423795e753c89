/** A quorum in memory: entries commit one millisecond after they were proposed, on every member; leadership goes where the test says. */
import { nodeId, uuid, type NodeId } from "../../src/base/ids.js";
import type { Leadership, Proposal, Quorum, QuorumStatus, StateMachine } from "../../src/raft/quorum.js";
import type { TestNet, TestNode } from "./world.js";

interface Entry {
  readonly index: number;
  readonly term: number;
  readonly payload: Uint8Array;
}

interface Member {
  readonly id: NodeId;
  readonly node: TestNode;
  readonly machine: StateMachine;
  applied: number;
  standing: Leadership;
}

export class TestQuorum {
  readonly log: Entry[] = [];
  term = 0;
  leader: NodeId | null = null;
  /** While true nothing commits and reads find no quorum. */
  cut = false;
  readonly #members: Member[] = [];

  constructor(readonly net: TestNet) {}

  join(id: NodeId, node: TestNode, machine: StateMachine): Quorum {
    const member: Member = { id, node, machine, applied: 0, standing: { leader: null, term: 0, self: false, ready: false } };
    this.#members.push(member);
    return {
      status: () => this.#status(id),
      propose: (payload): Proposal => {
        if (!member.standing.ready) return { ok: false, error: "not-leader", leader: this.leader };
        const entry = { index: this.log.length + 1, term: member.standing.term, payload };
        this.log.push(entry);
        this.net.after(node, 1, () => this.#commit());
        return { ok: true, index: entry.index, term: entry.term };
      },
      readIndex: () => new Promise((resolve) => this.net.after(node, 1, () => resolve(this.cut || !member.standing.ready || this.term !== member.standing.term ? { ok: false } : { ok: true, index: member.applied }))),
      changeVoters: () => Promise.resolve({ ok: false, error: "invalid", message: "" }),
      transferLeadership: () => Promise.resolve(false),
      close: () => Promise.resolve(),
      inspect: () => ({ ...this.#status(id), durableIndex: 0, heldPromises: 0, pendingReads: 0, pendingChanges: 0, openStreams: 0, queuedEvents: 0, queuedWrites: 0, queuedDeliveries: 0, stalled: false }),
    };
  }

  /** The old leader is told only if `tell`: a frozen one goes on believing. Entries it could not commit are gone. */
  elect(id: NodeId, options: { readonly tell: boolean } = { tell: true }): void {
    const old = this.leader;
    this.term++;
    this.leader = id;
    this.log.splice(Math.max(0, ...this.#members.map((member) => member.applied)));
    this.log.push({ index: this.log.length + 1, term: this.term, payload: new Uint8Array() });
    for (const member of this.#members) {
      if (member.id === old && member.id !== id && !options.tell) continue;
      this.#say(member, { leader: id, term: this.term, self: member.id === id, ready: false });
    }
    const cut = this.cut;
    this.cut = false;
    this.#commit();
    this.cut = cut;
    for (const member of this.#members) if (member.id === id) this.#say(member, { leader: id, term: this.term, self: true, ready: true });
  }

  #say(member: Member, standing: Leadership): void {
    if (member.node.dead) return;
    member.standing = standing;
    member.machine.leadership(standing);
  }

  #commit(): void {
    if (this.cut) return;
    for (const member of this.#members) {
      if (member.node.dead || member.node.frozen) continue;
      for (const entry of this.log.slice(member.applied)) {
        member.applied = entry.index;
        member.machine.apply({ index: entry.index, term: entry.term, kind: entry.payload.length === 0 ? "noop" : "data", payload: entry.payload });
      }
    }
  }

  #status(id: NodeId): QuorumStatus {
    const members = this.#members.map((member) => ({ id: member.id, directoryId: uuid(`v${String(member.id).padStart(21, "0")}`), host: member.node.host, port: 1, matchIndex: member.applied, lastContactMs: -1, lastCaughtUpMs: -1 }));
    return {
      clusterId: "cluster-of-the-test",
      nodeId: nodeId(id),
      directoryId: uuid(`v${String(id).padStart(21, "0")}`),
      role: id === this.leader ? "leader" : "follower",
      standing: "voter",
      term: this.term,
      leader: this.leader,
      commitIndex: this.log.length,
      appliedIndex: this.log.length,
      lastIndex: this.log.length,
      logStart: 1,
      voters: members,
      learners: [],
      repairing: false,
      notes: [],
    };
  }
}

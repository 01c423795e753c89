/**
 * The quorum as the World saw it: what every disk holds, who asked, granted and led by the messages that left, and what is committed. Committed is
 * what somebody was told to be so; whether it may be is for the invariants to say.
 */
import type { Membership } from "../../raft/types.js";
import { type EntryFact, EntryFacts, RaftNode, type SnapshotPoint, type Vote, type VoterKey } from "./raft-node.js";
import { readRaftWord, type RaftWord } from "./raft-wire.js";
import { Signal } from "./signal.js";

/** A message that promises or claims something, as it left; what the sender's disk had then. */
export interface Said {
  readonly node: RaftNode;
  readonly key: VoterKey;
  readonly to: number;
  readonly word: RaftWord;
}

export interface CommitTold {
  /** Who told; null where that is not a member of the quorum's log, as on the metadata feed. */
  readonly by: RaftNode;
  /** Of the leader that told; 0 on the feed. */
  readonly term: number;
  readonly index: number;
  /** The entry there; null: no disk has it. */
  readonly fact: EntryFact | null;
}

export interface MembersFact {
  readonly fact: EntryFact;
  readonly before: EntryFact | null;
}

export class RaftEvidence {
  readonly facts = new EntryFacts();
  readonly nodes = new Map<number, RaftNode>();
  /** By index; what stands at 0 is before everything. */
  readonly committed: (EntryFact | null)[] = [null];

  readonly onClash = new Signal<{ readonly node: RaftNode; readonly known: EntryFact; readonly text: string }>();
  readonly onEntry = new Signal<{ readonly node: RaftNode; readonly fact: EntryFact }>();
  readonly onCut = new Signal<{ readonly node: RaftNode; readonly facts: readonly EntryFact[] }>();
  readonly onVoteDurable = new Signal<{ readonly node: RaftNode; readonly key: VoterKey | null; readonly before: Vote | null; readonly now: Vote }>();
  readonly onSnapshot = new Signal<{ readonly node: RaftNode; readonly point: SnapshotPoint }>();
  /** A vote that was asked for or granted. */
  readonly onVote = new Signal<Said>();
  /** A follower's word about its log. */
  readonly onAppendAnswer = new Signal<Said>();
  /** The first message that somebody sends as the leader of a term. */
  readonly onLeads = new Signal<Said>();
  /** A commit index that is higher than any told before. */
  readonly onCommitTold = new Signal<CommitTold>();
  /** In order of index, once. */
  readonly onCommitted = new Signal<EntryFact>();
  /** A disk lost power, was wiped or damaged. */
  readonly onShaken = new Signal<RaftNode>();

  /** Term → whoever first led it. */
  readonly leaders = new Map<number, VoterKey>();
  readonly #led = new Set<string>();
  readonly #lastTold = new Map<number, { term: number; commit: number }>();

  addNode(node: RaftNode): void {
    this.nodes.set(node.id, node);
  }

  get committedEnd(): number {
    return this.committed.length - 1;
  }

  /** The term of the newest leader. */
  newestTerm = 0;

  /** A message that a node gave to the quorum's stream to another. */
  sent(node: RaftNode, to: number, bytes: Uint8Array): void {
    const word = readRaftWord(bytes);
    if (word === null || node.key === null) return;
    const said: Said = { node, key: node.key, to, word };
    switch (word.kind) {
      case "vote":
        return this.onVote.tell(said);
      case "vote-answer":
        if (word.two === 1) this.onVote.tell(said);
        return;
      case "append-answer":
        if (word.two === 1) this.onAppendAnswer.tell(said);
        return;
      case "append":
      case "snapshot":
        return this.#ledBy(said);
      default:
        return;
    }
  }

  /** A node said on the metadata feed that everything up to there is committed. */
  fedUpTo(node: RaftNode, index: number): void {
    if (index > this.committedEnd) this.#told(node, 0, index);
  }

  #ledBy(said: Said): void {
    const { node, key, word } = said;
    const name = `${word.term}/${key}`;
    if (!this.#led.has(name)) {
      this.#led.add(name);
      this.newestTerm = Math.max(this.newestTerm, word.term);
      this.onLeads.tell(said);
      if (!this.leaders.has(word.term)) this.leaders.set(word.term, key);
    }
    if (word.kind === "append" && word.five > this.committedEnd) this.#told(node, word.term, word.five);
  }

  #told(by: RaftNode, term: number, index: number): void {
    const last = this.#lastTold.get(by.id);
    if (last !== undefined && last.term === term && last.commit === index) return; // could not be resolved before either
    this.#lastTold.set(by.id, { term, commit: index });
    const fact = this.#entryMeant(by, term, index);
    this.onCommitTold.tell({ by, term, index, fact });
    if (fact !== null) this.#commit(fact);
  }

  /** Which entry a leader means by an index: of its own term, or what it has there. */
  #entryMeant(by: RaftNode, term: number, index: number): EntryFact | null {
    const own = this.facts.of(index, term) ?? by.writtenEntry(index);
    if (own !== null) return own;
    // Its own write is still under way, or it is told of by the feed: the entry that most disks have.
    return [...this.facts.at(index)].sort((a, b) => b.durableOn.size - a.durableOn.size || b.term - a.term)[0] ?? null;
  }

  #commit(last: EntryFact): void {
    const chain: EntryFact[] = [];
    for (let fact: EntryFact | null = last; fact !== null && fact.index > this.committedEnd; fact = this.facts.of(fact.index - 1, fact.previousTerm)) chain.push(fact);
    if (chain.at(-1)?.index !== this.committedEnd + 1) return; // a gap: the invariants were told
    for (const fact of chain.reverse()) {
      this.committed.push(fact);
      if (fact.members !== null) this.membersCommitted = fact;
      this.onCommitted.tell(fact);
    }
  }

  /** More may be committed than anybody was told on the quorum's wires: its leader, and who got an answer from it, know first. */
  get mayBeBehind(): boolean {
    return this.facts.at(this.committedEnd + 1).some((fact) => fact.inForce?.members != null && this.isQuorumOf(fact.inForce.members, fact));
  }

  /** The newest committed membership. */
  membersCommitted: EntryFact | null = null;

  /** The membership that the one of this entry follows in its log. */
  membersBefore(fact: EntryFact): EntryFact | null {
    return this.facts.of(fact.index - 1, fact.previousTerm)?.inForce ?? null;
  }

  /** Voters on whose disks an entry was at some time, of those of a membership. */
  isQuorumOf(members: Membership, fact: EntryFact): boolean {
    return members.voters.filter((voter) => this.hadDurably(`${voter.id}/${voter.directoryId}`, fact)).length * 2 > members.voters.length;
  }

  /** Its disk had that entry once, or a snapshot that holds it. */
  hadDurably(key: VoterKey, fact: EntryFact): boolean {
    return fact.durableOn.has(key) || (this.snapshotsOf.get(key) ?? 0) >= fact.index;
  }

  /** The highest index that a durable snapshot on that disk ever stood for. */
  readonly snapshotsOf = new Map<VoterKey, number>();

  snapshotSeen(node: RaftNode, point: SnapshotPoint): void {
    if (node.key !== null) this.snapshotsOf.set(node.key, Math.max(this.snapshotsOf.get(node.key) ?? 0, point.index));
    this.onSnapshot.tell({ node, point });
  }
}

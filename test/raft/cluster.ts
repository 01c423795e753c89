/**
 * Pure cores joined by queues, with disks that forget what was not synced. After every event the properties R1-R12 of reliability.md §2 are checked on
 * what all members did: judged by what was durable and what was sent, never by a member's own claim.
 */
import { nodeId, uuid } from "../../src/base/ids.js";
import { Entries } from "../../src/raft/core/entries.js";
import { maySubmit } from "../../src/raft/core/leader.js";
import { mayChange } from "../../src/raft/core/membership.js";
import { TIMING, type Effect, type Event, type Message, type Timing } from "../../src/raft/core/messages.js";
import { step } from "../../src/raft/core/raft.js";
import { nextReturn, withNewcomer } from "../../src/raft/core/returning.js";
import { makeRaft, nextTickMs, type Raft } from "../../src/raft/core/state.js";
import { encodeMembership, everyone, isQuorum, votersChanged } from "../../src/raft/members.js";
import { keyOf, ORIGIN, type Entry, type HardState, type LogPoint, type Member, type MemberKey, type Membership, type Snapshot } from "../../src/raft/types.js";
import { traceOf } from "./trace.js";

export type Draw = () => number;

/** A small generator, so that a seed is a bug report. */
export function drawer(seed: number): Draw {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function member(id: number, disk = 0): Member {
  return { id: nodeId(id), directoryId: uuid(`dir${String(id * 10 + disk).padStart(19, "0")}`), host: `n${id}`, port: 1 };
}

export interface TestSnapshot extends Snapshot {
  readonly data: Uint8Array;
}

interface TestDisk {
  hard: HardState;
  base: LogPoint;
  entries: Entry[];
  snapshots: TestSnapshot[]; // newest first, two at most
}

type Write = Extract<Effect, { do: "save" | "append" | "truncate" | "reset" | "compact" }>;

export interface Node {
  readonly member: Member;
  raft: Raft | null;
  incarnation: number;
  readonly disk: TestDisk;
  /** Writes not on the disk yet, and how many have been asked for in this incarnation. */
  pending: { readonly count: number; readonly write: Write }[];
  wanted: number;
  syncing: number | null;
  incoming: Uint8Array;
  installing: { readonly point: LogPoint; readonly total: number; readonly after: number } | null;
  applied: { readonly index: number; readonly text: string }[];
  /** Damaged, and not repaired since: it may lack what it acknowledged. */
  damaged: boolean;
  /** Wiped: the node came back as another member, and this one never will. */
  gone: boolean;
}

interface Sent {
  readonly message: Message;
  readonly incarnation: number;
}

/** A property was broken. */
export class Breach extends Error {}

const text = (entry: Entry) => (entry.kind === "members" ? "members" : Buffer.from(entry.payload).toString());

export class Cluster {
  now = 0;
  readonly nodes = new Map<MemberKey, Node>();
  /** Messages under way by `from>to`; `old` ones belong to a connection that is gone and come at any time. */
  readonly links = new Map<string, Sent[]>();
  readonly old = new Map<string, Sent[]>();
  readonly cut = new Set<string>();
  readonly leaders = new Map<number, MemberKey>();
  readonly votes = new Map<string, MemberKey>();
  readonly committed = new Map<number, string>(); // index → term:text
  /** The term in which it was first known to be committed. */
  readonly committedIn = new Map<number, number>();
  readonly seen = new Map<string, string>(); // index@term → text and the term before
  readonly trace: string[] = [];
  /** Costs more than the steps themselves, so only where somebody reads it. */
  tracing = false;
  readonly reads = new Map<number, { readonly atLeast: number; answer: number | "failed" | null }>();
  /** The membership by whose majority the newest commit was made: by log matching it holds all before it too. */
  members: Membership = { voters: [], learners: [] };
  #nextRead = 1;

  constructor(readonly draw: Draw, ids: readonly number[], readonly timing: Timing = TIMING, learners: readonly number[] = []) {
    const first: Entry = { index: 1, term: 1, kind: "members", payload: encodeMembership({ voters: ids.map((id) => member(id)), learners: learners.map((id) => member(id)) }) };
    for (const id of [...ids, ...learners]) this.add(member(id), [first]);
    for (const id of [...ids, ...learners]) this.start(keyOf(member(id)));
  }

  add(who: Member, entries: readonly Entry[]): Node {
    const disk: TestDisk = { hard: { term: 1, votedFor: null }, base: ORIGIN, entries: [...entries], snapshots: [] };
    const node: Node = {
      member: who, raft: null, incarnation: 0, disk, pending: [], wanted: 0, syncing: null, incoming: new Uint8Array(0), installing: null, applied: [], damaged: false, gone: false,
    };
    this.nodes.set(keyOf(who), node);
    return node;
  }

  // ------------------------------------------------------------------------------------------------ life

  start(key: MemberKey): void {
    const node = this.node(key);
    const { disk } = node;
    this.trace.push(`${node.member.id} starts`);
    const [snapshot = null, previousSnapshot = null] = disk.snapshots;
    const lastIndex = disk.base.index + disk.entries.length;
    const at = snapshot === null ? null : snapshot.index === disk.base.index ? disk.base.term : (disk.entries[snapshot.index - disk.base.index - 1]?.term ?? null);
    if (snapshot !== null && (snapshot.index > lastIndex || at !== snapshot.term)) {
      disk.base = { index: snapshot.index, term: snapshot.term };
      disk.entries = [];
    }
    const log = new Entries(disk.base, { index: snapshot?.index ?? 0, members: snapshot?.members ?? { voters: [], learners: [] } });
    for (const entry of disk.entries) log.append(entry);
    node.pending = [];
    node.wanted = 0;
    node.syncing = null;
    node.installing = null;
    node.incarnation++;
    node.applied = snapshot === null ? [] : stateOf(snapshot.data);
    node.raft = makeRaft(node.member, { hard: disk.hard, log, snapshot, previousSnapshot, damaged: node.damaged }, this.timing, this.draw, this.now);
    for (const other of this.alive()) {
      if (other === key) continue;
      this.event(other, { kind: "connected", peer: key });
      this.event(key, { kind: "connected", peer: other });
    }
  }

  /** Kills the process; with `refused` the others find its port closed. */
  crash(key: MemberKey, refused = true): void {
    this.node(key).raft = null;
    this.trace.push(`${this.node(key).member.id} dies`);
    for (const [link, queue] of this.links) {
      if (link.startsWith(`${key}>`)) this.old.set(link, [...(this.old.get(link) ?? []), ...queue]);
      if (link.startsWith(`${key}>`) || link.endsWith(`>${key}`)) queue.length = 0;
    }
    for (const link of [...this.old.keys()]) if (link.endsWith(`>${key}`)) this.old.delete(link);
    for (const other of this.alive()) this.event(other, { kind: "disconnected", peer: key, refused });
  }

  /** Its disk loses the last `count` entries although it acknowledged them. */
  damage(key: MemberKey, count: number): void {
    const node = this.node(key);
    node.damaged = true;
    node.disk.entries.splice(Math.max(0, node.disk.entries.length - count));
  }

  /** Its disk is empty from now on: the node is another member, that knows its cluster and nothing else. @returns its new key */
  wipe(key: MemberKey, disk: number): MemberKey {
    if (this.node(key).raft !== null) this.crash(key);
    const old = this.node(key);
    old.damaged = old.gone = true;
    old.disk.entries = [];
    old.disk.snapshots = [];
    const node = this.add(member(old.member.id, disk), []);
    node.disk.hard = { term: 0, votedFor: null };
    const fresh = keyOf(node.member);
    this.start(fresh);
    return fresh;
  }

  /** Does every node that was wiped vote again, and is that committed? */
  allReturned(): boolean {
    const voters = new Set(this.members.voters.map(keyOf));
    return [...this.nodes].every(([key, node]) => (node.gone ? !voters.has(key) : voters.has(key)) || ![...this.nodes.values()].some((one) => one.gone && one.member.id === node.member.id));
  }

  /** What the driver does with nodes that came on another disk: they are taken in, and the wiped get their vote back. */
  considerMembers(): void {
    const leader = this.leader();
    const raft = leader === null ? null : this.node(leader).raft;
    if (leader === null || raft === null) return;
    for (const { member: who, gone } of this.nodes.values()) {
      const known = everyone(raft.log.members).some((one) => keyOf(one) === keyOf(who));
      if (!gone && !known && who.id !== raft.self.id && [...this.nodes.values()].some((one) => one.gone && one.member.id === who.id)) this.change(withNewcomer(raft.log.members, who), leader);
    }
    const next = nextReturn(raft, this.now);
    if (next !== null) this.change(next.members, leader);
  }

  /** The connection breaks and is made again: what it carried is lost, or comes late. */
  reconnect(a: MemberKey, b: MemberKey): void {
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const link = `${from}>${to}`;
      this.old.set(link, [...(this.old.get(link) ?? []), ...(this.links.get(link) ?? [])]);
      this.links.set(link, []);
    }
    for (const [from, to] of [[a, b], [b, a]] as const) {
      if (this.node(from).raft !== null) this.event(from, { kind: "disconnected", peer: to, refused: false });
      if (this.node(from).raft !== null && this.node(to).raft !== null) this.event(from, { kind: "connected", peer: to });
    }
  }

  alive(): MemberKey[] {
    return [...this.nodes.keys()].filter((key) => this.node(key).raft !== null);
  }

  node(key: MemberKey): Node {
    const node = this.nodes.get(key);
    if (node === undefined) throw new Error(`no node ${key}`);
    return node;
  }

  leader(): MemberKey | null {
    const leading = this.alive().filter((key) => this.node(key).raft?.role.name === "leader");
    return leading.sort((a, b) => (this.node(b).raft?.term ?? 0) - (this.node(a).raft?.term ?? 0))[0] ?? null;
  }

  // ------------------------------------------------------------------------------------------------ events

  event(key: MemberKey, event: Event): void {
    const node = this.node(key);
    if (node.raft === null) return;
    const before = { commit: node.raft.commit, members: node.raft.log.members, membersIndex: node.raft.log.membersIndex };
    for (const effect of step(node.raft, event, this.now)) {
      if (this.tracing) this.trace.push(...traceOf(node.member.id, effect, node.raft));
      this.perform(key, node, effect);
    }
    if (node.pending.length > 0 && node.syncing === null) node.syncing = node.wanted;
    this.check(key, node, before);
  }

  private perform(key: MemberKey, node: Node, effect: Effect): void {
    switch (effect.do) {
      case "truncate":
        if (node.raft?.role.name === "leader") throw new Breach(`R9: leader ${key} cuts its log`);
        for (const entry of this.written(key, node).filter((one) => one.index >= effect.from)) {
          if (this.committed.get(entry.index) === `${entry.term}:${text(entry)}`) throw new Breach(`R10: ${key} cuts committed entry ${entry.index}`);
        }
        node.pending.push({ count: ++node.wanted, write: effect });
        return;
      case "save":
      case "append":
      case "reset":
      case "compact":
        node.pending.push({ count: ++node.wanted, write: effect });
        return;
      case "send":
        return this.post(key, effect.to, effect.message);
      case "send-chunk": {
        const of = node.disk.snapshots.find((one) => one.index === effect.snapshot.index);
        if (of === undefined) throw new Breach(`${key} sends a snapshot that is gone`);
        const { index, term } = effect.snapshot;
        const chunk = of.data.subarray(effect.position, effect.position + effect.bytes);
        return this.post(key, effect.to, { kind: "snapshot", term: effect.term, point: { index, term }, position: effect.position, total: of.bytes, chunk, round: effect.round });
      }
      case "store-chunk":
        node.incoming = effect.position === 0 ? effect.chunk : Buffer.concat([node.incoming, effect.chunk]);
        return;
      case "install":
        if (node.installing !== null) throw new Breach("two installs at once");
        node.installing = { ...effect, after: node.wanted };
        return;
      case "restore": {
        const { index, term } = effect.snapshot;
        if (node.raft?.role.name === "leader") throw new Breach("R11: a leader loads a snapshot");
        if ((node.applied.at(-1)?.index ?? 0) > index) throw new Breach("R11: a snapshot lowers what is applied");
        const known = this.committed.get(index);
        if (known !== undefined && !known.startsWith(`${term}:`)) throw new Breach("R11: a snapshot of what was not committed");
        node.applied = stateOf(node.disk.snapshots[0]?.data ?? new Uint8Array(0));
        return;
      }
      case "apply":
        for (const entry of effect.entries) this.apply(key, node, entry);
        return;
      case "lead":
        if (effect.self) this.lead(key, node, effect.term);
        return;
      case "read-ready":
      case "read-failed": {
        const read = this.reads.get(effect.id);
        if (read === undefined) return;
        read.answer = effect.do === "read-ready" ? effect.index : "failed";
        if (effect.do === "read-ready" && effect.index < read.atLeast) throw new Breach(`R13: a read at ${effect.index} misses what was committed at ${read.atLeast}`);
        return;
      }
      case "repaired":
        node.damaged = false;
        return;
    }
  }

  private apply(key: MemberKey, node: Node, entry: Entry): void {
    const value = `${entry.term}:${text(entry)}`;
    const known = this.committed.get(entry.index);
    if (known !== undefined && known !== value) throw new Breach(`R6: ${key} applies ${value} at ${entry.index}, another applied ${known}`);
    if (entry.index !== (node.applied.at(-1)?.index ?? 0) + 1) throw new Breach(`R6: ${key} applies ${entry.index} after ${node.applied.at(-1)?.index}`);
    this.committed.set(entry.index, value);
    if (known === undefined) this.committedIn.set(entry.index, node.raft?.term ?? 0);
    node.applied.push({ index: entry.index, text: value });
  }

  private lead(key: MemberKey, node: Node, term: number): void {
    const earlier = this.leaders.get(term);
    if (earlier !== undefined && earlier !== key) throw new Breach(`R1: ${key} and ${earlier} lead in term ${term}`);
    this.leaders.set(term, key);
    if (node.disk.hard.term !== term || node.disk.hard.votedFor !== key) throw new Breach(`R2: ${key} leads in ${term} before its own vote is durable`);
    for (const [index, value] of this.committed) {
      if ((this.committedIn.get(index) ?? 0) > term) continue; // votes that come late can make a leader of a term that is over: it commits nothing
      const entry = node.raft?.log.entry(index) ?? null;
      const covered = index <= (node.raft?.snapshot?.index ?? 0);
      if (!covered && (entry === null || `${entry.term}:${text(entry)}` !== value)) throw new Breach(`R5: ${key} leads in ${term} without committed entry ${index}`);
    }
  }

  private post(from: MemberKey, to: MemberKey, message: Message): void {
    const { disk, incarnation } = this.node(from);
    if ((message.kind === "vote-answer" && message.granted) || message.kind === "vote") {
      const choice = message.kind === "vote" ? from : to;
      const earlier = this.votes.get(`${from}@${message.term}`);
      if (earlier !== undefined && earlier !== choice) throw new Breach(`R2: ${from} votes twice in term ${message.term}`);
      this.votes.set(`${from}@${message.term}`, choice);
      if (disk.hard.term < message.term || (disk.hard.term === message.term && disk.hard.votedFor !== choice)) throw new Breach(`R2: ${from}'s vote in ${message.term} is not durable`);
    }
    if (!this.nodes.has(to) || this.node(to).raft === null || this.cut.has(`${from}>${to}`)) return;
    const queue = this.links.get(`${from}>${to}`) ?? [];
    queue.push({ message, incarnation });
    this.links.set(`${from}>${to}`, queue);
  }

  // ------------------------------------------------------------------------------------------------ disk

  finishSync(key: MemberKey): void {
    const node = this.node(key);
    if (node.raft === null || node.syncing === null) return;
    const writes = node.syncing;
    for (const { write } of node.pending.filter((one) => one.count <= writes)) this.write(key, node.disk, write);
    node.pending = node.pending.filter((one) => one.count > writes);
    node.syncing = null;
    this.event(key, { kind: "synced", writes });
  }

  private write(key: MemberKey, disk: TestDisk, write: Write): void {
    switch (write.do) {
      case "save":
        if (write.state.term < disk.hard.term) throw new Breach(`R3: the durable term of ${key} falls`);
        disk.hard = write.state;
        return;
      case "append":
        disk.entries.push(...write.entries);
        return;
      case "truncate":
        disk.entries.length = Math.max(0, write.from - disk.base.index - 1);
        return;
      case "reset":
        disk.base = write.to;
        disk.entries = [];
        return;
      case "compact":
        disk.entries = disk.entries.filter((entry) => entry.index > write.to.index);
        disk.base = write.to;
        return;
    }
  }

  finishInstall(key: MemberKey): void {
    const node = this.node(key);
    const { installing } = node;
    if (node.raft === null || installing === null) return;
    if (node.pending.some((one) => one.count <= installing.after)) return; // effects are in order: first what was wanted before
    node.installing = null;
    if (node.incoming.length !== installing.total) return this.event(key, { kind: "install-failed", point: installing.point });
    const { members } = JSON.parse(Buffer.from(node.incoming).toString()) as { members: Membership };
    const snapshot: TestSnapshot = { ...installing.point, members, bytes: installing.total, data: node.incoming };
    this.keepSnapshot(node, snapshot);
    const { data: _, ...plain } = snapshot;
    this.event(key, { kind: "installed", snapshot: plain });
  }

  private keepSnapshot(node: Node, snapshot: TestSnapshot): void {
    node.disk.snapshots = [snapshot, ...node.disk.snapshots.filter((one) => one.index !== snapshot.index)].sort((a, b) => b.index - a.index).slice(0, 2);
  }

  /** The member makes a snapshot of what it has applied. */
  compact(key: MemberKey): void {
    const node = this.node(key);
    const { raft } = node;
    if (raft === null || raft.applied <= (node.disk.snapshots[0]?.index ?? 0)) return;
    if (node.pending.some((one) => one.write.do === "save")) return; // the driver writes a snapshot after what was wanted before
    const members = raft.log.membersAt(raft.applied);
    const data = Buffer.from(JSON.stringify({ members, applied: node.applied }));
    const snapshot: TestSnapshot = { index: raft.applied, term: raft.log.termAt(raft.applied) ?? 0, members, bytes: data.length, data };
    this.keepSnapshot(node, snapshot);
    const { data: _, ...plain } = snapshot;
    this.event(key, { kind: "compacted", snapshot: plain });
  }

  // ------------------------------------------------------------------------------------------------ network and time

  deliver(link: string, queues = this.links): void {
    const [from = "", to = ""] = link.split(">");
    const next = queues.get(link)?.shift();
    if (next === undefined || this.cut.has(link)) return;
    // A peer takes nothing from an incarnation once it knows a newer one.
    if (this.node(from).raft !== null && next.incarnation !== this.node(from).incarnation) return;
    this.event(to, { kind: "message", from, message: next.message });
  }

  busy(queues = this.links): string[] {
    return [...queues].filter(([, queue]) => queue.length > 0).map(([link]) => link);
  }

  /** Lets time pass to the next timer of anybody. */
  tick(): void {
    const due = this.alive().map((key) => ({ key, at: nextTickMs(this.node(key).raft as Raft) })).sort((a, b) => a.at - b.at)[0];
    if (due === undefined) return;
    this.now = Math.max(this.now, due.at);
    this.event(due.key, { kind: "tick" });
  }

  propose(value: string, key = this.leader()): boolean {
    const raft = key === null ? null : this.node(key).raft;
    if (key === null || raft === null || !maySubmit(raft, value.length)) return false;
    this.event(key, { kind: "propose", entry: { kind: "data", payload: Buffer.from(value) } });
    return true;
  }

  change(to: Membership, key = this.leader()): boolean {
    const raft = key === null ? null : this.node(key).raft;
    if (key === null || raft === null || !mayChange(raft, to)) return false;
    this.event(key, { kind: "propose", entry: { kind: "members", payload: encodeMembership(to) } });
    return true;
  }

  read(key: MemberKey): number {
    const id = this.#nextRead++;
    this.reads.set(id, { atLeast: Math.max(0, ...this.committed.keys()), answer: null });
    this.event(key, { kind: "read", id });
    return id;
  }

  /** Delivers and syncs all there is, without time passing. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const key of this.alive()) {
        if (this.node(key).installing !== null) {
          this.finishInstall(key);
          busy = true;
        }
        if (this.node(key).syncing === null) continue;
        this.finishSync(key);
        busy = true;
      }
      for (const link of this.busy()) {
        this.deliver(link);
        busy = true;
      }
    }
  }

  /** Everything works again, and time passes. */
  heal(ticks: number): void {
    this.cut.clear();
    this.old.clear();
    for (const key of this.nodes.keys()) if (this.node(key).raft === null && !this.node(key).gone) this.start(key);
    for (let i = 0; i < ticks; i++) {
      this.settle();
      this.considerMembers();
      this.tick();
    }
    this.settle();
  }

  // ------------------------------------------------------------------------------------------------ properties

  /** The log as it will be when all that is wanted is written. */
  private written(key: MemberKey, node: Node): readonly Entry[] {
    const disk = { ...node.disk, entries: [...node.disk.entries] };
    for (const { write } of node.pending) this.write(key, disk, write);
    return disk.entries;
  }

  private holds(node: Node, index: number, value: string): boolean {
    if ((node.disk.snapshots[0]?.index ?? 0) >= index) return true;
    const entry = node.disk.entries[index - node.disk.base.index - 1];
    return entry !== undefined && `${entry.term}:${text(entry)}` === value;
  }

  private check(key: MemberKey, node: Node, before: { readonly commit: number; readonly members: Membership; readonly membersIndex: number }): void {
    const { raft } = node;
    if (raft === null) return;
    // R4: index and term tell the content and what came before, on all nodes, for all time.
    for (let index = Math.max(raft.log.base.index + 1, raft.log.last.index - 3); index <= raft.log.last.index; index++) {
      const entry = raft.log.entry(index);
      if (entry === null) continue;
      const value = `${text(entry)} after ${raft.log.termAt(index - 1)}`;
      const at = `${index}@${entry.term}`;
      const known = this.seen.get(at);
      if (known !== undefined && known !== value) throw new Breach(`R4: ${at} is ${value} on ${key}, ${known} elsewhere`);
      this.seen.set(at, value);
    }
    if (raft.role.name !== "leader") return;
    if (raft.commit > before.commit) {
      if (raft.log.termAt(raft.commit) !== raft.term) throw new Breach(`R7: ${key} commits ${raft.commit} of another term`);
      const entry = raft.log.entry(raft.commit);
      const value = entry === null ? "" : `${entry.term}:${text(entry)}`;
      const has = (one: MemberKey) => this.nodes.has(one) && this.holds(this.node(one), raft.commit, value);
      const damaged = [...this.nodes.values()].filter((one) => one.damaged).map((one) => keyOf(one.member));
      if (!isQuorum(raft.log.members, (one) => has(one) || damaged.includes(one))) throw new Breach(`R7: ${key} commits ${raft.commit} without a durable quorum`);
      this.members = raft.log.members;
    }
    if (raft.log.membersIndex > before.membersIndex && raft.log.last.index === raft.log.membersIndex) {
      if (votersChanged(before.members, raft.log.members) > 1) throw new Breach("R12: more than one voter changed");
      if (before.membersIndex > raft.commit || raft.commit < raft.role.firstIndex) throw new Breach("R12: changed before the last change, or an own entry, was committed");
    }
  }

  /** R8: what is committed is on a majority of the voters' disks, those known to be damaged excepted. */
  checkDurable(): void {
    if (this.members.voters.length === 0) return;
    for (const [index, value] of this.committed) {
      const ok = isQuorum(this.members, (key) => this.nodes.has(key) && (this.node(key).damaged || this.holds(this.node(key), index, value)));
      if (!ok) throw new Breach(`R8: committed entry ${index} is not on a majority of disks`);
    }
  }

  states(): string[] {
    const raft = this.node(this.leader() ?? "").raft;
    const members = raft === null ? [] : everyone(raft.log.members);
    return members.filter((one) => this.nodes.has(keyOf(one))).map((one) => this.node(keyOf(one)).applied.map((entry) => entry.text).join(","));
  }
}

function stateOf(data: Uint8Array): { index: number; text: string }[] {
  return (JSON.parse(Buffer.from(data).toString()) as { applied: { index: number; text: string }[] }).applied;
}

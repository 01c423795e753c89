/**
 * The dull loop around the core: one event, its effects in order, the next event. Two things take time and have a lane each: the disk, where all writes that
 * have gathered become durable as one group, and the state machine, which gets what is committed in order.
 */
import { assert, unreachable } from "../base/assert.js";
import { uuidFromBytes, type NodeId } from "../base/ids.js";
import type { Timer } from "../world/clock.js";
import type { RpcAddress } from "../world/rpc.js";
import type { World } from "../world/world.js";
import { Applying, type Delivery } from "./applying.js";
import { maySubmit } from "./core/leader.js";
import { mayChange } from "./core/membership.js";
import { TIMING, type Effect, type Event, type Timing } from "./core/messages.js";
import { step } from "./core/raft.js";
import { nextReturn, withNewcomer } from "./core/returning.js";
import { makeRaft, nextTickMs, type Raft } from "./core/state.js";
import { decideFounding, expectedOf } from "./founding.js";
import { adoptCluster, openDisk, type Opened, type Place } from "./joining.js";
import type { Identity } from "./identity.js";
import { encodeMembership, everyone } from "./members.js";
import { Peers } from "./peers.js";
import type { ChangeResult, Proposal, Quorum, QuorumConfig, QuorumInspection, QuorumStatus, ReadPoint, StateMachine, VoterChange } from "./quorum.js";
import { describeQuorum, idOf } from "./status.js";
import type { RaftStore, Write } from "./store.js";
import { keyOf, type Entry, type Index, type LogPoint, type Member, type Membership } from "./types.js";
import { nextMembership } from "./voter-change.js";
import { PendingChanges, PendingReads } from "./waiting.js";
import type { Hello } from "./wire.js";

const SNAPSHOT_ENTRIES = 20_000;
const SNAPSHOT_BYTES = 32 << 20;
const SEGMENT_BYTES = 8 << 20;

/** Opens the disk, then joins, founds or goes on. Resolves at once: who leads is told by `leadership`. @throws IdentityError for a disk of another node */
export async function startQuorum(world: World, config: QuorumConfig, machine: StateMachine): Promise<Quorum> {
  const place: Place = { directory: config.directory, nodeId: config.nodeId, segmentBytes: config.segmentBytes ?? SEGMENT_BYTES };
  const { electionMs, heartbeatMs, returnAfterMs } = { ...TIMING, ...config };
  const timing: Timing = { ...TIMING, electionMs, heartbeatMs, returnAfterMs };
  assert(config.peers.some((peer) => peer.id === config.nodeId), "this node is one of the expected peers");
  const opened = await openDisk(world, place);
  const driver = new Driver(world, config, machine, place, timing, opened.identity);
  if (opened.store !== null) driver.open(opened);
  driver.begin();
  return driver;
}

class Driver implements Quorum {
  readonly #peers: Peers;
  readonly #heard = new Map<NodeId, Hello>();
  #raft: Raft | null = null;
  #store: RaftStore | null = null;
  #identity: Identity;
  #adopting = false;
  #refusal: string | null = null;

  readonly #events: Event[] = [];
  #stepping = false;
  #timer: Timer | null = null;
  #armedForMs = 0;
  #linkedAt = -1; // index of the membership whose members are linked

  #writes: Write[] = [];
  #writesWanted = 0;
  #syncing: Promise<void> | null = null;
  #syncBegunMs = 0;
  #watchdog: Timer | null = null;

  readonly #applying: Applying;
  readonly #reads = new PendingReads();
  readonly #changes = new PendingChanges();
  #installing: Promise<void> | null = null;
  #onLead: (() => boolean)[] = [];
  #closing = false;
  #closed = false;

  constructor(
    readonly world: World,
    readonly config: QuorumConfig,
    readonly machine: StateMachine,
    readonly place: Place,
    readonly timing: Timing,
    identity: Identity,
  ) {
    this.#identity = identity;
    this.#peers = new Peers(world, {
      hello: () => this.#hello(),
      isExpected: (id) => this.#isExpected(id),
      onHello: (hello) => this.#onHello(hello),
      onMessage: (from, message) => this.#event({ kind: "message", from, message }),
      onConnected: (peer) => this.#event({ kind: "connected", peer }),
      onDisconnected: (peer, refused) => this.#event({ kind: "disconnected", peer, refused }),
    });
    this.#applying = new Applying(world, machine, { entries: config.snapshotEntries ?? SNAPSHOT_ENTRIES, bytes: config.snapshotBytes ?? SNAPSHOT_BYTES }, {
      onApplied: (entry) => this.#onApplied(entry),
      onRestored: (point) => this.#onReached(point),
      onTold: (delivery) => this.#onTold(delivery),
      written: () => this.#written(),
      snapshots: () => this.#openStore.snapshots,
      membersAt: (index) => this.#openRaft.log.membersAt(index),
      onSnapshot: (snapshot) => this.#event({ kind: "compacted", snapshot }),
    });
    const gauge = (name: string, help: string, read: (raft: Raft) => number) => world.meter.observe(`kontiki_raft_${name}`, help, () => (this.#raft === null ? 0 : read(this.#raft)));
    gauge("term", "Term of the metadata quorum.", (raft) => raft.term);
    gauge("leader", "1 while this node leads the metadata quorum.", (raft) => (raft.role.name === "leader" ? 1 : 0));
    gauge("commit_index", "Index of the last committed entry.", (raft) => raft.commit);
    gauge("applied_index", "Index of the last entry applied here.", () => this.#applying.index);
    gauge("last_index", "Index of the last entry here.", (raft) => raft.log.last.index);
    gauge("durable_index", "Index of the last entry on this disk.", (raft) => raft.writing.durable);
  }

  open(opened: Opened): void {
    const { identity, store, restored } = opened;
    this.#identity = identity;
    this.#store = store;
    this.#raft = makeRaft(this.#self(), restored, this.timing, () => this.world.random.fraction(), this.world.clock.nowMs());
    if (restored.snapshot !== null) this.#applying.push({ do: "restore", snapshot: restored.snapshot });
  }

  begin(): void {
    this.#link();
    this.#considerFounding();
    this.#afterSteps();
  }

  // ------------------------------------------------------------------------------------------------ for the controller

  propose(payload: Uint8Array): Proposal {
    const raft = this.#raft;
    if (this.#closing || raft === null || raft.role.name !== "leader" || raft.role.transfer !== null) return { ok: false, error: "not-leader", leader: idOf(raft?.leader ?? null) };
    if (!maySubmit(raft, payload.length)) return { ok: false, error: "busy", leader: this.config.nodeId };
    assert(!this.#stepping, "nobody proposes from within a step");
    const { term } = raft;
    this.#event({ kind: "propose", entry: { kind: "data", payload } });
    return { ok: true, index: raft.log.last.index, term };
  }

  readIndex(): Promise<ReadPoint> {
    if (this.#raft === null || this.#closed) return Promise.resolve({ ok: false });
    return new Promise((resolve) => this.#event({ kind: "read", id: this.#reads.add(resolve) }));
  }

  async changeVoters(change: VoterChange): Promise<ChangeResult> {
    const raft = this.#raft;
    if (raft === null || raft.role.name !== "leader") return { ok: false, error: "not-leader", message: "this node does not lead the quorum" };
    const next = nextMembership(raft, change, this.world.clock.nowMs());
    if (!next.ok) return next;
    return this.#changeMembers(next.members);
  }

  #changeMembers(members: Membership): Promise<ChangeResult> {
    const raft = this.#raft;
    const term = raft?.term ?? 0;
    const index = this.#proposeMembers(members);
    if (index === null) return Promise.resolve({ ok: false, error: "in-progress", message: "another change, or the first entry of this term, is not committed yet" });
    return new Promise((resolve) => this.#changes.add(index, term, resolve));
  }

  /** @returns where the change lies in the log; null when none may be made now */
  #proposeMembers(members: Membership): Index | null {
    const raft = this.#raft;
    const payload = encodeMembership(members);
    if (raft === null || this.#closed || !mayChange(raft, members) || !maySubmit(raft, payload.length)) return null;
    const index = raft.log.last.index + 1;
    this.#event({ kind: "propose", entry: { kind: "members", payload } });
    return index;
  }

  async transferLeadership(to?: NodeId): Promise<boolean> {
    const raft = this.#raft;
    if (raft === null || raft.role.name !== "leader") return true;
    const heir = to === undefined ? null : (raft.log.members.voters.find((one) => one.id === to) ?? null);
    if (to !== undefined && heir === null) return false;
    this.#event({ kind: "transfer", to: heir === null ? null : keyOf(heir) });
    await new Promise<void>((resolve) => {
      const timer = this.world.clock.after(this.timing.electionMs, resolve);
      this.#onLead.push(() => {
        if (raft.role.name === "leader") return false;
        timer.cancel();
        resolve();
        return true;
      });
    });
    return !this.#leads;
  }

  get #leads(): boolean {
    return this.#raft?.role.name === "leader";
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const raft = this.#raft;
    if (raft !== null && this.#leads && raft.log.members.voters.length > 1) await this.transferLeadership();
    this.#closed = true;
    this.#timer?.cancel();
    this.#watchdog?.cancel();
    this.#peers.close();
    this.#reads.failAll();
    this.#changes.giveUp();
    await this.#applying.close();
    await this.#installing;
    await this.#syncing;
    this.#store?.close();
  }

  status(): QuorumStatus {
    return describeQuorum({
      raft: this.#raft, identity: this.#identity, peers: this.config.peers, applied: this.#applying.index, refusal: this.#refusal, heard: this.#heard,
      nowMs: this.world.clock.nowMs(), wallMs: this.world.clock.wallMs(),
    });
  }

  inspect(): QuorumInspection {
    const raft = this.#raft;
    return {
      ...this.status(), durableIndex: raft?.writing.durable ?? 0, heldPromises: raft?.writing.held.length ?? 0, pendingReads: this.#reads.size, pendingChanges: this.#changes.size,
      openStreams: this.#peers.openStreams, queuedEvents: this.#events.length, queuedWrites: this.#writes.length, queuedDeliveries: this.#applying.queued, stalled: raft?.stalled ?? false,
    };
  }

  // ------------------------------------------------------------------------------------------------ the loop

  #event(event: Event): void {
    if (this.#raft === null || this.#closed) return;
    this.#events.push(event);
    if (this.#stepping) return; // taken up by the loop below
    this.#stepping = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        for (const effect of step(this.#raft, next, this.world.clock.nowMs())) this.#perform(effect);
      }
    } catch (error) {
      this.world.halt("the quorum's core failed", error);
      throw error;
    } finally {
      this.#stepping = false;
    }
    this.#afterSteps();
  }

  #afterSteps(): void {
    const raft = this.#raft;
    if (raft !== null && raft.log.membersIndex !== this.#linkedAt) {
      this.#linkedAt = raft.log.membersIndex;
      this.#link();
    }
    this.#considerReturning();
    this.#beginSync();
    this.#applying.begin();
    this.#arm();
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "save":
      case "append":
      case "truncate":
      case "reset":
      case "compact":
        this.#writes.push(effect);
        this.#writesWanted++;
        return;
      case "send":
        return this.#peers.send(effect.to, effect.message);
      case "send-chunk":
        return this.world.own(this.#sendChunk(effect), "sending a snapshot");
      case "store-chunk":
        if (!this.#openStore.snapshots.storeChunk(effect.position, effect.chunk)) this.#events.push({ kind: "install-failed", point: effect.point });
        return;
      case "install":
        this.#installing = this.#install(effect);
        return this.world.own(this.#installing, "installing a snapshot");
      case "repaired":
        this.world.logger.info({ index: this.#raft?.writing.durable }, "the quorum's log is whole again: this node votes as before");
        return this.world.own(this.#openStore.repaired(), "ending the repair of the log");
      case "apply":
      case "restore":
      case "lead":
      case "read-ready":
      case "read-failed":
        return this.#applying.push(effect);
      default:
        unreachable(effect);
    }
  }

  get #openStore(): RaftStore {
    assert(this.#store !== null, "a core has a store");
    return this.#store;
  }

  get #openRaft(): Raft {
    assert(this.#raft !== null, "what is applied came from a core");
    return this.#raft;
  }

  /** A timer that is early costs one idle tick, so it is left alone when the next one moves away, as with each append that is heard. */
  #arm(): void {
    if (this.#closed || this.#raft === null) return;
    const atMs = nextTickMs(this.#raft);
    if (this.#timer !== null && atMs >= this.#armedForMs) return;
    this.#timer?.cancel();
    this.#armedForMs = atMs;
    this.#timer = this.world.clock.after(Math.max(0, atMs - this.world.clock.nowMs()), () => {
      this.#timer = null;
      this.#event({ kind: "tick" });
    });
  }

  // ------------------------------------------------------------------------------------------------ disk

  #beginSync(): void {
    if (this.#syncing !== null || this.#writes.length === 0 || this.#closed) return;
    this.#syncing = this.#sync();
    this.world.own(this.#syncing, "writing the quorum's log");
  }

  /** What is wanted while a group is being written makes up the next one. The watchdog does not wait behind it. */
  async #sync(): Promise<void> {
    while (this.#writes.length > 0) {
      const writes = this.#writes;
      const count = this.#writesWanted;
      this.#writes = [];
      this.#syncBegunMs = this.world.clock.nowMs();
      this.#watchdog ??= this.#watch(this.timing.electionMs);
      await this.#openStore.write(writes);
      if (this.#raft?.stalled === true) this.#event({ kind: "disk", stalled: false });
      this.#event({ kind: "synced", writes: count });
    }
    this.#syncing = null;
  }

  /** One timer for as long as there are syncs: each that ends in time only moves it away, and it finds that out when it fires. */
  #watch(delayMs: number): Timer {
    return this.world.clock.after(delayMs, () => {
      this.#watchdog = null;
      if (this.#syncing === null || this.#closed || this.#raft?.stalled === true) return;
      const leftMs = this.#syncBegunMs + this.timing.electionMs - this.world.clock.nowMs();
      if (leftMs > 0) {
        this.#watchdog = this.#watch(leftMs);
        return;
      }
      this.world.logger.warn({ stalledMs: this.timing.electionMs }, "the quorum's disk has stalled: this node does not lead until it goes on");
      this.#event({ kind: "disk", stalled: true });
    });
  }

  /** What is wanted by now is on the disk: a snapshot of a term that is not there yet would look like a lost vote at the next start. */
  async #written(): Promise<void> {
    this.#beginSync();
    await this.#syncing;
  }

  async #sendChunk(chunk: Extract<Effect, { do: "send-chunk" }>): Promise<void> {
    const { snapshot, position, term, round } = chunk;
    const bytes = await this.#openStore.snapshots.readChunk(snapshot, position, chunk.bytes);
    if (bytes === null) return this.#event({ kind: "connected", peer: chunk.to }); // replaced meanwhile: that follower is asked anew, and gets the newer one
    this.#peers.send(chunk.to, { kind: "snapshot", term, point: { index: snapshot.index, term: snapshot.term }, position, total: snapshot.bytes, chunk: bytes, round });
  }

  async #install({ point, total }: Extract<Effect, { do: "install" }>): Promise<void> {
    await this.#written();
    if (this.#closed) return;
    const snapshot = await this.#openStore.snapshots.install(point, total);
    if (snapshot === null) this.world.logger.warn({ index: point.index }, "a snapshot from the leader arrived damaged: it is asked for again");
    this.#event(snapshot === null ? { kind: "install-failed", point } : { kind: "installed", snapshot });
  }

  // ------------------------------------------------------------------------------------------------ state machine

  #onApplied(entry: Entry): void {
    this.#onReached(entry);
    if (entry.kind === "members") this.#considerLearners();
  }

  #onReached(point: LogPoint): void {
    this.#reads.reached(point.index);
    this.#changes.reached(point);
  }

  #onTold(delivery: Exclude<Delivery, { do: "apply" | "restore" }>): void {
    switch (delivery.do) {
      case "lead": {
        const { term, self, ready } = delivery;
        const leader = idOf(delivery.leader);
        this.world.logger.info({ leader, term, self, ready }, leader === null ? "the quorum has no leader" : ready ? "this node leads the quorum" : "the quorum has a leader");
        this.#onLead = this.#onLead.filter((settle) => !settle());
        if (!self) this.#changes.giveUp();
        this.machine.leadership({ leader, term, self, ready });
        if (ready) this.#considerLearners();
        return;
      }
      case "read-ready":
        this.#reads.confirm(delivery.id, delivery.index);
        return this.#reads.reached(this.#applying.index);
      case "read-failed":
        return this.#reads.fail(delivery.id);
      default:
        unreachable(delivery);
    }
  }

  // ------------------------------------------------------------------------------------------------ members

  #self(): Member {
    const own = this.config.peers.find((peer) => peer.id === this.config.nodeId);
    return { id: this.config.nodeId, directoryId: this.#identity.directoryId, host: own?.host ?? "", port: own?.port ?? 0 };
  }

  #hello(): Hello {
    const { clusterId, directoryId, starts } = this.#identity;
    return { clusterId, nodeId: this.config.nodeId, directoryId, starts, expected: expectedOf(this.config.peers) };
  }

  #isExpected(id: NodeId): boolean {
    return this.config.peers.some((peer) => peer.id === id) || (this.#raft !== null && everyone(this.#raft.log.members).some((one) => one.id === id));
  }

  /** Links to all that are expected or members. Where settings and log disagree about an address, both are tried. */
  #link(): void {
    const wanted = new Map<NodeId, RpcAddress[]>();
    for (const { id, host, port } of [...this.config.peers, ...(this.#raft === null ? [] : everyone(this.#raft.log.members))]) {
      if (id === this.config.nodeId) continue;
      const addresses = wanted.get(id) ?? [];
      if (!addresses.some((one) => one.host === host && one.port === port)) addresses.push({ host, port });
      wanted.set(id, addresses);
    }
    this.#peers.keep(wanted);
  }

  #onHello(hello: Hello): void {
    const known = this.#heard.get(hello.nodeId);
    // Of two streams of one node the later incarnation speaks; another disk is judged by the newest hello.
    if (known !== undefined && known.directoryId === hello.directoryId && known.starts > hello.starts) return;
    this.#heard.set(hello.nodeId, hello);
    if (this.#raft === null) this.#considerFounding();
    else this.#considerLearners();
  }

  #considerFounding(): void {
    if (this.#raft !== null || this.#adopting || this.#closed) return;
    const decision = decideFounding(this.#hello(), this.config.peers.map((peer) => peer.id), this.#heard);
    switch (decision.do) {
      case "wait":
        this.#refusal = decision.missing.length === 0 ? null : `waiting for node ${decision.missing.join(", ")} before a cluster is founded`;
        return;
      case "refuse":
        if (decision.reason !== this.#refusal) this.world.logger.error({ reason: decision.reason }, "no cluster can be founded or joined");
        this.#refusal = decision.reason;
        return;
      case "join":
        return this.world.own(this.#adopt(decision.clusterId, null), "joining the cluster");
      case "found": {
        const voters = this.config.peers.map((peer): Member => {
          const directoryId = peer.id === this.config.nodeId ? this.#identity.directoryId : this.#heard.get(peer.id)?.directoryId;
          assert(directoryId !== undefined, "every expected peer has said who it is");
          return { id: peer.id, directoryId, host: peer.host, port: peer.port };
        });
        return this.world.own(this.#adopt(uuidFromBytes(this.world.random.bytes(16)), { voters, learners: [] }), "founding the cluster");
      }
      default:
        unreachable(decision);
    }
  }

  async #adopt(clusterId: string, founders: Membership | null): Promise<void> {
    this.#adopting = true;
    this.#refusal = null;
    const opened = await adoptCluster(this.world, this.place, this.#identity, clusterId, founders);
    if (this.#closed) return opened.store.close();
    this.#adopting = false;
    this.open(opened);
    this.world.logger.info({ cluster: clusterId, directory: opened.identity.directoryId }, founders === null ? "joined the cluster" : "founded the cluster");
    this.#peers.greet();
    // The founder, whose log alone has the members, asks for votes as soon as somebody has adopted the cluster; alone it need not wait.
    if (founders !== null && this.#raft !== null) this.#raft.electionAtMs = this.world.clock.nowMs();
    this.#afterSteps();
  }

  /** A node of our cluster on a disk that is no member is taken in as a learner. It stays one, unless it voted before on another disk: core/returning.ts. */
  #considerLearners(): void {
    const raft = this.#raft;
    if (raft === null || raft.role.name !== "leader" || this.#stepping) return;
    for (const [id, hello] of [...this.#heard].sort(([a], [b]) => a - b)) {
      const { voters, learners } = raft.log.members;
      const peer = this.config.peers.find((one) => one.id === id);
      if (peer === undefined || id === this.config.nodeId || hello.clusterId !== this.#identity.clusterId || [...voters, ...learners].some((one) => keyOf(one) === keyOf({ id: hello.nodeId, directoryId: hello.directoryId }))) continue;
      const next = withNewcomer(raft.log.members, { id, directoryId: hello.directoryId, host: peer.host, port: peer.port });
      if (this.#proposeMembers(next) === null) return; // asked again when an entry of members, or our first one, is applied
      this.world.logger.warn({ node: id, directory: hello.directoryId, voter: voters.some((one) => one.id === id) }, "a node came on a disk that is no member: it follows as a learner and does not vote");
    }
  }

  /** Heartbeats are answered as long as there is a learner, so no timer is needed. */
  #considerReturning(): void {
    const raft = this.#raft;
    if (raft === null || this.#closing || this.#stepping) return;
    const next = nextReturn(raft, this.world.clock.nowMs());
    if (next === null || this.#proposeMembers(next.members) === null) return;
    const fields = { node: next.who.id, directory: next.who.directoryId, before: next.who.replaces };
    if (next.step === "old-leaves") this.world.logger.warn(fields, "the old disk of a wiped voter leaves the quorum: its new one has caught up");
    else if (next.step === "votes") this.world.logger.info(fields, "a wiped voter votes again, on its new disk");
    else this.world.logger.info(fields, "a voter is back on its old disk: the learner that stood for it is dropped");
  }
}


/**
 * The active controller: sessions of brokers, decisions, liveness, upkeep; and on every controller the metadata feed.
 *
 *   broker ──session──▶ decide(newest image) ──propose──▶ quorum ──commit──▶ replay ──▶ feed ──▶ brokers
 */
import { unreachable } from "../base/assert.js";
import type { NodeId, Uuid } from "../base/ids.js";
import type { AdminCommand, AdminReply } from "../coordination/admin.js";
import type { QuorumMember } from "../coordination/coordination.js";
import type { ClusterImage } from "../metadata/cluster-image.js";
import type { ChangeLog } from "../metadata/changes.js";
import type { MetadataRecord } from "../metadata/records.js";
import type { Leadership, MemberStatus, Quorum } from "../raft/quorum.js";
import type { Timer } from "../world/clock.js";
import type { RpcStream } from "../world/rpc.js";
import type { World } from "../world/world.js";
import { Comings } from "./comings.js";
import { decideIncremental, decideReplace } from "./decide/configs.js";
import type { DecideContext, Decision } from "./decide/context.js";
import { decideElections, rebalanceRecords, recoverRecords, waitsForEnds, type ReportedEnd } from "./decide/elections.js";
import { decideIsr } from "./decide/isr.js";
import { decideCreatePartitions, decideCreateTopics, decideDeleteTopics } from "./decide/topics.js";
import { Liveness } from "./liveness.js";
import { MetadataMachine, type Outcome } from "./machine.js";
import { checkedQuestion, decodeCall, encodeCall, FEED, SESSION, WireError, type FeedQuestion, type Question, type Reply } from "./wire.js";

export interface ControllerSettings {
  has(name: string): boolean;
  text(name: string): string | null;
  number(name: string): number;
  flag(name: string): boolean;
}

export interface ControllerInspection {
  readonly active: boolean;
  readonly position: bigint;
  /** Position of the newest image, committed or not; null while not active. */
  readonly proposed: bigint | null;
  /** Decisions whose commit is awaited. */
  readonly unanswered: number;
  readonly sessions: readonly { readonly broker: NodeId; readonly epoch: bigint; readonly applied: bigint; readonly caughtUpAt: bigint; readonly stopped: bigint | "moving" | null; readonly open: number }[];
  readonly fencing: readonly NodeId[];
  /** Brokers with something under way. */
  readonly lanes: number;
  readonly waitingForEnds: number;
  readonly followers: number;
  readonly liveness: ReturnType<Liveness["inspect"]>;
}

interface Session {
  readonly stream: RpcStream;
  broker: NodeId | null;
  epoch: bigint;
  goodbye: boolean;
  /** It is unfenced once its image is here: at its registration, and at what fenced it since. */
  caughtUpAt: bigint;
  /** Position of the broker's image, as its last heartbeat said. */
  applied: bigint;
  /** "moving" while its leaders go elsewhere, then the position of the last batch of that; null while it does not want to stop. */
  stopped: bigint | "moving" | null;
  open: number;
}

const MIN_ISR = "min.insync.replicas";
/** Questions of one session that are not answered yet. */
const SESSION_OPEN_MAX = 10_000;
/** A block takes some ten milliseconds, with its record, its replay and its commit. */
const BLOCK_PARTITIONS = 1_500;
const PRODUCER_IDS = 1000n;
const REBALANCE_LIMIT = 1_000;
const QUESTION_MAX_BYTES = 64 * 1024 * 1024;

export class ControllerService {
  readonly machine: MetadataMachine;
  readonly #liveness: Liveness;
  readonly #sessions = new Map<NodeId, Session>();
  readonly #ends = new Map<string, Map<NodeId, ReportedEnd>>();
  readonly #comings: Comings;
  readonly #context: DecideContext;
  #quorum: Quorum | null = null;
  #rebalance: Timer | null = null;
  #active = false;

  /** @param blockPartitions partitions that are decided at once, when a broker comes or goes that has many */
  constructor(readonly world: World, readonly settings: ControllerSettings, blockPartitions = BLOCK_PARTITIONS) {
    this.#context = {
      defaults: { brokerId: null, given: (name) => (settings.has(name) ? settings.text(name) : null) },
      setting: (name) => settings.text(name),
      below: (end) => world.random.below(end),
      uuid: () => world.random.uuid(),
    };
    // Controllers and leaders must count by the same number: see keptMinIsr in decide/configs.ts.
    const founding = (): readonly MetadataRecord[] => [{ kind: "config-changed", type: "broker", name: "", changes: [{ name: MIN_ISR, value: settings.text(MIN_ISR) ?? "1" }] }];
    this.machine = new MetadataMachine(world, founding, (change) => this.#onLeadership(change), (image, changes) => this.#onApplied(image, changes));
    this.#comings = new Comings(world, this.machine, this.#context, blockPartitions, {
      onFenced: (id, epoch, position) => {
        const session = this.#sessions.get(id);
        if (session?.epoch === epoch) session.caughtUpAt = position;
      },
      onUnfenced: (id) => this.#liveness.heard(id), // it waited for its turn, and had no lease to lose until now
    });
    this.#liveness = new Liveness(world, () => settings.number("broker.session.timeout.ms"), () => this.machine.newest, (id, epoch, how) => this.#onDead(id, epoch, how));
    world.rpc.serve(SESSION, (stream) => this.#accept(stream));
    world.rpc.serve(FEED, (stream) => this.#feed(stream));
    world.meter.observe("kontiki_controller_active", "1 while this node is the active controller.", () => (this.#active ? 1 : 0));
    world.meter.observe("kontiki_controller_topics", "Topics of the cluster.", () => this.machine.image.topicCount);
    world.meter.observe("kontiki_controller_partitions", "Partitions of the cluster.", () => this.machine.image.partitionCount);
    world.meter.observe("kontiki_controller_unclean_elections_total", "Leaders elected outside ISR and ELR.", () => this.machine.image.uncleanElections);
  }

  attach(quorum: Quorum): void {
    this.#quorum = quorum;
    this.machine.attach(quorum);
  }

  /** Plain data for simulators and tests; no effects. */
  inspect(): ControllerInspection {
    const { image, newest } = this.machine;
    return {
      active: this.#active,
      position: image.position,
      proposed: newest === null ? null : newest.position,
      unanswered: this.machine.unanswered,
      sessions: [...this.#sessions].sort(([a], [b]) => a - b).map(([broker, { epoch, applied, caughtUpAt, stopped, open }]) => ({ broker, epoch, applied, caughtUpAt, stopped, open })),
      ...this.#comings.inspect(),
      waitingForEnds: this.#ends.size,
      followers: this.machine.publisher.followerCount,
      liveness: this.#liveness.inspect(),
    };
  }

  #onLeadership(change: Leadership): void {
    if (change.ready === this.#active) return;
    this.#active = change.ready;
    if (change.ready) {
      this.world.logger.info({ term: change.term }, "elected: active controller");
      this.#ends.clear();
      this.#comings.begin();
      this.#liveness.begin();
      this.#rebalanceLater();
      const inForce = this.machine.image.config("broker", "").get(MIN_ISR);
      const given = this.settings.text(MIN_ISR);
      if (this.settings.has(MIN_ISR) && inForce !== undefined && inForce !== given) {
        this.world.logger.warn({ inForce, given }, "min.insync.replicas of this node's file differs from the cluster's, which counts: alter the cluster-wide broker setting to change it");
      }
    } else {
      this.#comings.end();
      this.#liveness.end();
      this.#rebalance?.cancel();
      this.world.logger.info({ term: change.term, leader: change.leader }, "no longer the active controller");
      // Brokers look for the new one; what they asked here and was not answered is unknown.
      for (const session of this.#sessions.values()) session.stream.close();
      this.#sessions.clear();
    }
  }

  #onApplied(_image: ClusterImage, changes: ChangeLog): void {
    if (!this.#active) return;
    for (const id of changes.topicsMade) this.world.logger.info({ topic: this.machine.image.topicById(id)?.name, partitions: this.machine.image.topicById(id)?.partitionCount }, "topic created");
    for (const [, name] of changes.topicsDeleted) this.world.logger.info({ topic: name }, "topic deleted");
  }

  // ---- sessions

  #accept(stream: RpcStream): void {
    const session: Session = { stream, broker: null, epoch: -1n, goodbye: false, caughtUpAt: 0n, applied: 0n, stopped: null, open: 0 };
    stream.onMessage((bytes) => {
      if (bytes.length > QUESTION_MAX_BYTES) return stream.close();
      try {
        const { id, message } = decodeCall<Question>(bytes);
        const question = checkedQuestion(message);
        if (session.open >= SESSION_OPEN_MAX) return stream.close();
        this.world.own(this.#answer(session, id, question), `answering a broker's ${question.kind}`);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        this.world.logger.warn({ from: stream.remote.host, detail: error.message }, "a broker's call cannot be read: session closed");
        stream.close();
      }
    });
    stream.onDrain(() => undefined);
    stream.onEnd(() => this.#ended(session));
  }

  #ended(session: Session): void {
    const { broker } = session;
    if (broker === null || this.#sessions.get(broker) !== session) return;
    this.#sessions.delete(broker);
    if (!this.#active) return;
    if (session.goodbye) this.#comings.fence(broker, session.epoch, "stopped");
    else this.#liveness.prove(broker, session.epoch, session.stream.remote.host || null);
  }

  async #answer(session: Session, id: number, question: Question): Promise<void> {
    session.open++;
    const reply = await this.#handle(session, question);
    session.open--;
    if (reply !== null) session.stream.send(encodeCall(id, reply));
  }

  async #handle(session: Session, question: Question): Promise<Reply | null> {
    if (!this.#active) return { kind: "not-active", leader: this.machine.standing.leader };
    if (question.kind === "register") return this.#register(session, question);
    const { broker } = session;
    if (broker === null || this.#sessions.get(broker) !== session) return { kind: "refused", error: "STALE_BROKER_EPOCH", message: "register first" };
    const known = this.machine.newest?.broker(broker) ?? null;
    if (known === null || known.epoch !== session.epoch) return { kind: "refused", error: "STALE_BROKER_EPOCH", message: "another incarnation has registered" };
    switch (question.kind) {
      case "heartbeat":
        return this.#heartbeat(session, broker, question);
      case "alter-isr":
        if (known.fenced) return { kind: "alter-isr", outcomes: question.changes.map(() => ({ ok: false, error: "STALE_BROKER_EPOCH" })) };
        return map(await this.machine.decide((image) => decideIsr(image, broker, question.changes, this.#context)), (outcomes) => ({ kind: "alter-isr", outcomes }));
      case "admin":
        return map(await this.machine.decide((image) => this.#admin(image, question.command)), (reply, position) => ({ kind: "admin", reply, position }));
      case "producer-ids":
        return map(
          await this.machine.decide((image) => ({ records: [{ kind: "producer-ids", next: image.nextProducerId + PRODUCER_IDS, broker }], reply: image.nextProducerId })),
          (first) => ({ kind: "producer-ids", first, count: Number(PRODUCER_IDS) }),
        );
      case "describe-quorum":
        return this.#describeQuorum();
      case "confirm": {
        const point = await this.#quorum?.readIndex();
        return { kind: "confirm", ok: point?.ok === true && this.machine.newest?.broker(broker)?.epoch === session.epoch && this.machine.newest.broker(broker)?.fenced === false };
      }
      case "goodbye":
        session.goodbye = true;
        return null;
      default:
        return unreachable(question);
    }
  }

  async #register(session: Session, question: Extract<Question, { kind: "register" }>): Promise<Reply> {
    const { broker } = question;
    const known = this.machine.newest?.broker(broker.nodeId) ?? null;
    // The same incarnation on a new stream keeps its registration: it has only lost us, not itself.
    if (known !== null && known.incarnation === broker.incarnation && !known.fenced && broker.lost.length === 0) {
      this.#adopt(session, broker.nodeId, known.epoch);
      const standing = await this.machine.decide((image) => ({ records: [], reply: image.broker(broker.nodeId) }));
      return map(standing, (now) => {
        if (now?.epoch !== known.epoch || now.fenced) return { kind: "refused", error: "STALE_BROKER_EPOCH", message: "fenced meanwhile: register again" };
        return { kind: "registered", epoch: known.epoch, fenced: false };
      });
    }
    return map(await this.#comings.register(broker), (verdict, position) => {
      if (!verdict.ok) return { kind: "refused", error: verdict.error, message: verdict.message };
      this.#adopt(session, broker.nodeId, position);
      this.world.logger.info({ broker: broker.nodeId, epoch: position }, "broker joined");
      return { kind: "registered", epoch: position, fenced: true };
    });
  }

  #adopt(session: Session, id: NodeId, epoch: bigint): void {
    const before = this.#sessions.get(id);
    this.#sessions.set(id, session);
    session.broker = id;
    session.epoch = epoch;
    session.caughtUpAt = epoch;
    this.#liveness.heard(id);
    if (before !== undefined && before !== session) before.stream.close();
  }

  async #heartbeat(session: Session, broker: NodeId, beat: Extract<Question, { kind: "heartbeat" }>): Promise<Reply> {
    this.#liveness.heard(broker);
    session.applied = beat.applied;
    const known = this.machine.newest?.broker(broker);
    const { position } = this.machine.image;
    for (const one of beat.ends) this.#noteEnd(broker, session.epoch, one);
    if (beat.stopping && known?.fenced === false) {
      if (session.stopped === null) this.#stop(session, broker);
      const safeToStop = typeof session.stopped === "bigint" && this.#isKnownToAll(broker, session.stopped);
      return { kind: "heartbeat", fenced: false, safeToStop, position };
    }
    if (known?.fenced === true && !beat.stopping && beat.applied >= session.caughtUpAt) {
      const unfenced = await this.#comings.unfence(broker, session.epoch, () => this.#sessions.get(broker) === session && beat.applied >= session.caughtUpAt);
      return { kind: "heartbeat", fenced: !unfenced, safeToStop: false, position };
    }
    return { kind: "heartbeat", fenced: known?.fenced ?? true, safeToStop: beat.stopping, position };
  }

  /** Have the other brokers seen where the leaders went? Then their clients are told the truth once this one is gone. */
  #isKnownToAll(leaving: NodeId, position: bigint): boolean {
    return [...this.#sessions].every(([id, session]) => id === leaving || this.machine.newest?.broker(id)?.fenced !== false || session.applied >= position || session.stopped !== null);
  }

  #stop(session: Session, broker: NodeId): void {
    session.stopped = "moving";
    const stopping = this.#comings.stop(broker).then((position) => (session.stopped = position)); // null: its next heartbeat asks again
    this.world.own(stopping, `moving the leaders of broker ${broker}`);
  }

  #onDead(id: NodeId, epoch: bigint, how: "silence" | "refused"): void {
    // A session that was opened while we dialled is better proof of life than a refused dial is of death.
    if (how === "refused" && this.#sessions.has(id)) return;
    this.#comings.fence(id, epoch, how);
  }

  #noteEnd(broker: NodeId, brokerEpoch: bigint, one: { readonly topicId: Uuid; readonly partition: number; readonly lastEpoch: number; readonly end: number }): void {
    const key = `${one.topicId}/${one.partition}`;
    const p = this.machine.newest?.topicById(one.topicId)?.partition(one.partition) ?? null;
    if (p === null || !waitsForEnds(p)) return void this.#ends.delete(key);
    const ends = this.#ends.get(key) ?? new Map<NodeId, ReportedEnd>();
    ends.set(broker, { brokerEpoch, lastEpoch: one.lastEpoch, end: one.end });
    this.#ends.set(key, ends);
    const recovery = this.machine.decide((image) => ({ records: recoverRecords(image, one.topicId, one.partition, ends), reply: null }));
    this.world.own(recovery, "electing where nobody is eligible");
  }

  #admin(image: ClusterImage, command: AdminCommand): Decision<AdminReply> {
    switch (command.kind) {
      case "create-topics":
        return decideCreateTopics(image, command, this.#context);
      case "delete-topics":
        return decideDeleteTopics(image, command, this.#context);
      case "create-partitions":
        return decideCreatePartitions(image, command, this.#context);
      case "incremental-alter-configs":
        return decideIncremental(image, command, this.#context);
      case "alter-configs":
        return decideReplace(image, command, this.#context);
      case "elect-leaders":
        return decideElections(image, command, this.#context);
      default:
        return unreachable(command);
    }
  }

  #describeQuorum(): Reply {
    const status = this.#quorum?.status();
    if (status === undefined || status.leader === null) return { kind: "not-active", leader: null };
    const member = (one: MemberStatus): QuorumMember => ({ id: one.id, directoryId: one.directoryId, logEnd: BigInt(one.matchIndex + 1), lastFetchMs: one.lastContactMs, lastCaughtUpMs: one.lastCaughtUpMs, host: one.host, port: one.port });
    return {
      kind: "describe-quorum",
      quorum: { ok: true, leader: status.leader, term: status.term, highWatermark: BigInt(status.commitIndex + 1), voters: status.voters.map(member), observers: status.learners.map(member) },
    };
  }

  #rebalanceLater(): void {
    this.#rebalance = this.world.clock.after(this.settings.number("leader.imbalance.check.interval.seconds") * 1000, () => {
      if (this.settings.flag("auto.leader.rebalance.enable")) this.world.own(this.machine.decide((image) => ({ records: rebalanceRecords(image, REBALANCE_LIMIT, this.#context), reply: null })), "moving leaders to their preferred replicas");
      this.#rebalanceLater();
    });
  }

  // ---- feed

  #feed(stream: RpcStream): void {
    let follower: ReturnType<MetadataMachine["publisher"]["follow"]> | null = null;
    stream.onMessage((bytes) => {
      try {
        const { message } = decodeCall<FeedQuestion>(bytes);
        const { clusterId } = this.machine.image;
        const stranger = message.clusterId !== "" && clusterId !== "" && message.clusterId !== clusterId;
        if (message.kind !== "follow" || typeof message.from !== "bigint" || stranger) {
          this.world.logger.warn({ from: stream.remote.host, theirs: message.clusterId, ours: clusterId }, "somebody of another cluster asks for metadata: refused");
          return stream.close();
        }
        follower?.close();
        follower = this.machine.publisher.follow(BigInt(message.from), (feed) => stream.send(encodeCall(0, feed)));
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        stream.close();
      }
    });
    stream.onDrain(() => follower?.pump());
    stream.onEnd(() => follower?.close());
  }
}

/** What could not be decided here, or is not known to be committed, is told as such. */
function map<T>(outcome: Outcome<T>, ok: (reply: T, position: bigint) => Reply): Reply {
  if (outcome.ok) return ok(outcome.reply, outcome.position);
  return outcome.unknown ? { kind: "refused", error: "REQUEST_TIMED_OUT", message: "leadership moved before this was committed: it may or may not have happened" } : { kind: "not-active", leader: outcome.leader };
}

/**
 * Every replica on this broker, following the metadata feed: opens and removes logs, begins and ends reigns, keeps fetchers on the right leaders.
 * Work on one partition runs one piece at a time, in order of the feed. Nobody leads in an epoch that came before this incarnation's registration.
 */
import { assert } from "../base/assert.js";
import type { Epoch, NodeId, Uuid } from "../base/ids.js";
import type { Coordination } from "../coordination/coordination.js";
import type { LogDirectory, PartitionLog } from "../log/partition-log.js";
import type { ImageChanges, MetadataImage, PartitionImage } from "../metadata/image.js";
import { effectiveMinIsr, effectiveTopicSettings, type BrokerDefaults } from "../metadata/topic-settings.js";
import type { World } from "../world/world.js";
import { DelayedWork } from "./delayed-work.js";
import { deleteRecords } from "./delete-records.js";
import { Fetcher } from "./fetcher.js";
import { Fetching } from "./fetching.js";
import { IsrProposals } from "./isr-proposals.js";
import { Lanes } from "./lanes.js";
import { LaxList } from "./lax-list.js";
import { RunningLog } from "./leader-log.js";
import { listOffset } from "./list-offsets.js";
import { Producing, type Finder } from "./producing.js";
import { Replica, topicRules, type TopicRules } from "./replica.js";
import type { FetchItem, FetchOptions, LeaderLog, PartitionRef, ProduceItem, ProduceOptions, Replicas, ReplicasInspection } from "./replicas.js";
import { WaitingRoom } from "./waiting.js";

export interface ReplicaSettings {
  number(name: string): number;
}

export interface ReplicaManagerParts {
  readonly nodeId: NodeId;
  readonly incarnation: Uuid;
  readonly coordination: Coordination;
  readonly directory: LogDirectory;
  readonly settings: ReplicaSettings;
  readonly defaults: BrokerDefaults;
  /** Listener that brokers use among themselves. */
  readonly listener: string;
}

const OPEN_PARALLEL = 16;

export class ReplicaManager implements Replicas, Finder {
  readonly waiting: WaitingRoom;
  readonly #replicas = new Map<string, Replica>();
  readonly #found = new Map<string, PartitionLog>(); // opened at the start, not claimed by metadata yet
  readonly #lanes: Lanes;
  readonly #fetchers = new Map<NodeId, Fetcher>();
  readonly #listeners = new Map<string, ((partition: number, reign: { readonly epoch: Epoch } | null) => void)[]>();
  readonly #proposals: IsrProposals;
  readonly #lax: LaxList;
  readonly #producing: Producing;
  readonly #fetching: Fetching;
  #marks: ReadonlyMap<string, number> = new Map();
  #registered = false;
  /** The checkpoint of high watermarks, when one has moved; retention, while there are logs. */
  readonly #markLater: DelayedWork;
  readonly #maintainLater: DelayedWork;
  #closed = false;

  constructor(readonly world: World, readonly parts: ReplicaManagerParts) {
    this.waiting = new WaitingRoom(world);
    this.#lanes = new Lanes(world);
    this.#proposals = new IsrProposals(world, parts.coordination, parts.nodeId, () => parts.settings.number("replica.lag.time.max.ms"));
    this.#lax = new LaxList(world.disk, parts.directory.path);
    this.#producing = new Producing(world, this, this.waiting);
    this.#fetching = new Fetching(world, this, this.waiting, (replica) => this.#proposals.consider(replica));
    const { settings, directory } = parts;
    this.#markLater = new DelayedWork(world, "checkpoint of high watermarks", () => settings.number("replica.high.watermark.checkpoint.interval.ms"), () => directory.writeHighWatermarks(this.#currentMarks()));
    this.#maintainLater = new DelayedWork(world, "upkeep of logs", () => settings.number("log.retention.check.interval.ms"), () => this.#maintain());
  }

  /** Opens what is on the disk before the broker registers, so that losses are told with the registration. Then follows the feed. */
  async start(): Promise<void> {
    const { directory, coordination } = this.parts;
    this.#marks = await directory.readHighWatermarks();
    await this.#lax.load();
    const found = (await directory.found()).filter((one) => one.topicId !== null);
    const rules = this.#rules("");
    const lost: { topicId: Uuid; partition: number }[] = [];
    for (let i = 0; i < found.length; i += OPEN_PARALLEL) {
      await Promise.all(
        found.slice(i, i + OPEN_PARALLEL).map(async ({ topic, partition, topicId }) => {
          if (topicId === null) return;
          const log = await directory.openLog({ topic, partition, topicId, settings: rules.log, durable: !this.#lax.has(keyOf(topicId, partition)) });
          this.#found.set(keyOf(topicId, partition), log);
          if (log.recovery.lostBelowDurable || log.recovery.damagedAt !== null) lost.push({ topicId, partition });
        }),
      );
    }
    if (lost.length > 0) {
      this.world.logger.error({ partitions: lost.length }, "recovery lost what was on the disk: these replicas leave the ISR and are fetched again");
      coordination.reportLost(lost);
    }
    coordination.onImage((image, previous, changes) => this.#onImage(image, previous, changes));
  }

  // ---- metadata

  #onImage(image: MetadataImage, previous: MetadataImage | null, changes: ImageChanges): void {
    if (this.#closed) return;
    const own = image.broker(this.parts.nodeId);
    if (!this.#registered && (own === null || own.incarnation !== this.parts.incarnation)) return; // an earlier life's metadata: no reign of it is ours
    if (!this.#registered) {
      this.#registered = true;
      this.#setStraysAside(image); // first: a topic that was made anew meanwhile wants their folders
      for (const topic of image.topics()) for (let i = 0; i < topic.partitionCount; i++) this.#consider(topic.partition(i));
      return;
    }
    for (const [topicId, name] of changes.topicsDeleted) this.#deleteTopic(topicId, name);
    for (const [topicId, partitions] of changes.partitions) {
      const topic = image.topicById(topicId);
      for (const index of partitions) this.#consider(topic?.partition(index) ?? null);
    }
    for (const id of changes.brokers) this.#reconnect(image, previous, id);
    if (changes.brokers.size > 0) {
      for (const fetcher of this.#fetchers.values()) fetcher.onBrokers();
      for (const replica of this.#replicas.values()) this.#proposals.consider(replica); // who may join an ISR has changed
    }
    if (changes.configs.size > 0) this.#onSettings(changes.configs);
  }

  /** A broker that came back elsewhere, or anew, is dialled anew. */
  #reconnect(image: MetadataImage, previous: MetadataImage | null, id: NodeId): void {
    const fetcher = this.#fetchers.get(id);
    const before = previous?.broker(id);
    const now = image.broker(id);
    if (fetcher === undefined || before === null || before === undefined || now === null || before.epoch === now.epoch) return;
    fetcher.stop();
    this.#fetchers.delete(id);
    for (const replica of this.#replicas.values()) if (replica.role.name === "follower" && replica.role.leader === id) this.#fetcher(id).add(replica);
  }

  #onSettings(names: ReadonlySet<string>): void {
    const all = [...names].some((name) => name.startsWith("broker/"));
    for (const replica of this.#replicas.values()) {
      if (!all && !names.has(`topic/${replica.topic}`)) continue;
      if (replica.role.name === "leader") replica.role.view.minIsr = this.#minIsr(replica.topic, replica.role.view.replicas.length);
      this.#obey(replica);
    }
    if (all) this.#proposals.onSettings();
  }

  #rules(topic: string): TopicRules {
    return topicRules(effectiveTopicSettings(this.parts.coordination.image, topic, this.parts.defaults), this.parts.settings.number("producer.id.expiration.ms"));
  }

  /** A laxer rule counts once a power failure would be noticed: see lax-list.ts. */
  #obey(replica: Replica): void {
    const rules = this.#rules(replica.topic);
    if (rules.durable || this.#lax.has(replica.key)) return replica.obey(rules);
    replica.obey({ ...rules, durable: true });
    const listed = this.#lax.add(replica.key).then(() => {
      if (!this.#closed && this.#replicas.get(replica.key) === replica) replica.obey(this.#rules(replica.topic));
    });
    this.world.own(listed, "listing lax replicas");
  }

  #minIsr(topic: string, replicas: number): number {
    return effectiveMinIsr(this.parts.coordination.image, topic, replicas, this.parts.defaults);
  }

  /** Puts one partition's newest state into its lane. */
  #consider(partition: PartitionImage | null): void {
    if (partition === null) return;
    const { nodeId } = this.parts;
    const key = keyOf(partition.topicId, partition.index);
    if (!partition.replicas.includes(nodeId)) {
      const replica = this.#replicas.get(key);
      if (replica !== undefined) this.#lanes.leave(key, replica.topic, () => this.#remove(key));
      return;
    }
    const topic = this.parts.coordination.image.topicById(partition.topicId);
    if (topic === null) return;
    const present = this.#replicas.get(key);
    if (present !== undefined && !present.busy && !this.#lanes.has(key)) return this.#assign(present, partition);
    void this.#lanes.run(key, async () => {
      // What has left the image meanwhile is not opened: nobody waits for the folder of one that waits for nobody's any more.
      if (this.parts.coordination.image.topicById(partition.topicId)?.partition(partition.index)?.replicas.includes(nodeId) !== true) return;
      const replica = await this.#open(key, topic.name, partition);
      await replica.idle(); // a log that is being cut takes no new role
      this.#assign(replica, partition);
    });
  }

  async #open(key: string, topic: string, partition: PartitionImage): Promise<Replica> {
    const present = this.#replicas.get(key);
    if (present !== undefined) return present;
    await this.#lanes.left(topic, partition.index);
    const rules = this.#rules(topic);
    const opened = this.#found.get(key);
    this.#found.delete(key);
    const log = opened ?? (await this.parts.directory.openLog({ topic, partition: partition.index, topicId: partition.topicId, settings: rules.log, durable: rules.durable }));
    if (opened !== undefined) log.configure(rules.log);
    const replica = new Replica(key, log, { ...rules, durable: true }, this.#marks.get(`${topic}-${partition.index}`) ?? 0, (moved) => this.#onMove(moved), () => this.world.clock.nowMs());
    this.#replicas.set(key, replica);
    this.#maintainLater.ask();
    if (!rules.durable) this.#obey(replica);
    return replica;
  }

  #onMove(replica: Replica): void {
    this.waiting.wake(replica.key);
    this.#proposals.moved(replica);
    this.#markLater.ask();
  }

  #assign(replica: Replica, partition: PartitionImage): void {
    const { nodeId } = this.parts;
    const { role } = replica;
    if (partition.leaderEpoch < replica.epoch) return;
    if (partition.leader === nodeId) {
      if (role.name === "leader" && role.view.epoch === partition.leaderEpoch) {
        replica.settle(partition);
        return this.#proposals.consider(replica);
      }
      this.#unfollow(replica);
      const reigned = role.name === "leader";
      replica.lead(nodeId, partition, this.#minIsr(replica.topic, partition.replicas.length), this.world.clock.nowMs());
      this.world.logger.info({ topic: replica.topic, partition: replica.partition, epoch: partition.leaderEpoch, isr: partition.isr, end: replica.log.end }, "leads");
      if (reigned) this.#announce(replica, null);
      this.#announce(replica, { epoch: partition.leaderEpoch });
      this.#proposals.consider(replica);
      return;
    }
    if (role.name === "leader") this.#announce(replica, null);
    if (partition.leader === null) {
      this.#unfollow(replica);
      replica.goOffline(partition.leaderEpoch);
      if (partition.isr.length === 0 && partition.elr.length === 0) this.parts.coordination.reportEnds([{ topicId: replica.topicId, partition: replica.partition, lastEpoch: replica.log.lastEpoch, end: replica.log.durableEnd }]);
      return;
    }
    if (role.name === "follower" && role.leader === partition.leader && role.epoch === partition.leaderEpoch) return;
    if (role.name === "follower" && role.leader !== partition.leader) this.#unfollow(replica);
    replica.follow(partition.leader, partition.leaderEpoch);
    this.#fetcher(partition.leader).add(replica);
  }

  #fetcher(leader: NodeId): Fetcher {
    let fetcher = this.#fetchers.get(leader);
    if (fetcher === undefined) this.#fetchers.set(leader, (fetcher = new Fetcher(this.world, this.parts.coordination, this.parts.nodeId, leader, this.parts.listener, this.parts.settings)));
    return fetcher;
  }

  #unfollow(replica: Replica): void {
    if (replica.role.name === "follower") this.#fetchers.get(replica.role.leader)?.remove(replica);
  }

  #announce(replica: Replica, reign: { readonly epoch: Epoch } | null): void {
    for (const listener of this.#listeners.get(replica.topic) ?? []) listener(replica.partition, reign);
  }

  #deleteTopic(topicId: Uuid, name: string): void {
    const keys = [...this.#replicas.keys(), ...this.#lanes.keys()].filter((key) => key.startsWith(`${topicId}/`));
    for (const key of new Set(keys)) this.#lanes.leave(key, name, () => this.#remove(key));
    this.world.logger.info({ topic: name, replicas: keys.length }, "topic deleted");
  }

  async #remove(key: string): Promise<void> {
    const replica = this.#replicas.get(key);
    if (replica === undefined) return;
    this.#unfollow(replica);
    if (replica.role.name === "leader") this.#announce(replica, null);
    this.#replicas.delete(key);
    replica.goOffline(replica.epoch as Epoch);
    await replica.idle();
    await this.parts.directory.deleteLog(replica.log);
  }

  /** Never delete on doubt: what metadata does not know is set aside. */
  #setStraysAside(image: MetadataImage): void {
    for (const [key, log] of [...this.#found]) {
      const partition = image.topicById(log.topicId)?.partition(log.partition);
      if (partition?.replicas.includes(this.parts.nodeId) === true) continue;
      this.#found.delete(key);
      this.world.logger.warn({ topic: log.topic, partition: log.partition }, "metadata does not know this replica: set aside");
      this.#lanes.leave(key, log.topic, async () => {
        await log.close();
        await this.parts.directory.setAside(log.topic, log.partition);
      });
    }
  }

  // ---- what requests ask

  find(ref: PartitionRef): ReturnType<Finder["find"]> {
    if ("topicId" in ref) {
      // The usual case needs no look at the image: a replica is here under its topic's id, or it is not.
      const led = this.#replicas.get(keyOf(ref.topicId, ref.partition));
      if (led !== undefined && led.role.name === "leader") return { ok: true, replica: led };
    }
    const { image } = this.parts.coordination;
    const topic = "topicId" in ref ? image.topicById(ref.topicId) : image.topic(ref.topic);
    if (topic === null) return { ok: false, error: "topicId" in ref ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION", currentLeader: null };
    const partition = ref.partition < 0 ? null : topic.partition(ref.partition);
    if (partition === null) return { ok: false, error: "UNKNOWN_TOPIC_OR_PARTITION", currentLeader: null };
    const replica = this.#replicas.get(keyOf(topic.id, ref.partition));
    if (replica !== undefined && replica.role.name === "leader") return { ok: true, replica };
    return { ok: false, error: "NOT_LEADER_OR_FOLLOWER", currentLeader: { id: partition.leader ?? -1, epoch: partition.leaderEpoch } };
  }

  produce(items: readonly ProduceItem[], options: ProduceOptions): ReturnType<Replicas["produce"]> {
    return this.#producing.produce(items, options);
  }

  fetch(items: readonly FetchItem[], options: FetchOptions): ReturnType<Replicas["fetch"]> {
    return this.#fetching.fetch(items, options);
  }

  watch(topicId: Uuid, partition: number, onMove: () => void): () => void {
    return this.waiting.watch(keyOf(topicId, partition), onMove);
  }

  listOffset(which: PartitionRef, options: Parameters<Replicas["listOffset"]>[1]): ReturnType<Replicas["listOffset"]> {
    return listOffset(this.find(which), options);
  }

  endOfEpoch(which: PartitionRef, options: { readonly currentEpoch: number; readonly epoch: number }): ReturnType<Replicas["endOfEpoch"]> {
    const found = this.find(which);
    if (!found.ok) return { error: found.error, epoch: -1, end: -1n };
    const current = found.replica.epoch;
    if (options.currentEpoch >= 0 && options.currentEpoch !== current) return { error: options.currentEpoch < current ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH", epoch: -1, end: -1n };
    if (options.epoch > current || options.epoch < 0) return { error: "NONE", epoch: -1, end: -1n };
    const end = found.replica.log.endOfEpoch(options.epoch as Epoch);
    return { error: "NONE", epoch: end.epoch, end: BigInt(end.end) };
  }

  deleteRecords(which: PartitionRef, options: { readonly before: bigint; readonly timeoutMs: number }): ReturnType<Replicas["deleteRecords"]> {
    const { image } = this.parts.coordination;
    const policies = (topic: string) => effectiveTopicSettings(image, topic, this.parts.defaults).list("cleanup.policy");
    const alive = (id: NodeId) => this.parts.coordination.image.broker(id)?.fenced === false;
    return deleteRecords(this.find(which), options, { waiting: this.waiting, policies, alive });
  }

  async describeDirectory(): ReturnType<Replicas["describeDirectory"]> {
    const { directory } = this.parts;
    const usage = await directory.usage();
    const replicas = [...this.#replicas.values()].map((replica) => ({ topic: replica.topic, partition: replica.partition, bytes: replica.log.bytes, lag: Math.max(0, replica.highWatermark - replica.log.end) }));
    return { path: directory.path, directoryId: directory.directoryId, ...usage, replicas };
  }

  onLeadership(topic: string, listener: (partition: number, reign: { readonly epoch: Epoch } | null) => void): void {
    const list = this.#listeners.get(topic) ?? [];
    list.push(listener);
    this.#listeners.set(topic, list);
    for (const replica of this.#replicas.values()) if (replica.topic === topic && replica.role.name === "leader") listener(replica.partition, { epoch: replica.epoch as Epoch });
  }

  leaderLog(topic: string, partition: number, epoch: Epoch): LeaderLog | null {
    const found = this.find({ topic, partition });
    return found.ok && found.replica.epoch === epoch ? new RunningLog(this.world, found.replica, epoch, this.waiting, this.#producing) : null;
  }

  unhealthy(): ReturnType<Replicas["unhealthy"]> {
    const out: { topic: string; partition: number; reason: string }[] = [];
    for (const { topic, partition, role } of this.#replicas.values()) {
      if (role.name !== "leader" || role.view.isr.length === role.view.replicas.length) continue;
      const outside = role.view.replicas.filter((id) => !role.view.isr.includes(id));
      out.push({ topic, partition, reason: `not in sync: ${outside.join(", ")}` });
    }
    return out;
  }

  // ---- now and then

  async #maintain(): Promise<void> {
    for (const [key, replica] of [...this.#replicas]) {
      if (this.#closed) return;
      if (this.#replicas.get(key) === replica && !this.#lanes.has(key)) await replica.log.maintain({ nowMs: this.world.clock.wallMs(), upTo: replica.highWatermark });
    }
    if (this.#replicas.size > 0) this.#maintainLater.ask();
  }

  #currentMarks(): ReadonlyMap<string, number> {
    return new Map([...this.#replicas.values()].map((replica) => [`${replica.topic}-${replica.partition}`, replica.highWatermark]));
  }

  inspect(): ReplicasInspection {
    const all = [...this.#replicas.values()];
    return {
      leaders: all.filter((one) => one.role.name === "leader").length,
      followers: all.filter((one) => one.role.name === "follower").length,
      waits: this.waiting.count,
      fetchers: [...this.#fetchers.values()].filter((one) => one.size > 0).length,
      partitions: all.map((one) => one.inspect()),
    };
  }

  async close(): Promise<void> {
    assert(!this.#closed, "closed once");
    this.#closed = true;
    this.#proposals.close();
    await Promise.all([this.#markLater.close(), this.#maintainLater.close()]);
    for (const fetcher of this.#fetchers.values()) fetcher.stop();
    await this.#lanes.settled();
    await Promise.all([...this.#replicas.values()].map((replica) => replica.idle()));
    await this.parts.directory.writeHighWatermarks(this.#currentMarks());
    for (const replica of this.#replicas.values()) {
      if (replica.role.name === "leader") this.#announce(replica, null);
      replica.goOffline(replica.epoch as Epoch);
    }
    await Promise.all([...this.#replicas.values()].map((replica) => replica.log.close()));
    await Promise.all([...this.#found.values()].map((log) => log.close()));
  }
}

function keyOf(topicId: Uuid, partition: number): string {
  return `${topicId}/${partition}`;
}

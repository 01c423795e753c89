/**
 * Brokers that replicate over loopback TCP on the Node World and real logs, under a controller that the test plays by hand: it writes metadata records, and
 * decides ISR changes by compare-and-set as the real one does.
 */
import { epoch as toEpoch, nodeId, uuid, type NodeId, type Uuid } from "../../src/base/ids.js";
import type { Coordination, IsrChange, IsrOutcome } from "../../src/coordination/coordination.js";
import { openLogDirectory, type DiskLogDirectory } from "../../src/log/log-directory.js";
import { BROKER_SETTINGS } from "../../src/metadata/broker-settings.js";
import { ChangeLog } from "../../src/metadata/changes.js";
import { ClusterImage } from "../../src/metadata/cluster-image.js";
import type { ImageChanges, MetadataImage } from "../../src/metadata/image.js";
import type { MetadataRecord, PartitionChange } from "../../src/metadata/records.js";
import { replay } from "../../src/metadata/replay.js";
import { checkSessionToken, sessionToken } from "../../src/metadata/session-token.js";
import { NO_BROKER_DEFAULTS } from "../../src/metadata/topic-settings.js";
import { FetchService } from "../../src/replication/fetch-service.js";
import { ReplicaManager } from "../../src/replication/replica-manager.js";
import { decodeRequestHeader, encodeResponseFrame, FrameSplitter } from "../../src/protocol/frame.js";
import { FetchRequest, FetchResponse } from "../../src/protocol/messages/01-fetch.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "../../src/protocol/messages/18-api-versions.js";
import { buildBatch } from "../../src/records/builder.js";
import { initCodecs } from "../../src/records/codecs.js";
import { readRecords } from "../../src/records/record.js";
import { splitBatches } from "../../src/records/batch.js";
import type { ProduceOutcome } from "../../src/replication/replicas.js";
import type { Connection } from "../../src/world/network.js";
import type { HostWorld } from "../../src/host/world.js";
import { hostMaking, type HostMaking } from "../host/making.js";
import type { Disk } from "../../src/world/disk.js";

type ImageListener = (image: MetadataImage, previous: MetadataImage | null, changes: ImageChanges) => void;

class HandCoordination implements Coordination {
  image = ClusterImage.empty;
  brokerEpoch: bigint | null = null;
  readonly leased = true;
  readonly controller = null;
  readonly listeners: ImageListener[] = [];
  readonly lost: { readonly topicId: Uuid; readonly partition: number }[] = [];
  readonly ends: unknown[] = [];
  /** False: this broker hears nothing of the feed. */
  hears = true;

  constructor(readonly cluster: HandCluster, readonly id: NodeId) {}

  start(): void {}
  onImage(listener: ImageListener): void {
    this.listeners.push(listener);
  }
  onSession(): void {}
  alterIsr(changes: readonly IsrChange[]): Promise<readonly IsrOutcome[]> {
    return this.cluster.alterIsr(this.id, changes);
  }
  sessionToken(to: NodeId): string | null {
    return sessionToken(this.image, this.id, to);
  }
  checkSessionToken(from: NodeId, brokerEpoch: bigint, token: string): boolean {
    return checkSessionToken(this.image, { from, brokerEpoch, to: this.id }, token);
  }
  reportLost(partitions: readonly { readonly topicId: Uuid; readonly partition: number }[]): void {
    this.lost.push(...partitions);
  }
  reportEnds(ends: readonly unknown[]): void {
    this.ends.push(...ends);
  }
  stopping(): Promise<void> {
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  confirmLease(): Promise<boolean> {
    return Promise.resolve(true);
  }
  allocateProducerIds(): never {
    throw new Error("not in this test");
  }
  admin(): never {
    throw new Error("not in this test");
  }
  describeQuorum(): never {
    throw new Error("not in this test");
  }
}

export interface HandBroker {
  readonly id: NodeId;
  readonly world: HostWorld;
  readonly directory: DiskLogDirectory;
  readonly coordination: HandCoordination;
  readonly manager: ReplicaManager;
  readonly fetches: FetchService;
  readonly connections: Set<Connection>;
}

const DEFAULTS = new Map(BROKER_SETTINGS.map((one) => [one.name, one.default]));

export class HandCluster {
  image = ClusterImage.empty;
  readonly brokers = new Map<number, HandBroker>();
  /** Settings of all brokers, by Kafka's names. */
  readonly settings = new Map<string, number>();
  #position = 0n;
  #names = 0;
  /** Lets a test hold a file's sync, or lose answers of the controller. */
  onSync: (broker: number, path: string) => Promise<void> | null = () => null;
  onAlterIsr: (outcomes: readonly IsrOutcome[]) => Promise<readonly IsrOutcome[]> = (outcomes) => Promise.resolve(outcomes);

  private constructor(readonly making: HostMaking) {}

  static async make(ids: readonly number[]): Promise<HandCluster> {
    await initCodecs();
    const cluster = new HandCluster(await hostMaking());
    for (const id of ids) await cluster.start(id);
    return cluster;
  }

  async end(): Promise<void> {
    await this.making.end();
  }

  broker(id: number): HandBroker {
    const broker = this.brokers.get(id);
    if (broker === undefined) throw new Error(`no broker ${id}`);
    return broker;
  }

  /** Starts an incarnation on the broker's own disk: port open, logs open, then registered and unfenced. */
  async start(number: number, options: { readonly fenced?: boolean } = {}): Promise<HandBroker> {
    const id = nodeId(number);
    const made = await this.making.world({ disk: `broker-${number}` });
    const world: HostWorld = Object.create(made, { disk: { value: holding(made.disk, (path) => this.onSync(number, path)) } }) as HostWorld;
    const incarnation = world.random.uuid();
    const directory = await openLogDirectory(world, { path: "data", nodeId: id, clusterId: "cluster" });
    const coordination = new HandCoordination(this, id);
    const settings = { number: (name: string) => this.settings.get(name) ?? Number(DEFAULTS.get(name)) };
    const manager = new ReplicaManager(world, { nodeId: id, incarnation, coordination, directory, settings, defaults: NO_BROKER_DEFAULTS, listener: "PLAINTEXT" });
    const fetches = new FetchService(world, manager, coordination, settings);
    const connections = new Set<Connection>();
    const listener = await world.network.listen({ host: "127.0.0.1", port: 0 }, (connection) => this.#serve(broker, connection));
    const broker: HandBroker = { id, world, directory, coordination, manager, fetches, connections };
    await manager.start();
    this.brokers.set(number, broker);
    const known = this.image.broker(id);
    if (known !== null && !known.fenced) this.fence(number);
    const epoch = this.#position + 1n;
    this.write([{ kind: "broker-registered", id, incarnation, directories: [directory.directoryId], rack: null, listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port: listener.port, protocol: "PLAINTEXT" }], nodePort: { host: "127.0.0.1", port: listener.port }, features: { min: 1, max: 1 }, secret: world.random.uuid() }]);
    coordination.brokerEpoch = epoch;
    if (options.fenced !== true) this.unfence(number);
    return broker;
  }

  unfence(number: number): void {
    const { id, coordination } = this.broker(number);
    this.write([{ kind: "broker-changed", id, epoch: coordination.brokerEpoch ?? 0n, fenced: false, stopping: false }]);
  }

  /** What a broker does that was fenced while it was frozen: the same incarnation, a new epoch and secret. */
  registerAgain(number: number): void {
    const { id, coordination, world } = this.broker(number);
    const known = this.image.broker(id);
    if (known === null) throw new Error("not registered");
    const epoch = this.#position + 1n;
    coordination.brokerEpoch = epoch; // the controller's answer comes before the feed
    this.write([{ kind: "broker-registered", id, incarnation: known.incarnation, directories: known.directories, rack: known.rack, listeners: known.listeners, nodePort: known.nodePort, features: { min: 1, max: 1 }, secret: world.random.uuid() }]);
    this.write([{ kind: "broker-changed", id, epoch, fenced: false, stopping: false }]);
  }

  /** kill -9. The page cache survives. */
  kill(number: number): void {
    const broker = this.broker(number);
    this.brokers.delete(number);
    broker.world.halt("killed by the test");
  }

  /** Out of every ISR but the last place, leaders moved. */
  fence(number: number): void {
    const id = nodeId(number);
    const registered = this.image.broker(id);
    if (registered === null || registered.fenced) return;
    const records: MetadataRecord[] = [{ kind: "broker-changed", id, epoch: registered.epoch, fenced: true, stopping: false }];
    for (const topic of this.image.topics()) {
      const rows: PartitionChange[] = [];
      for (let index = 0; index < topic.partitionCount; index++) {
        const p = topic.partition(index);
        if (p === null || !p.isr.includes(id)) continue;
        const isr = p.isr.length === 1 ? p.isr : p.isr.filter((one) => one !== id);
        const next = isr.find((one) => one !== id && this.image.broker(one)?.fenced === false) ?? null;
        rows.push(change(p, p.leader === id ? { isr, leader: next, leaderEpoch: toEpoch(p.leaderEpoch + 1) } : { isr }));
      }
      if (rows.length > 0) records.push({ kind: "partitions-changed", topicId: topic.id, rows });
    }
    this.write(records);
  }

  topic(name: string, options: { readonly replicas: readonly number[]; readonly partitions?: number; readonly settings?: { readonly [name: string]: string } }): Uuid {
    const topicId = uuid(`topic${String(this.#names++).padStart(16, "0")}w`);
    const replicas = options.replicas.map(nodeId);
    const row = { replicas, directories: replicas.map((id) => this.broker(id).directory.directoryId), isr: replicas, elr: [], lastKnownElr: [], leader: replicas[0] ?? null, leaderEpoch: toEpoch(0), partitionEpoch: 0, recovering: false };
    this.write([
      { kind: "topic-made", topicId, name },
      { kind: "partitions-made", topicId, first: 0, rows: Array.from({ length: options.partitions ?? 1 }, () => row) },
      ...(options.settings === undefined ? [] : [{ kind: "config-changed", type: "topic", name, changes: Object.entries(options.settings).map(([key, value]) => ({ name: key, value })) } as const]),
    ]);
    return topicId;
  }

  elect(topicId: Uuid, leader: number | null): void {
    const p = this.partition(topicId);
    this.write([{ kind: "partitions-changed", topicId, rows: [change(p, { leader: leader === null ? null : nodeId(leader), leaderEpoch: toEpoch(p.leaderEpoch + 1) })] }]);
  }

  partition(topicId: Uuid): NonNullable<ReturnType<NonNullable<ReturnType<ClusterImage["topicById"]>>["partition"]>> {
    const partition = this.image.topicById(topicId)?.partition(0) ?? null;
    if (partition === null) throw new Error("no such topic");
    return partition;
  }

  write(records: readonly MetadataRecord[]): void {
    const changes = new ChangeLog();
    this.image = replay(this.image, records, ++this.#position, changes);
    for (const { coordination } of this.brokers.values()) if (coordination.hears) this.tell(coordination, changes);
  }

  /** Brings one broker's image up to date. */
  tell(coordination: HandCoordination, changes: ImageChanges = new ChangeLog()): void {
    const previous = coordination.image;
    coordination.image = this.image;
    for (const listener of coordination.listeners) listener(this.image, previous.position === 0n ? null : previous, changes);
  }

  alterIsr(from: NodeId, changes: readonly IsrChange[]): Promise<readonly IsrOutcome[]> {
    const outcomes = changes.map((ask): IsrOutcome => {
      const p = this.image.topicById(ask.topicId)?.partition(ask.partition) ?? null;
      if (p === null) return { ok: false, error: "UNKNOWN_TOPIC_ID" };
      if (ask.leaderEpoch < p.leaderEpoch) return { ok: false, error: "FENCED_LEADER_EPOCH" };
      if (p.leader !== from) return { ok: false, error: "INVALID_REQUEST" };
      if (ask.partitionEpoch !== p.partitionEpoch) return { ok: false, error: "INVALID_UPDATE_VERSION" };
      const able = ask.isr.every((one) => p.isr.includes(one.id) || (this.image.broker(one.id)?.fenced === false && this.image.broker(one.id)?.epoch === one.brokerEpoch));
      if (!able) return { ok: false, error: "INELIGIBLE_REPLICA" };
      const isr = ask.isr.map((one) => one.id);
      this.write([{ kind: "partitions-changed", topicId: ask.topicId, rows: [change(p, { isr })] }]);
      return { ok: true, leader: p.leader, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch + 1, isr };
    });
    return this.onAlterIsr(outcomes);
  }

  async produce(on: number, topicId: Uuid, values: readonly string[], options: { readonly acks?: 0 | 1 | -1; readonly timeoutMs?: number; readonly codec?: "gzip" } = {}): Promise<ProduceOutcome> {
    const records = buildBatch(values.map((value) => ({ key: null, value: Buffer.from(value), timestamp: Date.now() })), { ...(options.codec === undefined ? {} : { codec: options.codec }) });
    const { done } = this.broker(on).manager.produce([{ ref: { topicId, partition: 0 }, records }], { acks: options.acks ?? -1, timeoutMs: options.timeoutMs ?? 10_000, version: 13, transactionalId: null, clientId: "test", origin: "client" });
    const [outcome] = await done;
    if (outcome === undefined) throw new Error("no outcome");
    return outcome;
  }

  /** What a consumer gets from the leader, from the start. */
  async consume(on: number, topicId: Uuid, options: { readonly from?: bigint; readonly maxWaitMs?: number } = {}): Promise<string[]> {
    const { manager } = this.broker(on);
    const answer = await manager.fetch([{ ref: { topicId, partition: 0 }, fetchOffset: options.from ?? 0n, currentEpoch: -1, lastFetchedEpoch: -1, logStart: -1n, maxBytes: 1 << 20, knownHighWatermark: null }], { maxWaitMs: options.maxWaitMs ?? 0, minBytes: 1, maxBytes: 1 << 20, isolation: "read-uncommitted", version: 13, replica: null, onCancel: () => undefined, incremental: false });
    const [found] = answer.partitions;
    if (found?.error !== "NONE") throw new Error(found?.error ?? "nothing");
    const bytes = Buffer.concat(found.records?.parts ?? []);
    const values = splitBatches(bytes).spans.flatMap((span) => readRecords(bytes.subarray(span.position, span.position + span.bytes)).map((record) => Buffer.from(record.value ?? []).toString()));
    answer.release();
    return values;
  }

  /** The whole of a replica's log, committed or not. */
  state(on: number, topic = "t"): { readonly role: string; readonly epoch: number; readonly highWatermark: number; readonly durableEnd: number; readonly end: number; readonly start: number } {
    const found = this.broker(on).manager.inspect().partitions.find((one) => one.topic === topic);
    if (found === undefined) throw new Error(`broker ${on} has no ${topic}`);
    return found;
  }

  /** Waits for something to come true; gives up after ten seconds. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 2_000; i++) {
      try {
        if (holds()) return;
      } catch {
        // what is asked about may not be there yet
      }
      const [halt] = this.making.halts.filter((one) => !/killed|over/.test(one.reason));
      if (halt !== undefined) throw new Error(`a node halted: ${halt.reason}`, { cause: halt.cause });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`did not happen: ${what}`);
  }

  /** What a broker's listener does, for two APIs. */
  #serve(broker: HandBroker, connection: Connection): void {
    broker.connections.add(connection);
    const splitter = new FrameSplitter(1 << 26);
    const closers = new Set<() => void>();
    const about = { listener: "PLAINTEXT", softwareName: "", softwareVersion: "", onClose: (callback: () => void) => (closers.add(callback), () => closers.delete(callback)) };
    connection.onFinish(() => connection.destroy());
    connection.onDrain(() => undefined);
    connection.onEnd(() => {
      broker.connections.delete(connection);
      for (const callback of closers) callback();
    });
    connection.onData((chunk) => {
      for (const frame of splitter.push(chunk)) {
        const header = decodeRequestHeader(frame); 
        const body = frame.subarray(header.bytes);
        if (header.apiKey === ApiVersionsRequest.key) {
          const asked = ApiVersionsRequest.decode(body, header.apiVersion);
          about.softwareName = asked.clientSoftwareName;
          about.softwareVersion = asked.clientSoftwareVersion;
          connection.write(encodeResponseFrame(header.apiKey, header.apiVersion, header.correlationId, ApiVersionsResponse.encode({}, header.apiVersion)));
          continue;
        }
        const answered = broker.fetches.fetch(FetchRequest.decode(body, header.apiVersion), { version: header.apiVersion, clientId: header.clientId, connection: about }).then((answer) => {
          connection.write(encodeResponseFrame(header.apiKey, header.apiVersion, header.correlationId, FetchResponse.encode(answer.body, header.apiVersion)), answer.release);
        });
        broker.world.own(answered, "answering a fetch");
      }
    });
  }
}

/** The same disk, where syncs begin when they may. */
function holding(disk: Disk, hold: (path: string) => Promise<void> | null): Disk {
  const open: Disk["open"] = (path, options) => {
    const file = disk.open(path, options);
    const sync = async () => {
      await hold(path);
      return file.sync();
    };
    return { path: file.path, size: () => file.size(), writeAt: (at, parts) => file.writeAt(at, parts), readAt: (at, into) => file.readAt(at, into), read: (at, into) => file.read(at, into), sync, truncate: (to) => file.truncate(to), close: () => file.close() };
  };
  return {
    open,
    readFile: (path) => disk.readFile(path),
    exists: (path) => disk.exists(path),
    list: (path) => disk.list(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    unlink: (path) => disk.unlink(path),
    removeTree: (path) => disk.removeTree(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    lock: (path) => disk.lock(path),
    freeBytes: (path) => disk.freeBytes(path),
    bootId: () => disk.bootId(),
  };
}

type Partition = ReturnType<HandCluster["partition"]>;

function change(p: Partition, to: Partial<Pick<PartitionChange, "isr" | "leader" | "leaderEpoch">>): PartitionChange {
  return { index: p.index, isr: p.isr, elr: p.elr, lastKnownElr: p.lastKnownElr, leader: p.leader, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch + 1, recovering: p.recovering, directories: null, unclean: false, ...to };
}

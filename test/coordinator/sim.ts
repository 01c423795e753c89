/** A small world for coordinators: a clock that moves when told, and a partition whose high watermark and reigns the test decides. */
import { epoch, nodeId, offset, uuid, type Epoch, type Offset, type Uuid } from "../../src/base/ids.js";
import type { Coordination } from "../../src/coordination/coordination.js";
import { createGroupCoordinator, type GroupCoordinator, type GroupRequestContext } from "../../src/coordinator/group/coordinator.js";
import type { ImageChanges, MetadataImage, TopicImage } from "../../src/metadata/image.js";
import { errorName, type ErrorName } from "../../src/protocol/errors.js";
import { readBatchHeader, stampBase } from "../../src/records/batch.js";
import type { LeaderLog, Replicas } from "../../src/replication/replicas.js";
import type { Clock, Timer } from "../../src/world/clock.js";
import type { World } from "../../src/world/world.js";

export class SimClock implements Clock {
  #now = 1_000;
  #order = 0;
  #timers: { readonly atMs: number; readonly order: number; readonly fn: () => void }[] = [];
  #soon: (() => void)[] = [];

  nowMs = () => this.#now;
  wallMs = () => 1_700_000_000_000 + Math.floor(this.#now);

  after(delayMs: number, fn: () => void): Timer {
    const timer = { atMs: this.#now + delayMs, order: this.#order++, fn };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  soon(fn: () => void): void {
    this.#soon.push(fn);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => this.soon(resolve));
  }

  /** Everything that can happen without time passing. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const soon = this.#soon;
      this.#soon = [];
      for (const fn of soon) fn();
      quiet = soon.length === 0 ? quiet + 1 : 0;
    }
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.settle();
    for (;;) {
      const next = this.#timers.filter((timer) => timer.atMs <= until).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.atMs);
      next.fn();
      await this.settle();
    }
    this.#now = until;
  }
}

/** What outlives coordinators: batches, and how far they are committed. */
export class Partition {
  readonly batches: { readonly base: number; readonly last: number; readonly bytes: Uint8Array }[] = [];
  highWatermark = 0;
  epoch = 0;
  /** Appends are refused with it. */
  refuse: ErrorName | null = null;
  /** Commits at once, or waits for `commit()`. */
  auto = true;
  #reign: { readonly waits: { readonly end: number; readonly done: (committed: boolean) => void }[]; leading: boolean } | null = null;

  constructor(readonly clock: SimClock) {}

  get end(): number {
    return (this.batches.at(-1)?.last ?? -1) + 1;
  }

  commit(upTo = this.end): void {
    this.highWatermark = Math.max(this.highWatermark, upTo);
    const reign = this.#reign;
    if (reign === null) return;
    for (const wait of reign.waits.splice(0)) {
      if (wait.end <= this.highWatermark) wait.done(true);
      else reign.waits.push(wait);
    }
  }

  endReign(): void {
    const reign = this.#reign;
    this.#reign = null;
    if (reign === null) return;
    reign.leading = false;
    for (const wait of reign.waits.splice(0)) wait.done(false);
  }

  /** Uncommitted batches from this offset on are lost in the change of leaders. */
  lose(from: number): void {
    const at = Math.max(from, this.highWatermark);
    while ((this.batches.at(-1)?.last ?? -1) >= at) this.batches.pop();
  }

  beginReign(): LeaderLog {
    this.endReign();
    const reign = { waits: [] as { end: number; done: (committed: boolean) => void }[], leading: true };
    this.#reign = reign;
    const number = ++this.epoch;
    const partition = this;
    if (this.auto) this.clock.soon(() => reign.leading && this.commit());
    return {
      epoch: epoch(number),
      start: offset(partition.batches[0]?.base ?? 0),
      get end() {
        return offset(partition.end);
      },
      get highWatermark() {
        return offset(partition.highWatermark);
      },
      get leading() {
        return reign.leading;
      },
      read(from: Offset, maxBytes: number) {
        const parts: Uint8Array[] = [];
        let next: number = from;
        let bytes = 0;
        for (const batch of partition.batches) {
          if (batch.last < from) continue;
          if (bytes > 0 && bytes + batch.bytes.length > maxBytes) break;
          parts.push(Buffer.from(batch.bytes));
          bytes += batch.bytes.length;
          next = batch.last + 1;
        }
        return Promise.resolve({ parts, next: offset(next), release: () => parts.forEach((part) => part.fill(0xee)) });
      },
      append(batch: Uint8Array) {
        if (!reign.leading) return { ok: false, error: "NOT_LEADER_OR_FOLLOWER" };
        if (partition.refuse !== null) return { ok: false, error: partition.refuse };
        const base = partition.end;
        stampBase(batch, 0, { offset: base, epoch: number });
        const last = base + readBatchHeader(batch).lastOffsetDelta;
        partition.batches.push({ base, last, bytes: batch });
        const committed = new Promise<boolean>((done) => reign.waits.push({ end: last + 1, done }));
        if (partition.auto) partition.clock.soon(() => reign.leading && partition.commit(last + 1));
        return { ok: true, base: offset(base), last: offset(last), committed };
      },
    };
  }
}

type ImageListener = (image: MetadataImage, previous: MetadataImage | null, changes: ImageChanges) => void;

export interface FakeTopic {
  readonly name: string;
  readonly id: Uuid;
  readonly partitions: number;
}

export const TOPIC_IDS = { offsets: uuid("AAAAAAAAAAAAAAAAAAAAAQ"), t: uuid("vDBCEk5vy2Lkh-UFMaPwNA"), u: uuid("ZeXe46VvwiynJppx4Dodeg") };

export const DEFAULTS: { readonly [name: string]: number } = {
  "group.min.session.timeout.ms": 6_000, "group.max.session.timeout.ms": 1_800_000, "group.max.size": 2_147_483_647, "group.initial.rebalance.delay.ms": 3_000,
  "offsets.commit.timeout.ms": 5_000, "offset.metadata.max.bytes": 4_096, "offsets.retention.minutes": 10_080, "offsets.retention.check.interval.ms": 600_000,
  "offsets.topic.num.partitions": 50, "offsets.topic.replication.factor": 3, "offsets.topic.segment.bytes": 104_857_600,
};

/** One partition of the offsets topic and whoever coordinates it. */
export class GroupSim {
  readonly clock = new SimClock();
  readonly partition = new Partition(this.clock);
  topics: FakeTopic[] = [
    { name: "__consumer_offsets", id: TOPIC_IDS.offsets, partitions: 1 },
    { name: "t", id: TOPIC_IDS.t, partitions: 3 },
    { name: "u", id: TOPIC_IDS.u, partitions: 2 },
  ];
  readonly admin: unknown[] = [];
  adminError: ErrorName = "NONE";
  readonly halts: unknown[] = [];
  readonly warnings: string[] = [];
  leased = true;
  confirms: boolean[] = [];
  asked = 0;
  groups!: GroupCoordinator; // made by start()
  #listener: ((partition: number, reign: { readonly epoch: Epoch } | null) => void) | null = null;
  #images: ImageListener[] = [];
  #log: LeaderLog | null = null;
  #ids = 0;

  constructor(readonly settings: { readonly [name: string]: number } = {}) {}

  static async started(settings: { readonly [name: string]: number } = {}): Promise<GroupSim> {
    const sim = new GroupSim(settings);
    sim.make();
    sim.lead();
    await sim.clock.settle();
    return sim;
  }

  /** A fresh process: nothing is remembered but the partition. */
  make(): void {
    this.#images = [];
    this.groups = createGroupCoordinator(this.world(), { replicas: this.#replicas(), coordination: this.coordination(), settings: { number: (name) => this.settings[name] ?? DEFAULTS[name] ?? NaN } });
  }

  lead(): void {
    this.#log = this.partition.beginReign();
    this.#listener?.(0, { epoch: this.#log.epoch });
  }

  resign(): void {
    this.partition.endReign();
    this.#log = null;
    this.#listener?.(0, null);
  }

  /** The broker dies; another takes over with what is committed, and with the uncommitted below `keep`. */
  async failover(keep = 0): Promise<void> {
    this.resign();
    this.groups.close();
    this.partition.lose(keep);
    this.make();
    this.lead();
    await this.clock.advance(50);
  }

  deleteTopic(name: string): void {
    const topic = this.topics.find((one) => one.name === name);
    if (topic === undefined) throw new Error(`no topic ${name}`);
    this.topics = this.topics.filter((one) => one !== topic);
    const changes: ImageChanges = { topicsMade: new Set(), topicsDeleted: new Map([[topic.id, topic.name]]), partitions: new Map(), brokers: new Set(), configs: new Set() };
    for (const tell of this.#images) tell(this.#image(), null, changes);
  }

  world(): World {
    const halt = (reason: string, cause: unknown) => void this.halts.push(cause ?? reason);
    const quiet = { debug() {}, info() {}, warn: (_: object, message: string) => void this.warnings.push(message), error() {}, with: () => quiet };
    const random = { below: () => 0, fraction: () => 0.5, uuid: () => TOPIC_IDS.t, uuidLong: () => `uuid${++this.#ids}`, bytes: (count: number) => new Uint8Array(count) };
    const own = (promise: Promise<unknown>, what: string) => void promise.catch((error: unknown) => halt(what, error));
    return { clock: this.clock, random, logger: quiet, own, halt, halted: false } as unknown as World; // coordinators use no more of it
  }

  #replicas(): Replicas {
    const replicas: Pick<Replicas, "onLeadership" | "leaderLog"> = {
      onLeadership: (_topic, listener) => void (this.#listener = listener),
      leaderLog: (_topic, _partition, at) => (this.#log?.epoch === at ? this.#log : null),
    };
    return replicas as Replicas; // coordinators use no more of it
  }

  #image(): MetadataImage {
    const images: TopicImage[] = this.topics.map((topic) => ({
      id: topic.id, name: topic.name, partitionCount: topic.partitions,
      partition: (index) => (index < topic.partitions && index >= 0 ? { topicId: topic.id, index, replicas: [nodeId(1)], directories: [], isr: [nodeId(1)], elr: [], lastKnownElr: [], leader: nodeId(1), leaderEpoch: epoch(1), partitionEpoch: 1, recovering: false } : null),
    }));
    const broker = { id: nodeId(1), fenced: false, listeners: [{ name: "PLAINTEXT", host: "one", port: 9092, protocol: "PLAINTEXT" }, { name: "OUTSIDE", host: "out", port: 9093, protocol: "PLAINTEXT" }] };
    return { topic: (name: string) => images.find((one) => one.name === name) ?? null, topicById: (id: Uuid) => images.find((one) => one.id === id) ?? null, broker: () => broker } as unknown as MetadataImage;
  }

  coordination(): Coordination {
    const sim = this;
    return {
      get image() {
        return sim.#image();
      },
      get leased() {
        return sim.leased;
      },
      onImage: (listener: ImageListener) => void sim.#images.push(listener),
      confirmLease: () => {
        sim.asked++;
        return Promise.resolve(sim.confirms.shift() ?? false);
      },
      admin: (command: unknown) => {
        sim.admin.push(command);
        return Promise.resolve({ error: null, message: null, results: [{ error: sim.adminError, message: null, name: "" }] });
      },
    } as unknown as Coordination; // coordinators use no more of it
  }

  /** Lets what can happen happen, then says whether it did. */
  async now<T>(promise: Promise<T>): Promise<T | "waits"> {
    let answer: T | "waits" = "waits";
    void promise.then((value) => (answer = value));
    await this.clock.settle();
    return answer;
  }
}

export const context = (version: number): GroupRequestContext => ({ version, clientId: "client", clientHost: "/127.0.0.1" });

export const named = (answer: { readonly errorCode?: number | undefined }): ErrorName => errorName(answer.errorCode ?? 0);

/** A subscription as consumers send it, version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const parts = [Buffer.from([0, 0, 0, 0, 0, topics.length])];
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic));
  return Buffer.concat([...parts, Buffer.from([255, 255, 255, 255])]);
}

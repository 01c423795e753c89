/** One replica on this broker: its log, its role, its high watermark. Decisions are in leader-view.ts; this joins them with the log. */
import { assert } from "../base/assert.js";
import { epoch as toEpoch, offset as toOffset, type Epoch, type NodeId, type Offset, type Uuid } from "../base/ids.js";
import type { LogSettings, PartitionLog } from "../log/partition-log.js";
import type { PartitionImage } from "../metadata/image.js";
import type { EffectiveTopicSettings } from "../metadata/topic-settings.js";
import type { CodecName } from "../records/batch.js";
import type { ReplicaInspection } from "./replicas.js";
import { advanceHighWatermark, checkLeader, makeLeaderView, onOwnAppend, settleIsr, type LeaderView } from "./leader-view.js";

/** What of a topic's settings replication needs, read once for each change of them. */
export interface TopicRules {
  readonly log: LogSettings;
  readonly durable: boolean;
  readonly compacted: boolean;
  readonly logAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly compression: "producer" | CodecName;
}

export type Role =
  | { readonly name: "leader"; readonly view: LeaderView }
  | { readonly name: "follower"; readonly leader: NodeId; readonly epoch: Epoch }
  | { readonly name: "offline"; readonly epoch: Epoch };

export class Replica {
  role: Role = { name: "offline", epoch: toEpoch(-1) };
  /** Of a follower; a leader's is in its view. */
  #mark: number;
  /** The leader's high watermark as it told it last in this reign; -1 before. It may lie above what our disk holds yet. */
  #toldMark = -1;
  #writtenEnd: number; // when we last looked
  #busy: Promise<void> | null = null;
  /** Rules that count once the disk holds what was committed under laxer ones. */
  #stricter: TopicRules | null = null;

  readonly #listeners = new Set<() => void>();

  constructor(readonly key: string, readonly log: PartitionLog, public rules: TopicRules, highWatermark: number, readonly moved: (replica: Replica) => void, readonly nowMs: () => number) {
    this.#mark = Math.min(Math.max(highWatermark, log.start), log.durableEnd);
    this.#writtenEnd = log.writtenEnd;
    log.onProgress(() => this.progressed());
  }

  /** Ends, marks or the role have changed: whoever waits may look again. */
  onMove(): void {
    this.moved(this);
    for (const listener of [...this.#listeners]) listener();
  }

  alsoOnMove(listener: () => void): void {
    this.#listeners.add(listener);
  }

  offMove(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  get topic(): string {
    return this.log.topic;
  }

  get topicId(): Uuid {
    return this.log.topicId;
  }

  get partition(): number {
    return this.log.partition;
  }

  get highWatermark(): Offset {
    return toOffset(this.role.name === "leader" ? this.role.view.highWatermark : this.#mark);
  }

  /** End of what a reader with read_committed may see. */
  get lastStable(): Offset {
    const open = this.log.firstUnstable;
    return open === null ? this.highWatermark : toOffset(Math.min(open, this.highWatermark));
  }

  get epoch(): number {
    return this.role.name === "leader" ? this.role.view.epoch : this.role.epoch;
  }

  /** What this broker's disk counts for: written is enough on lax topics. */
  get countedEnd(): Offset {
    return this.rules.durable ? this.log.durableEnd : this.log.writtenEnd;
  }

  /** True while the log is being cut or begun anew: nobody appends, fetches or begins a reign meanwhile. */
  get busy(): boolean {
    return this.#busy !== null;
  }

  /** Work on the log that must have it alone. One at a time. */
  alone(work: () => Promise<void>): Promise<void> {
    assert(this.#busy === null, "a log is cut by one at a time");
    const done = work().then(() => {
      this.#busy = null;
      this.boundHighWatermark();
      this.onMove();
    });
    this.#busy = done;
    return done;
  }

  /** Resolves when nobody has the log alone. */
  async idle(): Promise<void> {
    while (this.#busy !== null) await this.#busy;
  }

  /** New settings. What was committed as written only must be on the disk before the durable rule counts again. */
  obey(rules: TopicRules): void {
    const wait = rules.durable && !this.rules.durable && this.highWatermark > this.log.durableEnd;
    this.#stricter = wait ? rules : null;
    this.rules = wait ? { ...rules, durable: false } : rules;
    this.log.configure(rules.log);
    if (rules.durable) this.log.requestSync();
    this.progressed();
  }

  progressed(): void {
    if (this.#stricter !== null && this.highWatermark <= this.log.durableEnd) {
      this.rules = this.#stricter;
      this.#stricter = null;
      if (this.log.durableEnd < this.log.end) this.log.requestSync(); // appended meanwhile, under the laxer rule
    }
    if (this.role.name === "leader") {
      if (this.log.writtenEnd > this.#writtenEnd) onOwnAppend(this.role.view, this.#writtenEnd, this.nowMs());
      advanceHighWatermark(this.role.view, this.countedEnd);
      this.check();
    } else this.#followMark();
    this.#writtenEnd = this.log.writtenEnd;
    this.onMove();
  }

  /** Begins a reign that the feed has told of. The epoch's start is durable before anything in it is acknowledged. */
  lead(self: NodeId, image: PartitionImage, minIsr: number, nowMs: number): void {
    assert(!this.busy, "a log that is being cut cannot be led");
    const mark = this.highWatermark;
    this.log.beginEpoch(image.leaderEpoch);
    this.role = { name: "leader", view: makeLeaderView(self, image, { epochStart: this.log.end, highWatermark: mark, minIsr, nowMs }) };
    this.log.requestSync();
    this.progressed();
  }

  follow(leader: NodeId, epoch: Epoch): void {
    this.#mark = this.highWatermark;
    this.#toldMark = -1;
    this.role = { name: "follower", leader, epoch };
    if (this.log.durableEnd < this.log.end) this.log.requestSync(); // a fetch asks from the durable end, so that must be the end
    this.onMove();
  }

  goOffline(epoch: Epoch): void {
    this.#mark = this.highWatermark;
    this.#toldMark = -1;
    this.role = { name: "offline", epoch };
    this.onMove();
  }

  /** The leader has told its high watermark; ours never passes what we hold, and follows as our disk does: it may not be told twice. */
  learnHighWatermark(mark: number): void {
    assert(this.role.name === "follower", "only a follower is told");
    this.#toldMark = mark;
    if (this.#followMark()) this.moved(this);
  }

  #followMark(): boolean {
    const next = Math.min(this.#toldMark, this.countedEnd);
    if (next <= this.#mark) return false;
    this.#mark = next;
    return true;
  }

  /** After a truncation the mark cannot lie above the end. */
  boundHighWatermark(): void {
    this.#toldMark = -1;
    this.#mark = Math.max(this.log.start, Math.min(this.#mark, this.log.end));
  }

  settle(image: PartitionImage): void {
    assert(this.role.name === "leader", "only a leader has an ISR to settle");
    settleIsr(this.role.view, image);
    this.progressed();
  }

  check(): void {
    if (this.role.name === "leader") checkLeader(this.role.view, this.log, this.rules.durable);
  }

  inspect(): ReplicaInspection {
    const { topic, partition, role, epoch, highWatermark, log } = this;
    return { topic, partition, role: role.name, epoch, start: log.start, highWatermark, durableEnd: log.durableEnd, end: log.end, isr: role.name === "leader" ? role.view.isr : [] };
  }
}

/** @param settings in force for the topic */
export function topicRules(settings: EffectiveTopicSettings, producerExpirationMs: number): TopicRules {
  const cleanup = settings.list("cleanup.policy");
  const compression = settings.text("compression.type") ?? "producer";
  return {
    log: {
      segmentBytes: settings.number(settings.text("internal.segment.bytes") === null ? "segment.bytes" : "internal.segment.bytes"), // below 1 MiB only for tests, as in Kafka
      segmentMs: settings.number("segment.ms"),
      segmentIndexBytes: settings.number("segment.index.bytes"),
      indexIntervalBytes: settings.number("index.interval.bytes"),
      retentionMs: settings.number("retention.ms"),
      retentionBytes: settings.number("retention.bytes"),
      fileDeleteDelayMs: settings.number("file.delete.delay.ms"),
      cleanupDelete: cleanup.includes("delete") && !cleanup.includes("compact"), // until compaction exists nothing is deleted where it is asked for
      flushMessages: settings.number("flush.messages"),
      flushMs: settings.number("flush.ms"),
      maxMessageBytes: settings.number("max.message.bytes"),
      producerExpirationMs,
    },
    durable: settings.flag("kontiki.acks.durable"),
    compacted: cleanup.includes("compact"),
    logAppendTime: settings.text("message.timestamp.type") === "LogAppendTime",
    timestampBeforeMaxMs: settings.number("message.timestamp.before.max.ms"),
    timestampAfterMaxMs: settings.number("message.timestamp.after.max.ms"),
    compression: compression === "producer" ? "producer" : compression === "uncompressed" ? "none" : (compression as CodecName), // validated when it was set
  };
}

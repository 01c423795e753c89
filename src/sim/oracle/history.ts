/**
 * What clients did and saw, in order of time: each operation as `invoke`, then `ok`, `fail` or `info` (it may have happened, now or later), and what
 * brokers showed them. Small objects that the rules read as they come; as lines of NDJSON for whoever wants to look, after Jepsen's histories.
 */

/** One partition of one incarnation of a topic. */
export interface Partition {
  readonly number: number;
  readonly topic: string;
  readonly topicId: string;
  readonly index: number;
  readonly text: string;
}

/** One incarnation of a producer: values of one numbering, and if it is idempotent one producer id. */
export interface Writer {
  readonly number: number;
  readonly client: string;
  readonly idempotent: boolean;
  readonly perBatch: number;
  readonly writes: Write[];
}

export type Outcome = "open" | "ok" | "fail" | "info";

/** One batch. Its values are `writer.number`, and `index * perBatch` and on. */
export interface Write {
  readonly writer: Writer;
  readonly index: number;
  readonly partition: Partition;
  readonly count: number;
  readonly acks: 0 | 1 | -1;
  readonly invokedMs: number;
  /** The batch before it of the same writer in the same partition. */
  readonly before: Write | null;
  /** How often it was sent, and of these how often the answer did not rule out that it was appended. */
  attempts: number;
  unknowns: number;
  /** The leader's epoch as the client knew it when it sent last. */
  epoch: number;
  /** When it was sent last. */
  sentMs: number;
  outcome: Outcome;
  endedMs: number;
  why: string;
  /** Where the first record is, by the acknowledgement; -1 if none told. */
  offset: number;
  /** Where readers saw the first record, as told by each record's own place; more than one if it was appended more than once. */
  places: number[];
}

/** What one answer showed a reader of one partition. */
export interface Poll {
  readonly reader: string;
  readonly partition: Partition;
  /** Where it asked to read. */
  readonly position: number;
  /** Of the leader that answered. */
  readonly epoch: number;
  readonly invokedMs: number;
  /** From `position` on: those that a batch holds before it are left out. */
  readonly offsets: readonly number[];
  /** FOREIGN where the record is not one of ours or not whole. */
  readonly values: readonly number[];
  /** Last offset of the last batch; below `position` if there was none. */
  readonly last: number;
  /** Largest partition leader epoch of the batches, -1 if there were none. */
  readonly batchEpoch: number;
  readonly highWatermark: number;
  /** -1 if not told. */
  readonly logStart: number;
  /** What is wrong with the bytes themselves. */
  readonly damage: string | null;
}

/** The end of what may be read, as ListOffsets told it (`fetched` false) or Fetch. */
export interface EndShown {
  readonly reader: string;
  readonly partition: Partition;
  readonly epoch: number;
  readonly invokedMs: number;
  readonly end: number;
  readonly fetched: boolean;
}

export interface StartShown {
  readonly reader: string;
  readonly partition: Partition;
  readonly invokedMs: number;
  readonly epoch: number;
  readonly start: number;
}

/** A position that a reader had come to by reading was refused. */
export interface OutOfRange {
  readonly reader: string;
  readonly partition: Partition;
  readonly epoch: number;
  readonly invokedMs: number;
  readonly position: number;
  /** The log's start, asked for afterwards. */
  readonly start: number;
}

export interface Member {
  readonly group: string;
  /** Client and incarnation. */
  readonly name: string;
}

/** A member has its assignment of a generation. */
export interface Assigned {
  readonly member: Member;
  readonly memberId: string;
  /** Of a static member: whoever comes back under it takes over what it had. */
  readonly instance: string | null;
  readonly generation: number;
  /** When it asked to join, and when to sync. */
  readonly joinedMs: number;
  readonly invokedMs: number;
  readonly partitions: readonly Partition[];
}

export interface Commit {
  readonly member: Member;
  readonly generation: number;
  readonly partition: Partition;
  readonly offset: number;
  readonly invokedMs: number;
  outcome: Outcome;
  endedMs: number;
  why: string;
}

export interface CommittedShown {
  readonly member: Member;
  readonly partition: Partition;
  readonly invokedMs: number;
  /** -1: none. */
  readonly offset: number;
}

export type AdminWork =
  | { readonly kind: "create"; readonly topic: string; topicId: string; readonly partitions: number }
  | { readonly kind: "delete"; readonly topic: string; readonly topicId: string }
  | { readonly kind: "grow"; readonly topic: string; readonly topicId: string; readonly partitions: number }
  | { readonly kind: "alter"; readonly topic: string; readonly topicId: string; readonly setting: string; readonly value: string }
  | { readonly kind: "trim"; readonly partition: Partition; readonly offset: number; lowWatermark: number }
  | { readonly kind: "elect"; readonly topic: string };

export interface AdminOp {
  readonly client: string;
  readonly work: AdminWork;
  readonly invokedMs: number;
  outcome: Outcome;
  endedMs: number;
  why: string;
}

/** What a broker's Metadata told about topics. */
export interface MetadataShown {
  readonly client: string;
  /** The broker and which of its incarnations: they differ in what they may have seen. */
  readonly broker: string;
  readonly invokedMs: number;
  readonly topics: readonly { readonly name: string; readonly id: string; readonly partitions: readonly { readonly index: number; readonly leader: number; readonly epoch: number }[] }[];
  /** Names that were asked for and are unknown there. */
  readonly unknown: readonly string[];
  /** All has healed, and every broker must know all by now. */
  readonly final: boolean;
}

/** One partition as the final reader found it. */
export interface FinalLog {
  readonly partition: Partition;
  readonly epoch: number;
  readonly start: number;
  readonly end: number;
  /** By offset - start. */
  readonly values: readonly number[];
}

/** Where a reader of the run is at the very end. */
export interface FinalPosition {
  readonly reader: string;
  readonly partition: Partition;
  readonly position: number;
}

export type Entry =
  | { readonly f: "write"; readonly type: "invoke" | "ok" | "fail" | "info"; readonly atMs: number; readonly write: Write }
  | { readonly f: "poll"; readonly atMs: number; readonly poll: Poll }
  | { readonly f: "end"; readonly atMs: number; readonly shown: EndShown }
  | { readonly f: "start"; readonly atMs: number; readonly shown: StartShown }
  | { readonly f: "out-of-range"; readonly atMs: number; readonly refused: OutOfRange }
  /** An idempotent producer was told that its sequences do not follow, for the batch after one that all have. */
  | { readonly f: "sequence-broken"; readonly atMs: number; readonly write: Write }
  | { readonly f: "assigned"; readonly atMs: number; readonly assigned: Assigned }
  | { readonly f: "commit"; readonly type: "invoke" | "ok" | "fail" | "info"; readonly atMs: number; readonly commit: Commit }
  | { readonly f: "committed"; readonly atMs: number; readonly shown: CommittedShown }
  /** A member has read up to there, from `from`. */
  | { readonly f: "member-polled"; readonly atMs: number; readonly member: Member; readonly partition: Partition; readonly from: number; readonly to: number }
  | { readonly f: "admin"; readonly type: "invoke" | "ok" | "fail" | "info"; readonly atMs: number; readonly op: AdminOp }
  | { readonly f: "metadata"; readonly atMs: number; readonly shown: MetadataShown }
  | { readonly f: "final-log"; readonly atMs: number; readonly log: FinalLog }
  | { readonly f: "final-position"; readonly atMs: number; readonly at: FinalPosition }
  /** All final entries have been given. */
  | { readonly f: "over"; readonly atMs: number };

/** No value of ours. */
export const FOREIGN = -1;

const COUNTERS = 2 ** 32;

/** A value is its writer's number and a counter, in one number. */
export function valueOf(writer: number, counter: number): number {
  return writer * COUNTERS + counter;
}

export function writerOf(value: number): number {
  return Math.floor(value / COUNTERS);
}

export function counterOf(value: number): number {
  return value % COUNTERS;
}

export function valueText(value: number | undefined): string {
  return value === undefined ? "nothing" : value === FOREIGN ? "foreign bytes" : `${writerOf(value)}.${counterOf(value)}`;
}

export function writeText(write: Write): string {
  return `batch ${write.writer.number}.${write.index * write.writer.perBatch} (${write.count} records of ${write.writer.client}, acks ${write.acks}, ${write.outcome}${write.why === "" ? "" : ` ${write.why}`}${write.offset < 0 ? "" : ` at ${write.offset}`}, sent ${write.attempts} times, ${Math.round(write.invokedMs)}-${Math.round(write.endedMs)} ms)`;
}

export class History {
  readonly entries: Entry[] = [];

  /** As lines of JSON, made one by one. */
  *lines(): Generator<string, void, void> {
    for (const entry of this.entries) yield JSON.stringify(flat(entry));
  }
}

/** An entry without what it shares with others, or what became of it later. */
function flat(entry: Entry): object {
  const atMs = Math.round(entry.atMs * 1000) / 1000;
  switch (entry.f) {
    case "write": {
      const { write } = entry;
      const named = { f: entry.f, type: entry.type, atMs, client: write.writer.client, writer: write.writer.number, batch: write.index, partition: write.partition.text, count: write.count, acks: write.acks };
      return entry.type === "invoke" ? named : { ...named, offset: write.offset, attempts: write.attempts, why: write.why };
    }
    case "sequence-broken":
      return { f: entry.f, atMs, writer: entry.write.writer.number, batch: entry.write.index, partition: entry.write.partition.text };
    case "poll": {
      const { partition, values, offsets, ...rest } = entry.poll;
      return { f: entry.f, atMs, ...rest, partition: partition.text, offsets, values: values.map(valueText) };
    }
    case "end":
    case "start":
    case "committed":
      return { f: entry.f, atMs, ...entry.shown, partition: entry.shown.partition.text };
    case "out-of-range":
      return { f: entry.f, atMs, ...entry.refused, partition: entry.refused.partition.text };
    case "assigned":
      return { f: entry.f, atMs, ...entry.assigned, partitions: entry.assigned.partitions.map(({ text }) => text) };
    case "commit": {
      const { commit } = entry;
      const named = { f: entry.f, type: entry.type, atMs, member: commit.member.name, group: commit.member.group, generation: commit.generation, partition: commit.partition.text, offset: commit.offset };
      return entry.type === "invoke" ? named : { ...named, why: commit.why };
    }
    case "member-polled":
      return { ...entry, atMs, member: entry.member.name, partition: entry.partition.text };
    case "admin":
      return { f: entry.f, type: entry.type, atMs, client: entry.op.client, ...entry.op.work, ...(entry.op.work.kind === "trim" ? { partition: entry.op.work.partition.text } : {}), ...(entry.type === "invoke" ? {} : { why: entry.op.why }) };
    case "metadata":
      return { f: entry.f, atMs, ...entry.shown };
    case "final-log":
      return { f: entry.f, atMs, partition: entry.log.partition.text, epoch: entry.log.epoch, start: entry.log.start, end: entry.log.end };
    case "final-position":
      return { f: entry.f, atMs, ...entry.at, partition: entry.at.partition.text };
    case "over":
      return { f: entry.f, atMs };
  }
}

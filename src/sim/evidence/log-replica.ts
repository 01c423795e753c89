/** One partition's folder on one node's disk: its batches as written and as durable, read from the bytes of its segments. */
import { crc32c } from "../../base/crc32c.js";
import type { FileContent } from "../file-content.js";
import type { MachineDisk } from "../machine-disk.js";
import { type Placed, RecordFile, type RecordFileEvents } from "./record-file.js";

/** A batch as some disk had it: base offset, leader epoch, size and checksum name it. */
export interface BatchFact {
  readonly base: number;
  readonly last: number;
  readonly epoch: number;
  readonly crc: number;
  readonly bytes: number;
  readonly producerId: number; // -1 for none
  readonly producerEpoch: number;
  readonly sequence: number;
  readonly control: boolean;
  readonly timestampMs: number;
  /** Who wrote it first. */
  readonly node: number;
}

export interface LogEvents {
  /** A batch that no disk had before. */
  born(replica: LogReplica, fact: BatchFact): void;
  /** @param before the batch in front of it; null for the first one */
  added(replica: LogReplica, fact: BatchFact, before: BatchFact | null): void;
  /** The node took them out from the end, newest last. */
  cut(replica: LogReplica, facts: readonly BatchFact[]): void;
  hardened(replica: LogReplica): void;
  clash(replica: LogReplica, known: BatchFact, text: string): void;
}

const HEADER_BYTES = 61;
const OVERHEAD_BYTES = 12;
const CRC_FROM = 21;

/** Every batch of a partition that any node ever wrote. */
export class PartitionFacts {
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
  readonly #byBase = new Map<number, BatchFact[]>();
  /** Of one epoch, in order of offset. */
  readonly byEpoch = new Map<number, BatchFact[]>();
  /** Committed batches in order, and where they end: the largest high watermark that a leader had. */
  readonly committed: BatchFact[] = [];
  committedEnd = 0;
  /** The largest log start that a leader had. */
  start = 0;
  /** Somebody outside ISR and ELR was elected: from then on committed records may be gone, and nothing more is asked of them. */
  unclean = false;
  /** A topic that counts what is written: power may take it away. */
  lax = false;

  constructor(topicId: string, topic: string, partition: number) {
    this.topicId = topicId;
    this.topic = topic;
    this.partition = partition;
  }

  get name(): string {
    return `${this.topic}-${this.partition}`;
  }

  at(base: number): readonly BatchFact[] {
    return this.#byBase.get(base) ?? [];
  }

  of(base: number, epoch: number): BatchFact | null {
    return this.#byBase.get(base)?.find((fact) => fact.epoch === epoch) ?? null;
  }

  /** @returns one of the same epoch that shares an offset with it; null: all is well */
  add(fact: BatchFact): BatchFact | null {
    const same = this.#byBase.get(fact.base);
    if (same === undefined) this.#byBase.set(fact.base, [fact]);
    else same.push(fact);
    let reign = this.byEpoch.get(fact.epoch);
    if (reign === undefined) this.byEpoch.set(fact.epoch, (reign = []));
    let at = reign.length;
    while (at > 0 && (reign[at - 1]?.base ?? 0) > fact.base) at--;
    const [before, after] = [reign[at - 1], reign[at]];
    reign.splice(at, 0, fact);
    if (before !== undefined && before.last >= fact.base) return before;
    return after !== undefined && after.base <= fact.last ? after : null;
  }

  /** The committed batch that holds an offset, or the first one after it. */
  committedFrom(offset: number): number {
    let [low, high] = [0, this.committed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.committed[middle]?.last ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class LogReplica implements RecordFileEvents<BatchFact> {
  readonly node: number;
  readonly folder: string;
  readonly facts: PartitionFacts;
  readonly #disk: MachineDisk;
  readonly #events: LogEvents;
  readonly #tracked: Map<FileContent, LogReplica>;
  readonly #files = new Map<FileContent, RecordFile<BatchFact>>();
  #written: readonly RecordFile<BatchFact>[] = [];
  #durable: readonly RecordFile<BatchFact>[] = [];
  #quiet = true;
  /** Names of segments are not the same with and without power. */
  #unsettled = true;
  /** The last batch written. */
  #tail: BatchFact | null = null;

  /** @param tracked where the replica of each open segment is looked up */
  constructor(node: number, folder: string, facts: PartitionFacts, disk: MachineDisk, tracked: Map<FileContent, LogReplica>, events: LogEvents) {
    this.node = node;
    this.folder = folder;
    this.facts = facts;
    this.#disk = disk;
    this.#tracked = tracked;
    this.#events = events;
    this.named();
    this.namesSynced();
    this.#quiet = false;
  }

  get name(): string {
    return this.facts.name;
  }

  // ------------------------------------------------------------------------------------------------------------ what the disk does

  wrote(file: FileContent, position: number): void {
    this.#files.get(file)?.wrote(position);
  }

  truncated(file: FileContent): void {
    this.#files.get(file)?.truncated();
  }

  synced(file: FileContent, snapshot: Parameters<RecordFile<BatchFact>["synced"]>[0]): void {
    this.#files.get(file)?.synced(snapshot);
    this.#events.hardened(this);
  }

  named(): void {
    this.#unsettled = true;
    const files = this.#list("entries");
    const gone = this.#written.filter((file) => !files.includes(file));
    this.#written = files;
    const first = files[0]?.base ?? Infinity;
    for (const file of gone) {
      this.#tracked.delete(file.content);
      // What goes in front is retention's; where nothing stays the log is begun anew.
      if ((files.length === 0 || file.base > first) && file.written.length > 0) this.cut(file, file.written.map((placed) => placed.record));
    }
    if (gone.length > 0) this.#tail = this.lastWritten;
  }

  /** Some of the names that had changed may be durable now. */
  namesSynced(): void {
    if (!this.#unsettled) return;
    this.#durable = this.#list("durable");
    this.#unsettled = this.#durable.length !== this.#written.length || this.#durable.some((file, i) => file !== this.#written[i]);
    for (const file of [...this.#files.keys()]) if (!this.#written.some((one) => one.content === file) && !this.#durable.some((one) => one.content === file)) this.#files.delete(file);
  }

  // ------------------------------------------------------------------------------------------------------------ what it holds

  /** Offset after the last written batch. */
  get end(): number {
    return endOf(this.#written, "written");
  }

  /** The same without power. */
  get durableEnd(): number {
    return endOf(this.#durable, "durable");
  }

  /** First offset of any batch that is there. */
  get start(): number {
    return this.#written[0]?.base ?? 0;
  }

  get lastWritten(): BatchFact | null {
    for (let i = this.#written.length - 1; i >= 0; i--) {
      const last = this.#written[i]?.written.at(-1);
      if (last !== undefined) return last.record;
    }
    return null;
  }

  holds(fact: BatchFact, view: "written" | "durable" = "written"): boolean {
    return this.batchAt(fact.base, view) === fact;
  }

  /** The batch that begins at this offset. */
  batchAt(base: number, view: "written" | "durable" = "written"): BatchFact | null {
    const list = this.#segmentFor(base, view)?.[view] ?? [];
    const at = lowerBound(list, base);
    const found = list[at]?.record;
    return found?.base === base ? found : null;
  }

  /** Batches that begin at or after an offset, in order, up to `end`. */
  *from(offset: number, end: number): IterableIterator<BatchFact> {
    for (const segment of this.#written) {
      const list = segment.written;
      if ((list.at(-1)?.record.base ?? -1) < offset) continue;
      for (let i = lowerBound(list, offset); i < list.length; i++) {
        const fact = list[i]?.record;
        if (fact === undefined || fact.base >= end) return;
        yield fact;
      }
    }
  }

  #segmentFor(base: number, view: "written" | "durable"): RecordFile<BatchFact> | undefined {
    const files = view === "written" ? this.#written : this.#durable;
    for (let i = files.length - 1; i >= 0; i--) if ((files[i]?.base ?? 0) <= base) return files[i];
    return undefined;
  }

  // ------------------------------------------------------------------------------------------------------------ from the files

  added(_file: RecordFile<BatchFact>, fact: BatchFact): void {
    const before = this.#tail;
    this.#tail = fact;
    if (!this.#quiet) this.#events.added(this, fact, before);
  }

  cut(_file: RecordFile<BatchFact>, facts: readonly BatchFact[]): void {
    this.#tail = this.lastWritten;
    if (!this.#quiet) this.#events.cut(this, facts);
  }

  hardened(): void {
    // told once a sync
  }

  readonly #read = (bytes: Buffer, at: number): Placed<BatchFact> | null => {
    if (bytes.length - at < HEADER_BYTES) return null;
    const size = OVERHEAD_BYTES + bytes.readInt32BE(at + 8);
    const end = at + size;
    if (size < HEADER_BYTES || end > bytes.length || bytes[at + 16] !== 2) return null;
    const crc = bytes.readUInt32BE(at + 17);
    if (crc32c(bytes.subarray(at + CRC_FROM, end)) !== crc) return null; // torn, or not whole yet
    const base = int64(bytes, at);
    const epoch = bytes.readInt32BE(at + 12);
    const known = this.facts.of(base, epoch);
    if (known !== null && known.crc === crc && known.bytes === size) return { record: known, at, end };
    const fact: BatchFact = {
      base,
      last: base + bytes.readInt32BE(at + 23),
      epoch,
      crc,
      bytes: size,
      producerId: int64(bytes, at + 43),
      producerEpoch: bytes.readInt16BE(at + 51),
      sequence: bytes.readInt32BE(at + 53),
      control: (bytes.readInt16BE(at + 21) & 32) !== 0,
      timestampMs: int64(bytes, at + 35),
      node: this.node,
    };
    if (known !== null) this.#events.clash(this, known, `${known.bytes} bytes with checksum ${known.crc} and ${size} with ${crc}`);
    else {
      const shares = this.facts.add(fact);
      if (shares !== null) this.#events.clash(this, shares, `offsets ${shares.base} to ${shares.last} are one batch and ${base} to ${fact.last} another`);
      this.#events.born(this, fact);
    }
    return { record: fact, at, end };
  };

  #list(view: "entries" | "durable"): readonly RecordFile<BatchFact>[] {
    const folder = this.#disk.tree.find(this.folder);
    if (folder?.kind !== "directory") return [];
    const files: RecordFile<BatchFact>[] = [];
    for (const name of [...folder[view].keys()].sort()) {
      const node = folder[view].get(name);
      if (node?.kind !== "file" || !/^\d{20}\.log$/.test(name)) continue;
      let file = this.#files.get(node);
      if (file === undefined) {
        file = new RecordFile(node, Number(name.slice(0, 20)), 0, this.#read, this);
        this.#files.set(node, file);
        file.reread();
      }
      this.#tracked.set(node, this);
      files.push(file);
    }
    return files;
  }
}

/** Of the newest segment; of the one before where the newest does not join to it. */
function endOf(files: readonly RecordFile<BatchFact>[], view: "written" | "durable"): number {
  for (let i = files.length - 1; i >= 0; i--) {
    const file = files[i];
    if (file === undefined) continue;
    const before = files[i - 1];
    const joins = before === undefined || (before[view].at(-1)?.record.last ?? before.base - 1) + 1 >= file.base;
    if (joins) return (file[view].at(-1)?.record.last ?? file.base - 1) + 1;
  }
  return 0;
}

/** The first place whose batch begins at or after an offset. */
function lowerBound(list: readonly Placed<BatchFact>[], offset: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.record.base ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

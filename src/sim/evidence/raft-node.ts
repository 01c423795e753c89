/** What one node's disk holds of the quorum: whose disk it is, term and vote, the log, snapshots. Read from the bytes, as written and as durable. */
import { crc32c } from "../../base/crc32c.js";
import { decodeMembership } from "../../raft/members.js";
import type { Membership } from "../../raft/types.js";
import type { FileContent } from "../file-content.js";
import type { MachineDisk } from "../machine-disk.js";
import { type Placed, RecordFile, type RecordFileEvents } from "./record-file.js";

/** `id/directory`: who votes. A wiped node has another one. */
export type VoterKey = string;

/** One entry of the quorum's log, as any disk had it. */
export interface EntryFact {
  readonly index: number;
  readonly term: number;
  /** Of the entry before it. */
  readonly previousTerm: number;
  /** 0 no-op, 1 data, 2 members. */
  readonly kind: number;
  readonly payload: Buffer;
  readonly members: Membership | null;
  /** The entry of the membership that is in force in a log that ends here: itself, or one before it. */
  inForce: EntryFact | null;
  /** On whose disks it was durable at some time. */
  readonly durableOn: Set<VoterKey>;
}

export interface Vote {
  readonly term: number;
  readonly votedFor: VoterKey | null;
}

export interface SnapshotPoint {
  readonly index: number;
  readonly term: number;
  readonly content: FileContent;
}

const RECORD_HEAD_BYTES = 29;
const SEGMENT_HEAD_BYTES = 32;

export interface RaftNodeEvents {
  /** Same index and term, and something else in it. */
  clash(node: RaftNode, known: EntryFact, text: string): void;
  entry(node: RaftNode, fact: EntryFact): void;
  cut(node: RaftNode, facts: readonly EntryFact[]): void;
  hardened(node: RaftNode, fact: EntryFact): void;
  vote(node: RaftNode, before: Vote | null, now: Vote): void;
  snapshot(node: RaftNode, point: SnapshotPoint): void;
}

/** Every entry that any node ever wrote, by index and term. */
export class EntryFacts {
  readonly #byIndex: EntryFact[][] = [];

  at(index: number): readonly EntryFact[] {
    return this.#byIndex[index] ?? [];
  }

  of(index: number, term: number): EntryFact | null {
    return this.#byIndex[index]?.find((fact) => fact.term === term) ?? null;
  }

  add(fact: EntryFact): EntryFact {
    (this.#byIndex[fact.index] ??= []).push(fact);
    return fact;
  }
}

export class RaftNode implements RecordFileEvents<EntryFact> {
  readonly id: number;
  readonly folder: string;
  key: VoterKey | null = null;
  /** As durable. */
  vote: Vote | null = null;
  /** Newest last; durable names only. */
  snapshots: readonly SnapshotPoint[] = [];
  readonly #disk: MachineDisk;
  readonly #facts: EntryFacts;
  readonly #events: RaftNodeEvents;
  readonly #tracked = new Map<FileContent, RecordFile<EntryFact>>();
  /** In order of their first entries. */
  #written: readonly RecordFile<EntryFact>[] = [];
  #durable: readonly RecordFile<EntryFact>[] = [];
  #voteFile: FileContent | null = null;
  /** Disk was changed from outside: what it lacks now was not cut by the node. */
  #quiet = false;

  constructor(id: number, directory: string, disk: MachineDisk, facts: EntryFacts, events: RaftNodeEvents) {
    this.id = id;
    this.folder = directory;
    this.#disk = disk;
    this.#facts = facts;
    this.#events = events;
  }

  // ------------------------------------------------------------------------------------------------------------ what the disk does

  wrote(file: FileContent, position: number): void {
    this.#tracked.get(file)?.wrote(position);
  }

  truncated(file: FileContent): void {
    this.#tracked.get(file)?.truncated();
  }

  /** Every name and byte anew. */
  reread(): void {
    this.#quiet = true;
    this.#tracked.clear();
    this.#voteFile = null;
    this.vote = null;
    this.#written = [];
    this.named();
    this.namesSynced();
    this.#quiet = false;
  }

  /** Names have changed in the page cache. */
  named(): void {
    this.#readIdentity();
    const files = this.#list("entries");
    const gone = this.#written.filter((file) => !files.includes(file));
    this.#written = files;
    for (const file of gone) if (file.written.length > 0) this.cut(file, file.written.map((placed) => placed.record));
  }

  namesSynced(): void {
    this.#durable = this.#list("durable");
    this.#readVote();
    this.#readSnapshots();
  }

  synced(file: FileContent, snapshot: Parameters<RecordFile<EntryFact>["synced"]>[0]): void {
    this.#tracked.get(file)?.synced(snapshot);
  }

  // ------------------------------------------------------------------------------------------------------------ what the log holds

  writtenEntry(index: number): EntryFact | null {
    return entryIn(this.#written, "written", index);
  }

  durableEntry(index: number): EntryFact | null {
    return entryIn(this.#durable, "durable", index);
  }

  /** Index of the newest durable snapshot; 0 for none. */
  get snapshotIndex(): number {
    return this.snapshots.at(-1)?.index ?? 0;
  }

  /** The last index up to which the durable log goes on without a gap, from a snapshot or from the beginning. */
  get durableEnd(): number {
    let end = this.snapshotIndex;
    let joined = end;
    for (const file of this.#durable) {
      const first = file.durable[0]?.record.index;
      const last = file.durable.at(-1)?.record.index;
      if (first === undefined || last === undefined || first > joined + 1) continue;
      joined = Math.max(joined, last);
    }
    end = Math.max(end, joined);
    return end;
  }

  /** The first entry of its durable log; null where that is empty. */
  get firstDurable(): number | null {
    for (const file of this.#durable) {
      const first = file.durable[0]?.record.index;
      if (first !== undefined) return first;
    }
    return null;
  }

  /** Whether it would still hold that entry without power, in its log or within a snapshot. */
  keeps(fact: EntryFact): boolean {
    return this.snapshotIndex >= fact.index || this.durableEntry(fact.index) === fact;
  }

  /** The last entry of its written log. */
  get lastWritten(): EntryFact | null {
    for (let i = this.#written.length - 1; i >= 0; i--) {
      const last = this.#written[i]?.written.at(-1);
      if (last !== undefined) return last.record;
    }
    return null;
  }

  // ------------------------------------------------------------------------------------------------------------ from the files

  added(_file: RecordFile<EntryFact>, fact: EntryFact): void {
    if (!this.#quiet) this.#events.entry(this, fact);
  }

  cut(_file: RecordFile<EntryFact>, facts: readonly EntryFact[]): void {
    if (!this.#quiet) this.#events.cut(this, facts);
  }

  hardened(_file: RecordFile<EntryFact>, fact: EntryFact): void {
    if (this.key !== null) fact.durableOn.add(this.key);
    if (!this.#quiet) this.#events.hardened(this, fact);
  }

  readonly #read = (bytes: Buffer, at: number, before: EntryFact | null, file: RecordFile<EntryFact>): Placed<EntryFact> | null => {
    if (bytes.length - at < RECORD_HEAD_BYTES || bytes.length < SEGMENT_HEAD_BYTES) return null;
    const length = bytes.readUInt32BE(at);
    const end = at + RECORD_HEAD_BYTES + length;
    const index = uint64(bytes, at + 12);
    if (end > bytes.length || index !== (before === null ? file.base : before.index + 1)) return null;
    const term = uint64(bytes, at + 20);
    const kind = bytes.readUInt8(at + 28);
    const payload = bytes.subarray(at + RECORD_HEAD_BYTES, end);
    const previousTerm = before === null ? uint64(bytes, 16) : before.term;
    const known = this.#facts.of(index, term);
    const same = known !== null && known.kind === kind && known.previousTerm === previousTerm && known.payload.equals(payload);
    if (same) return { record: known, at, end };
    if (crc32c(bytes.subarray(at + 8, end), crc32c(bytes.subarray(at, at + 4))) !== bytes.readUInt32BE(at + 4)) return null; // torn or damaged
    if (known !== null) {
      const text = `kind ${known.kind}, ${known.payload.length} bytes after term ${known.previousTerm}, and kind ${kind}, ${length} bytes after term ${previousTerm}`;
      this.#events.clash(this, known, text);
    }
    const own = Buffer.from(payload);
    const fact: EntryFact = { index, term, previousTerm, kind, payload: own, members: kind === 2 ? decodeMembership(own) : null, inForce: null, durableOn: new Set() };
    fact.inForce = kind === 2 ? fact : (this.#facts.of(index - 1, previousTerm)?.inForce ?? null);
    return { record: known === null ? this.#facts.add(fact) : fact, at, end };
  };

  #list(view: "entries" | "durable"): readonly RecordFile<EntryFact>[] {
    const folder = this.#disk.tree.find(`${this.folder}/log`);
    if (folder?.kind !== "directory") return [];
    const files: RecordFile<EntryFact>[] = [];
    for (const name of [...folder[view].keys()].sort()) {
      const node = folder[view].get(name);
      if (node?.kind !== "file" || !/^\d{20}\.log$/.test(name)) continue;
      let file = this.#tracked.get(node);
      if (file === undefined) {
        file = new RecordFile(node, Number(name.slice(0, 20)), SEGMENT_HEAD_BYTES, this.#read, this);
        this.#tracked.set(node, file);
        file.reread();
      }
      files.push(file);
    }
    return files;
  }

  #readIdentity(): void {
    const text = this.#disk.cached(`${this.folder}/meta.properties`);
    const directory = text === null ? undefined : /^directory\.id=(\S+)$/m.exec(Buffer.from(text).toString("latin1"))?.[1];
    this.key = directory === undefined ? null : `${this.id}/${directory}`;
  }

  #readVote(): void {
    const file = this.#disk.tree.durableFile(`${this.folder}/log/vote`);
    if (file === this.#voteFile) return;
    this.#voteFile = file;
    const before = this.vote;
    const bytes = file?.peekDurable();
    if (bytes === undefined || bytes.length < 4 || crc32c(bytes.subarray(4)) !== bytes.readUInt32BE(0)) {
      this.vote = null;
      return;
    }
    const read = JSON.parse(bytes.toString("utf8", 4)) as { readonly term: number; readonly votedFor: string | null }; // sealed by its checksum
    this.vote = { term: read.term, votedFor: read.votedFor };
    this.#events.vote(this, before, this.vote);
  }

  #readSnapshots(): void {
    const folder = this.#disk.tree.find(`${this.folder}/log`);
    const found: SnapshotPoint[] = [];
    if (folder?.kind === "directory") {
      for (const name of [...folder.durable.keys()].sort()) {
        const named = /^(\d{20})-(\d+)\.snapshot$/.exec(name);
        const content = folder.durable.get(name);
        if (named === null || content?.kind !== "file") continue;
        found.push({ index: Number(named[1]), term: Number(named[2]), content });
      }
    }
    const fresh = found.filter((point) => !this.snapshots.some((known) => known.content === point.content));
    this.snapshots = found;
    for (const point of fresh) this.#events.snapshot(this, point);
  }
}

function entryIn(files: readonly RecordFile<EntryFact>[], view: "written" | "durable", index: number): EntryFact | null {
  for (let i = files.length - 1; i >= 0; i--) {
    const list = files[i]?.[view] ?? [];
    const first = list[0]?.record.index;
    if (first === undefined || first > index) continue;
    return list[index - first]?.record ?? null;
  }
  return null;
}

function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

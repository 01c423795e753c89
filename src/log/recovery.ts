/**
 * Opening a log: what is in the folder becomes segments, epochs and producers again.
 *
 *   snapshot S <= recovery point        end found
 *   ────────────┼───────────────────────────┤ · · · torn tail (cut) or damage (set aside)
 *   trusted     scanned with checksums
 *
 * Only what was written since the last checkpoint is scanned; after a clean stop S is the end and nothing is. Whatever is kept is synced before
 * its end is reported. Each step may be cut short by a crash and done again (design §7, reliability.md S1-S4).
 */
import { offset } from "../base/ids.js";
import type { BatchHeader } from "../records/batch.js";
import type { Disk } from "../world/disk.js";
import type { BufferPool } from "../base/buffer-pool.js";
import { Epochs } from "./epochs.js";
import type { FilePool } from "./file-pool.js";
import type { IndexFiles } from "./index-files.js";
import { EPOCH_CHECKPOINT, LOST, SYNC_FAILED, parseSegmentName, segmentName } from "./names.js";
import type { LogSettings, RecoveryReport } from "./partition-log.js";
import { Producers } from "./producers.js";
import { loadSnapshot, resumeSegment } from "./rebuild.js";
import { findIntactBatch, scanBatches, type HeaderWalk, type ScanEnd } from "./scan.js";
import { Segment } from "./segment.js";
import { copyAside, unusedName } from "./set-aside.js";
import { readSmallFile } from "./small-file.js";
import { decodeAborted, encodeAborted, readMarker, type AbortedTransaction } from "./transactions.js";

export interface RecoveryTools {
  readonly disk: Disk;
  readonly files: FilePool;
  readonly buffers: BufferPool;
  readonly indexes: IndexFiles;
  readonly walk: HeaderWalk;
}

export interface RecoveryOptions {
  readonly folder: string;
  /** The folder was made a moment ago: there is nothing to look for. */
  readonly fresh: boolean;
  /** Durable end that the last checkpoint knew, or null. */
  readonly recoveryPoint: number | null;
  readonly start: number | null;
  readonly clean: boolean;
  /** False on a lax topic whose page cache did not survive: what was acknowledged may be gone without a trace. */
  readonly pageCacheCounts: boolean;
  readonly settings: LogSettings;
  readonly nowMs: number;
}

export interface RecoveredLog {
  readonly segments: Segment[];
  readonly start: number;
  readonly end: number;
  readonly epochs: Epochs;
  readonly epochsChanged: boolean;
  readonly producers: Producers;
  readonly aborted: AbortedTransaction[];
  /** Offsets of the producer snapshots that are there. */
  readonly snapshots: number[];
  readonly lostMarker: boolean;
  readonly report: RecoveryReport;
}

interface Folder {
  readonly segments: { readonly base: number; bytes: number }[];
  readonly files: ReadonlyMap<string, number>;
}

export async function recoverLog(tools: RecoveryTools, options: RecoveryOptions): Promise<RecoveredLog> {
  return new Recovery(tools, options).run();
}

class Recovery {
  readonly #tools: RecoveryTools;
  readonly #options: RecoveryOptions;
  readonly #segments: Segment[] = [];
  #producers = new Producers();
  #epochs = new Epochs();
  #aborted: AbortedTransaction[] = [];
  #files: ReadonlyMap<string, number> = new Map();
  #folderChanged = false;
  #cutBytes = 0;
  #damagedAt: number | null = null;
  #end = 0;

  constructor(tools: RecoveryTools, options: RecoveryOptions) {
    this.#tools = tools;
    this.#options = options;
  }

  async run(): Promise<RecoveredLog> {
    const { recoveryPoint, clean, pageCacheCounts } = this.#options;
    const folder = this.#options.fresh ? { segments: [], files: new Map<string, number>() } : await this.#list();
    this.#files = folder.files;
    const syncFailed = folder.files.has(SYNC_FAILED);
    let lost = folder.files.has(LOST) || (!clean && !pageCacheCounts);

    const first = folder.segments[0]?.base ?? this.#options.start ?? 0;
    for (const { base, bytes } of folder.segments) this.#segments.push(this.#segment(base, bytes));
    if (this.#segments.length === 0) this.#addEmpty(first);

    const epochs = await this.#readEpochs();
    const snapshot = this.#readSnapshot(first, recoveryPoint ?? -1);
    this.#producers = snapshot.producers;
    this.#epochs = epochs ?? new Epochs();
    const scanFrom = epochs === null ? first : snapshot.offset;
    this.#epochs.truncateEnd(scanFrom);
    this.#loadAborted(snapshot.offset);

    const limit = syncFailed ? (recoveryPoint ?? 0) : Infinity;
    const rebuilt = await this.#scan(scanFrom, snapshot.offset, limit, recoveryPoint ?? 0, () => {
      lost = true;
    });

    if (recoveryPoint !== null && this.#end < recoveryPoint) lost = true;
    if (syncFailed) lost = true;
    if (lost) await this.#mark(LOST); // before anything is cut: a crash must not forget the loss
    await this.#applyCuts(rebuilt);
    if (syncFailed) await this.#unmark(SYNC_FAILED);

    const start = Math.max(this.#options.start ?? 0, this.#segments[0]?.base ?? 0);
    if (start > this.#end) await this.#restartAt(start);
    const snapshots = await this.#tidy();
    const epochsChanged = this.#epochs.truncateEnd(this.#end) || epochs === null;
    await this.#makeDurable(rebuilt);
    return {
      segments: this.#segments,
      start,
      end: this.#end,
      epochs: this.#epochs,
      epochsChanged: epochsChanged || rebuilt.epochsChanged,
      producers: this.#producers,
      aborted: this.#aborted,
      snapshots,
      lostMarker: lost,
      report: {
        clean: clean && this.#cutBytes === 0 && !lost,
        cutBytes: this.#cutBytes,
        lostBelowDurable: lost,
        damagedAt: this.#damagedAt === null ? null : offset(this.#damagedAt),
      },
    };
  }

  /** What is in the folder, without what a crash left half made and without segments that were waiting to be deleted. */
  async #list(): Promise<Folder> {
    const { disk } = this.#tools;
    const files = new Map<string, number>();
    const bases: { base: number; bytes: number }[] = [];
    for (const entry of await disk.list(this.#options.folder)) {
      if (entry.kind !== "file") continue;
      if (/\.(tmp|deleted|cleaned|swap)$/.test(entry.name)) {
        await disk.unlink(`${this.#options.folder}/${entry.name}`);
        continue;
      }
      files.set(entry.name, entry.bytes);
      const parsed = parseSegmentName(entry.name);
      if (parsed?.suffix === "log") bases.push({ base: parsed.base, bytes: entry.bytes });
    }
    bases.sort((a, b) => a.base - b.base);
    const start = this.#options.start ?? 0;
    while ((bases[1]?.base ?? Infinity) <= start) {
      const gone = bases.shift();
      if (gone !== undefined) await this.#removeSegmentFiles(gone.base);
    }
    return { segments: bases, files };
  }

  async #readEpochs(): Promise<Epochs | null> {
    const empty = this.#segments.every((segment) => segment.bytes === 0);
    const bytes = this.#files.has(EPOCH_CHECKPOINT) ? readSmallFile(this.#tools.disk, `${this.#options.folder}/${EPOCH_CHECKPOINT}`) : null;
    if (bytes === null) return empty ? new Epochs() : null;
    return Epochs.decode(bytes) ?? (empty ? new Epochs() : null);
  }

  /** The newest whole snapshot at or below the recovery point; else producers are rebuilt from the first batch on. */
  #readSnapshot(first: number, recoveryPoint: number): { readonly offset: number; readonly producers: Producers } {
    const names = [...this.#files.keys()].map(parseSegmentName).filter((name) => name !== null);
    const offsets = names.filter((name) => name.suffix === "snapshot" && name.base >= first && name.base <= recoveryPoint).map((name) => name.base);
    return loadSnapshot(this.#tools.disk, this.#options.folder, offsets, this.#options.nowMs) ?? { offset: first, producers: new Producers() };
  }

  /** Aborted transactions below `below`; the scan finds the others again. */
  #loadAborted(below: number): void {
    for (const segment of this.#segments) {
      const name = segmentName(segment.base, "txnindex");
      if ((this.#files.get(name) ?? 0) === 0) continue;
      const bytes = readSmallFile(this.#tools.disk, `${this.#options.folder}/${name}`);
      if (bytes !== null) this.#aborted.push(...decodeAborted(bytes).filter((entry) => entry.lastOffset < below));
    }
  }

  /**
   * Scans from `from` on and leaves segments as they will be: those after a cut are dropped from the list.
   * Producers take batches from `producersFrom` on. @param limit offsets at or above it are discarded
   */
  async #scan(from: number, producersFrom: number, limit: number, durable: number, onDamage: () => void): Promise<Rebuilt> {
    const segments = this.#segments;
    let i = segments.findLastIndex((segment) => segment.base <= from);
    if (i < 0) i = 0;
    const rebuilt: Rebuilt = { from: i, cuts: [], gone: [], epochsChanged: false };
    for (let k = 0; k < i; k++) this.#sealAsFound(segments[k] as Segment, (segments[k + 1] as Segment).base);

    for (; i < segments.length; i++) {
      const segment = segments[i] as Segment;
      const size = segment.bytes;
      const begin = i === rebuilt.from ? from : segment.base;
      const found = begin > segment.base && size > 0 ? this.#tools.indexes.load(segment) : null;
      const at = resumeSegment(segment, found, this.#tools.walk, { from: begin, size });
      const visit = (header: BatchHeader, _position: number, bytes: Buffer, offset: number): boolean => {
        if (header.baseOffset >= limit) return false;
        this.#take(segment, header, { producers: header.baseOffset >= producersFrom, epochs: header.baseOffset >= from }, bytes, offset, rebuilt);
        return true;
      };
      const options = { from: at, to: size, minOffset: segment.next, contiguousFrom: durable, checksums: true };
      const end = await scanBatches(segment.file, this.#tools.buffers, options, visit);
      segment.written = segment.bytes;
      this.#end = segment.next;
      const following = segments[i + 1];
      if (end.reason === "end" && (following === undefined || segment.next <= following.base)) {
        if (following !== undefined) this.#sealRebuilt(segment, following.base);
        continue;
      }
      await this.#stopAt(rebuilt, i, size, end, limit, durable, onDamage);
      break;
    }
    return rebuilt;
  }

  #take(segment: Segment, header: BatchHeader, part: { readonly producers: boolean; readonly epochs: boolean }, bytes: Buffer, at: number, rebuilt: Rebuilt): void {
    segment.accept(header, this.#options.settings.indexIntervalBytes);
    if (part.epochs && header.leaderEpoch > this.#epochs.last && this.#epochs.assign(header.leaderEpoch, header.baseOffset)) rebuilt.epochsChanged = true;
    if (!part.producers || header.producerId < 0n) return;
    const marker = header.control ? readMarker(bytes, at, header.bytes) : null;
    const aborted = this.#producers.apply(header, marker, this.#options.nowMs);
    if (aborted !== null) this.#aborted.push(aborted);
  }

  /** Decides what the place where the scan stopped is: discarded on purpose, a torn tail, or damage. */
  async #stopAt(rebuilt: Rebuilt, i: number, size: number, end: ScanEnd, limit: number, durable: number, onDamage: () => void): Promise<void> {
    const segment = this.#segments[i] as Segment;
    const later = this.#segments.splice(i + 1);
    const laterBytes = later.reduce((sum, one) => sum + one.bytes, 0);
    this.#cutBytes = size - segment.bytes + laterBytes;
    const discarded = end.reason === "stopped" && segment.next >= Math.min(limit, durable);
    const damaged =
      !discarded &&
      (this.#end < durable ||
        laterBytes > 0 ||
        (await findIntactBatch(segment.file, this.#tools.buffers, { from: end.position + 1, to: size, minOffset: this.#end })));
    if (damaged) {
      this.#damagedAt = this.#end;
      onDamage();
    }
    rebuilt.cuts.push({ segment, size, damaged });
    for (const one of later) rebuilt.gone.push({ segment: one, damaged: damaged && one.bytes > 0 });
  }

  /** Carries the cuts out: damage is copied aside first, then the newest segments go first, so that a crash leaves a shorter log without holes. */
  async #applyCuts(rebuilt: Rebuilt): Promise<void> {
    const { disk } = this.#tools;
    for (const { segment, size, damaged } of rebuilt.cuts) {
      if (damaged && size > segment.bytes) await copyAside(this.#tools, `${this.#options.folder}/${segmentName(this.#end, "damaged")}`, { file: segment.file, from: segment.bytes, to: size });
      for (const { segment: gone, damaged: keep } of rebuilt.gone.reverse()) {
        const name = `${this.#options.folder}/${segmentName(gone.base, "log")}`;
        gone.file.retire();
        if (keep) await disk.rename(name, await unusedName(disk, `${name}.damaged`));
        await this.#removeSegmentFiles(gone.base);
      }
      if (size > segment.bytes) segment.file.truncate(segment.bytes);
      this.#folderChanged = true;
    }
    this.#aborted = this.#aborted.filter((entry) => entry.lastOffset < this.#end);
  }

  #sealAsFound(segment: Segment, next: number): void {
    segment.next = next;
    segment.sealed = true;
    segment.pinned = null;
  }

  #sealRebuilt(segment: Segment, next: number): void {
    segment.seal();
    segment.next = next;
  }

  async #restartAt(start: number): Promise<void> {
    for (const segment of this.#segments.splice(0).reverse()) {
      segment.file.retire();
      await this.#removeSegmentFiles(segment.base);
    }
    this.#producers.clear();
    this.#epochs.clear();
    this.#aborted = [];
    this.#addEmpty(start);
    this.#end = start;
  }

  #addEmpty(base: number): void {
    const file = this.#tools.files.existing(`${this.#options.folder}/${segmentName(base, "log")}`, 0);
    this.#tools.files.create(file);
    this.#segments.push(new Segment(base, file, { next: base, bytes: 0 }));
    this.#folderChanged = true;
  }

  #segment(base: number, bytes: number): Segment {
    const file = this.#tools.files.existing(`${this.#options.folder}/${segmentName(base, "log")}`, bytes);
    return new Segment(base, file, { next: base, bytes });
  }

  /** Removes snapshots above the end and indexes without a segment: they speak of batches that are not there. */
  async #tidy(): Promise<number[]> {
    const kept: number[] = [];
    const bases = new Set(this.#segments.map((segment) => segment.base));
    for (const name of this.#files.keys()) {
      const parsed = parseSegmentName(name);
      if (parsed !== null && /^(index|timeindex|txnindex)$/.test(parsed.suffix) && !bases.has(parsed.base)) {
        await this.#tools.disk.unlink(`${this.#options.folder}/${name}`);
        this.#folderChanged = true;
      }
      if (parsed === null || (parsed.suffix !== "snapshot" && parsed.suffix !== "producers")) continue;
      if (parsed.base > this.#end || parsed.base < (this.#segments[0]?.base ?? 0)) await this.#tools.disk.unlink(`${this.#options.folder}/${name}`);
      else if (parsed.suffix === "snapshot") kept.push(parsed.base);
    }
    return kept.sort((a, b) => a - b);
  }

  /** What is kept must be on the disk before its end is told to anybody. */
  async #makeDurable(rebuilt: Rebuilt): Promise<void> {
    const { disk, indexes } = this.#tools;
    const changed = this.#folderChanged || !this.#options.clean;
    for (const segment of this.#segments.slice(rebuilt.from)) {
      if (changed && segment.written > 0) await segment.file.sync();
      if (!segment.sealed) continue;
      indexes.write(segment);
      this.#writeAborted(segment);
      await indexes.sync(segment);
      segment.indexed = true;
      segment.pinned = null;
    }
    const active = this.#segments.at(-1);
    if (active !== undefined && changed) {
      indexes.write(active);
      if (rebuilt.cuts.length > 0) await indexes.sync(active); // what the files said beyond a cut must not come back
      this.#writeAborted(active);
    }
    if (changed) await disk.syncDirectory(this.#options.folder);
  }

  #writeAborted(segment: Segment): void {
    const entries = this.#aborted.filter((entry) => entry.lastOffset >= segment.base && entry.lastOffset < segment.next);
    const name = segmentName(segment.base, "txnindex");
    if (entries.length === 0 && !this.#files.has(name)) return;
    const file = this.#tools.disk.open(`${this.#options.folder}/${name}`, { create: true });
    try {
      file.truncate(0);
      file.writeAt(0, [encodeAborted(entries)]);
    } finally {
      file.close();
    }
  }

  async #mark(name: string): Promise<void> {
    if (this.#files.has(name)) return;
    const file = this.#tools.disk.open(`${this.#options.folder}/${name}`, { create: true });
    try {
      await file.sync();
    } finally {
      file.close();
    }
    await this.#tools.disk.syncDirectory(this.#options.folder);
  }

  async #unmark(name: string): Promise<void> {
    for (const segment of this.#segments) if (segment.file.dirty) await segment.file.sync();
    await this.#tools.disk.unlink(`${this.#options.folder}/${name}`);
    await this.#tools.disk.syncDirectory(this.#options.folder);
  }

  async #removeSegmentFiles(base: number): Promise<void> {
    for (const suffix of ["log", "index", "timeindex", "txnindex"]) await this.#tools.disk.unlink(`${this.#options.folder}/${segmentName(base, suffix)}`);
    this.#folderChanged = true;
  }
}

/** What the scan found out, for the steps that change files. */
interface Rebuilt {
  /** Index of the first segment that was scanned. */
  readonly from: number;
  readonly cuts: { readonly segment: Segment; readonly size: number; readonly damaged: boolean }[];
  readonly gone: { readonly segment: Segment; readonly damaged: boolean }[];
  epochsChanged: boolean;
}

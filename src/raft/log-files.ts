/**
 * The log's segments for writing: appends go to the last one, a cut takes whole files from the end and then a part of one, and files below a snapshot go.
 * Recovery (log-recovery.ts) makes it.
 */
import { assert } from "../base/assert.js";
import type { DiskFile } from "../world/disk.js";
import type { World } from "../world/world.js";
import { encodeRecord, encodeSegmentHead, RECORD_HEAD_BYTES, SEGMENT_HEAD_BYTES } from "./store-format.js";
import type { Entry, Index, LogPoint } from "./types.js";

/** One vectored write at most; between two, others have their turn. */
const WRITE_MAX_BYTES = 256 << 10;

export interface SegmentFile {
  readonly first: Index;
  readonly path: string;
  readonly file: DiskFile;
  /** Where each entry's record begins. */
  readonly positions: number[];
  end: number;
}

export class LogFiles {
  readonly #dirty = new Set<SegmentFile>();
  #newNames = false;

  constructor(
    readonly world: World,
    readonly folder: string,
    readonly segmentBytes: number,
    readonly segments: SegmentFile[],
    /** The end of the log and the chain there. */
    private last: LogPoint,
    private chain: number,
  ) {}

  get lastIndex(): Index {
    return this.last.index;
  }

  /** Written, not durable until `sync`. A full file is made durable before the next one is begun. */
  async append(entries: readonly Entry[]): Promise<void> {
    let parts: Uint8Array[] = [];
    let bytes = 0;
    let segment = this.segments.at(-1) ?? (await this.#roll());
    const flush = () => {
      if (bytes > 0) segment.file.writeAt(segment.end - bytes, parts);
      parts = [];
      bytes = 0;
    };
    for (const entry of entries) {
      assert(entry.index === this.last.index + 1, "a log file has no gaps");
      if (segment.end >= this.segmentBytes && segment.positions.length > 0) {
        flush();
        segment = await this.#roll();
      }
      const record = encodeRecord(entry, this.chain);
      parts.push(...record.parts);
      segment.positions.push(segment.end);
      segment.end += record.bytes;
      bytes += record.bytes;
      this.chain = record.chain;
      this.last = { index: entry.index, term: entry.term };
      this.#dirty.add(segment);
      if (bytes < WRITE_MAX_BYTES) continue;
      flush();
      await this.world.clock.yield();
    }
    flush();
  }

  async #roll(): Promise<SegmentFile> {
    await this.sync();
    const first = this.last.index + 1;
    const path = `${this.folder}/${segmentName(first)}`;
    const file = this.world.disk.open(path, { create: true });
    file.truncate(0);
    file.writeAt(0, [encodeSegmentHead({ first, previousTerm: this.last.term, chain: this.chain })]);
    const segment: SegmentFile = { first, path, file, positions: [], end: SEGMENT_HEAD_BYTES };
    this.segments.push(segment);
    this.#dirty.add(segment);
    this.#newNames = true;
    return segment;
  }

  /** Durable when it resolves, so that a later append never leaves old records behind new ones. `term`: of the entry before `from`. */
  async truncate(from: Index, term: number): Promise<void> {
    if (from > this.last.index) return;
    for (let segment = this.segments.at(-1); segment !== undefined; segment = this.segments.at(-1)) {
      const keep = from - segment.first;
      if (keep <= 0 && this.segments.length > 1) {
        await this.#remove(segment); // from the end, so that a crash leaves a whole beginning
        continue;
      }
      const at = segment.positions[Math.max(0, keep)];
      assert(at !== undefined && keep >= 0, "a cut lies within the log");
      const head = Buffer.alloc(RECORD_HEAD_BYTES);
      segment.file.readAt(at, head);
      this.chain = head.readUInt32BE(8);
      segment.file.truncate(at);
      segment.end = at;
      segment.positions.length = keep;
      this.#dirty.add(segment);
      break;
    }
    this.last = { index: from - 1, term };
    await this.sync();
  }

  /** Everything goes: a durable snapshot stands for it. */
  async reset(to: LogPoint): Promise<void> {
    for (let segment = this.segments.at(-1); segment !== undefined; segment = this.segments.at(-1)) await this.#remove(segment);
    this.last = to;
    this.chain = 0;
    this.#dirty.clear();
  }

  /** Files whose entries all lie at or before `to` go. */
  async compact(to: Index): Promise<void> {
    for (let [first, next] = this.segments; first !== undefined && next !== undefined && next.first <= to + 1; [first, next] = this.segments) await this.#remove(first);
  }

  async #remove(segment: SegmentFile): Promise<void> {
    const at = this.segments.indexOf(segment);
    this.segments.splice(at, 1);
    this.#dirty.delete(segment);
    segment.file.close();
    await this.world.disk.unlink(segment.path);
    await this.world.disk.syncDirectory(this.folder);
  }

  async sync(): Promise<void> {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const segment of dirty) await segment.file.sync();
    if (!this.#newNames) return;
    this.#newNames = false;
    await this.world.disk.syncDirectory(this.folder);
  }

  close(): void {
    for (const segment of this.segments) segment.file.close();
  }
}

export function segmentName(first: Index): string {
  return `${String(first).padStart(20, "0")}.log`;
}

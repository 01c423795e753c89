/** Loads and saves the indexes of segments, and keeps a bounded number of bytes of closed segments' indexes in memory. */
import { DiskFault, type Disk } from "../world/disk.js";
import { segmentName } from "./names.js";
import { OffsetIndex } from "./offset-index.js";
import type { HeaderWalk } from "./scan.js";
import type { Indexes, Segment } from "./segment.js";
import { TimeIndex, type TimeEntry } from "./time-index.js";

export class IndexFiles {
  readonly #disk: Disk;
  readonly #walk: HeaderWalk;
  readonly #cacheMaxBytes: number;
  readonly #cache = new Map<Segment, Indexes>(); // the longest unused first
  #cachedBytes = 0;

  constructor(disk: Disk, walk: HeaderWalk, options: { readonly cacheMaxBytes: number }) {
    this.#disk = disk;
    this.#walk = walk;
    this.#cacheMaxBytes = options.cacheMaxBytes;
  }

  /** Of any segment, at once. A file that is missing or damaged is made anew from the batch headers. */
  of(segment: Segment, indexIntervalBytes: number): Indexes {
    if (segment.pinned !== null) return segment.pinned;
    const cached = this.#cache.get(segment);
    if (cached !== undefined) {
      this.#cache.delete(segment);
      this.#cache.set(segment, cached);
      return cached;
    }
    const indexes = this.load(segment) ?? this.#rebuild(segment, indexIntervalBytes);
    this.#cache.set(segment, indexes);
    this.#cachedBytes += sizeOf(indexes);
    for (const [oldest, its] of this.#cache) {
      if (this.#cachedBytes <= this.#cacheMaxBytes || oldest === segment) break;
      this.#cache.delete(oldest);
      this.#cachedBytes -= sizeOf(its);
    }
    return indexes;
  }

  forget(segment: Segment): void {
    const cached = this.#cache.get(segment);
    if (cached === undefined) return;
    this.#cache.delete(segment);
    this.#cachedBytes -= sizeOf(cached);
  }

  /** Largest timestamp of a segment: the last entry of a closed segment's time index. */
  maxOf(segment: Segment, indexIntervalBytes: number): TimeEntry | null {
    if (segment.max === undefined) segment.max = this.of(segment, indexIntervalBytes).times.last;
    return segment.max ?? null;
  }

  /** What the files hold; null where one is missing or does not hold together. */
  load(segment: Segment): Indexes | null {
    const folder = folderOf(segment);
    const offsetBytes = this.#read(`${folder}/${segmentName(segment.base, "index")}`);
    const timeBytes = this.#read(`${folder}/${segmentName(segment.base, "timeindex")}`);
    if (offsetBytes === null || timeBytes === null) return null;
    const offsets = OffsetIndex.decode(segment.base, offsetBytes);
    const times = TimeIndex.decode(segment.base, timeBytes);
    if (offsets.bytes !== offsetBytes.length || times.bytes !== timeBytes.length) return null;
    if (offsets.count > 0 && offsets.entry(offsets.count - 1).position >= segment.bytes) return null;
    return { offsets, times };
  }

  /** Writes entries that the files lack, to the page cache, and cuts what they have too much. */
  write(segment: Segment): void {
    const indexes = segment.pinned;
    if (indexes === null) return;
    const folder = folderOf(segment);
    const offsetsFrom = Math.min(segment.saved.offsets, indexes.offsets.count);
    const timesFrom = Math.min(segment.saved.times, indexes.times.count);
    this.#append(`${folder}/${segmentName(segment.base, "index")}`, offsetsFrom * 8, indexes.offsets.encode(offsetsFrom));
    this.#append(`${folder}/${segmentName(segment.base, "timeindex")}`, timesFrom * 12, indexes.times.encode(timesFrom));
    segment.saved = { offsets: indexes.offsets.count, times: indexes.times.count };
  }

  async sync(segment: Segment): Promise<void> {
    for (const suffix of ["index", "timeindex"]) {
      const file = this.#disk.open(`${folderOf(segment)}/${segmentName(segment.base, suffix)}`);
      try {
        await file.sync();
      } finally {
        file.close();
      }
    }
  }

  #append(path: string, position: number, bytes: Uint8Array): void {
    const file = this.#disk.open(path, { create: true });
    try {
      if (bytes.length > 0) file.writeAt(position, [bytes]);
      if (file.size() > position + bytes.length) file.truncate(position + bytes.length);
    } finally {
      file.close();
    }
  }

  #read(path: string): Buffer | null {
    try {
      const file = this.#disk.open(path, { readOnly: true });
      try {
        const bytes = Buffer.allocUnsafe(file.size());
        return bytes.subarray(0, file.readAt(0, bytes));
      } finally {
        file.close();
      }
    } catch (error) {
      if (error instanceof DiskFault && error.code === "missing") return null;
      throw error;
    }
  }

  #rebuild(segment: Segment, indexIntervalBytes: number): Indexes {
    const offsets = new OffsetIndex(segment.base);
    const times = new TimeIndex(segment.base);
    let since = 0;
    let max: TimeEntry | null = null;
    for (let more = this.#walk.begin(segment.file, 0, segment.written); more; more = this.#walk.next()) {
      const header = this.#walk.header;
      if (header.maxTimestamp > (max?.timestampMs ?? -1)) max = { timestampMs: header.maxTimestamp, offset: header.lastOffset };
      if (since > indexIntervalBytes) {
        offsets.append(header.lastOffset, this.#walk.position);
        if (max !== null) times.append(max.timestampMs, max.offset);
        since = 0;
      }
      since += header.bytes;
    }
    if (max !== null) times.append(max.timestampMs, max.offset);
    return { offsets, times };
  }
}

function sizeOf(indexes: Indexes): number {
  return indexes.offsets.bytes + indexes.times.bytes + 256;
}

function folderOf(segment: Segment): string {
  return segment.file.path.slice(0, segment.file.path.lastIndexOf("/"));
}

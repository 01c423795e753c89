/**
 * One file as a disk has it: what the page cache shows, and what would still be there without power. A sync carries pages from one to the other.
 *
 *     cache    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒     size
 *     dirty         ^^^^      ^^^^^     written since the last sync that covered them
 *     durable  ▒▒▒▒▒▒▒▒▒▒▒▒             durableSize
 *
 * When power is lost each dirty page is kept, lost or torn at a sector, one by one, and the length is the old one, the new one or between.
 */
import { bytesTotal } from "../base/bytes.js";
import type { Seeded } from "./seeded.js";

export const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;
const FIRST_CAPACITY_BYTES = 256;

/** What a sync that has begun will make durable. */
export interface SyncSnapshot {
  readonly version: number;
  readonly size: number;
  readonly pages: readonly { readonly index: number; readonly bytes: Uint8Array }[];
}

/** How much of what was not synced outlives a loss of power. */
export type Survival = "none" | "all" | "mixed";

export class FileContent {
  readonly kind = "file";
  size = 0;
  durableSize = 0;
  /** Names and open handles; without any, the space is free again. */
  links = 0;
  handles = 0;
  #cache = Buffer.alloc(FIRST_CAPACITY_BYTES);
  #durable = Buffer.alloc(0);
  /** Page → version of its last write. */
  readonly #dirty = new Map<number, number>();
  #version = 0;
  #syncedVersion = 0;

  /** Rises with each change; a sync that began at a version covers what came before it. */
  get version(): number {
    return this.#version;
  }

  get dirtyPages(): number {
    return this.#dirty.size;
  }

  write(position: number, parts: readonly Uint8Array[]): void {
    const total = bytesTotal(parts);
    if (total === 0) return;
    const end = position + total;
    this.#cache = withRoom(this.#cache, end);
    let at = position;
    for (const part of parts) {
      this.#cache.set(part, at);
      at += part.length;
    }
    this.size = Math.max(this.size, end);
    this.#soil(position, end);
  }

  /** Returns the bytes read, fewer only at the end. */
  read(position: number, into: Uint8Array): number {
    const end = Math.min(this.size, position + into.length);
    if (end <= position) return 0;
    into.set(this.#cache.subarray(position, end));
    return end - position;
  }

  truncate(size: number): void {
    if (size > this.size) {
      this.#cache = withRoom(this.#cache, size);
      this.#version++; // the length is dirty, the new pages are holes
    } else if (size < this.size) {
      this.#cache.fill(0, size, this.size);
      this.#soil(size, this.size);
    }
    this.size = size;
  }

  /** A copy of the whole. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#cache.subarray(0, this.size));
  }

  /** What is sure to outlive a loss of power now. */
  durableBytes(): Uint8Array {
    return new Uint8Array(this.#durable.subarray(0, this.durableSize));
  }

  /** The page cache as it lies there, until the next change. To be read only. */
  peek(): Buffer {
    return this.#cache.subarray(0, this.size);
  }

  /** The same of what is durable. */
  peekDurable(): Buffer {
    return this.#durable.subarray(0, this.durableSize);
  }

  beginSync(): SyncSnapshot {
    const pages: { index: number; bytes: Uint8Array }[] = [];
    for (const index of this.#dirty.keys()) {
      const from = index * PAGE_BYTES;
      if (from < this.size) pages.push({ index, bytes: new Uint8Array(this.#cache.subarray(from, Math.min(this.size, from + PAGE_BYTES))) });
    }
    return { version: this.#version, size: this.size, pages };
  }

  /** What was written before the sync began is durable. A sync that began later and ended earlier has covered this one. */
  completeSync(snapshot: SyncSnapshot): void {
    this.#clean(snapshot);
    if (snapshot.version < this.#syncedVersion) return;
    this.#syncedVersion = snapshot.version;
    this.#durable = withRoom(this.#durable, snapshot.size);
    for (const { index, bytes } of snapshot.pages) {
      const from = index * PAGE_BYTES;
      this.#durable.set(bytes, from);
      this.#durable.fill(0, from + bytes.length, Math.min(this.#durable.length, from + PAGE_BYTES));
    }
    if (snapshot.size < this.durableSize) this.#durable.fill(0, snapshot.size);
    this.durableSize = snapshot.size;
  }

  /** As Linux does: the pages count as clean although they are not on the disk, so that a second sync would say that all is well. */
  failSync(snapshot: SyncSnapshot): void {
    this.#clean(snapshot);
  }

  /** Flips one bit on the disk; also in the page cache where that page is clean and so could be read anew. False: nothing is there. */
  flip(position: number, bit: number): boolean {
    if (position >= this.durableSize) return false;
    const mask = 1 << bit;
    this.#durable[position] = (this.#durable[position] ?? 0) ^ mask;
    if (!this.#dirty.has(Math.floor(position / PAGE_BYTES)) && position < this.size) this.#cache[position] = (this.#cache[position] ?? 0) ^ mask;
    return true;
  }

  /** @returns pages lost or torn */
  losePower(seeded: Seeded, survival: Survival): number {
    let lost = 0;
    const reach = Math.max(this.size, this.durableSize);
    const after = withRoom(this.#durable, reach);
    for (const index of [...this.#dirty.keys()].sort((a, b) => a - b)) {
      const from = index * PAGE_BYTES;
      const to = Math.min(reach, from + PAGE_BYTES);
      const kept = keptOfPage(seeded, survival);
      if (kept < PAGE_BYTES) lost++;
      const cut = Math.min(to, from + kept);
      if (cut > from) after.set(this.#cache.subarray(from, cut), from); // zeros where the file is shorter now
    }
    this.#durable = after;
    const size = this.#sizeAfter(seeded, survival);
    this.#durable.fill(0, size);
    this.durableSize = size;
    this.size = size;
    this.#cache = Buffer.alloc(Math.max(FIRST_CAPACITY_BYTES, size));
    this.#cache.set(this.#durable.subarray(0, size));
    this.#dirty.clear();
    this.#version++;
    this.#syncedVersion = this.#version;
    this.handles = 0;
    return lost;
  }

  #sizeAfter(seeded: Seeded, survival: Survival): number {
    if (this.size === this.durableSize || survival === "none") return this.durableSize;
    if (survival === "all") return this.size;
    const [least, most] = [Math.min(this.size, this.durableSize), Math.max(this.size, this.durableSize)];
    const choice = seeded.below(3);
    if (choice === 0) return this.durableSize;
    if (choice === 1) return this.size;
    const pages = Math.floor(most / PAGE_BYTES) - Math.floor(least / PAGE_BYTES);
    return pages === 0 ? this.size : (Math.floor(least / PAGE_BYTES) + 1 + seeded.below(pages)) * PAGE_BYTES;
  }

  #clean(snapshot: SyncSnapshot): void {
    for (const [index, version] of this.#dirty) if (version <= snapshot.version) this.#dirty.delete(index);
  }

  #soil(from: number, end: number): void {
    const version = ++this.#version;
    for (let index = Math.floor(from / PAGE_BYTES); index * PAGE_BYTES < end; index++) this.#dirty.set(index, version);
  }
}

function keptOfPage(seeded: Seeded, survival: Survival): number {
  if (survival === "none") return 0;
  if (survival === "all") return PAGE_BYTES;
  const draw = seeded.below(10);
  if (draw < 4) return 0;
  return draw < 8 ? PAGE_BYTES : seeded.below(PAGE_BYTES / SECTOR_BYTES) * SECTOR_BYTES;
}

/** A buffer with at least so many bytes that begins the same and goes on in zeros. */
function withRoom(buffer: Buffer<ArrayBuffer>, bytes: number): Buffer<ArrayBuffer> {
  if (buffer.length >= bytes) return buffer;
  const grown = Buffer.alloc(Math.max(bytes, buffer.length * 2, FIRST_CAPACITY_BYTES));
  grown.set(buffer);
  return grown;
}

/**
 * Bounds how many files of a log directory are open at once. A PooledFile stands for one path: it opens when used and may be
 * closed behind the scenes when others need the room, so a read plan stays good for as long as its file exists.
 */
import { assert } from "../base/assert.js";
import { DiskFault, type Disk, type DiskFile } from "../world/disk.js";

export class FilePool {
  readonly #disk: Disk;
  readonly #limit: number;
  /** Open files, in the order in which they are looked at for closing. */
  readonly #open = new Map<PooledFile, DiskFile>();

  constructor(disk: Disk, options: { readonly openFilesMax: number }) {
    this.#disk = disk;
    this.#limit = options.openFilesMax;
  }

  get openFiles(): number {
    return this.#open.size;
  }

  /** A file of known size, opened when first used. */
  existing(path: string, bytes: number): PooledFile {
    return new PooledFile(this, path, bytes);
  }

  /** Makes a file that `existing` named before it was there. It is empty, whatever a crash may have left under its name. */
  create(file: PooledFile): void {
    assert(file.size() === 0 && !this.#open.has(file), `${file.path} is new`);
    const handle = this.#disk.open(file.path, { create: true });
    if (handle.size() !== 0) handle.truncate(0);
    this.#makeRoom();
    this.#open.set(file, handle);
  }

  handle(file: PooledFile): DiskFile {
    const open = this.#open.get(file);
    if (open !== undefined) {
      file.used = true;
      return open;
    }
    const handle = this.#disk.open(file.path);
    this.#makeRoom();
    this.#open.set(file, handle);
    file.used = true;
    return handle;
  }

  drop(file: PooledFile): void {
    const handle = this.#open.get(file);
    if (handle === undefined) return;
    this.#open.delete(file);
    handle.close();
  }

  /** Second chance: a file used since it was last looked at goes to the back. Files with unsynced bytes stay, so that no write error is missed. */
  #makeRoom(): void {
    let looks = this.#open.size >= this.#limit ? this.#open.size * 2 : 0;
    for (const [file, handle] of this.#open) {
      if (looks-- <= 0 || this.#open.size < this.#limit) return;
      this.#open.delete(file);
      if (file.used || file.dirty) {
        file.used = false;
        this.#open.set(file, handle);
      } else {
        handle.close();
      }
    }
  }
}

export class PooledFile implements DiskFile {
  readonly #pool: FilePool;
  #bytes: number;
  #gone = false;
  used = false;
  /** Written since the last sync began. */
  dirty = false;

  constructor(pool: FilePool, readonly path: string, bytes: number) {
    this.#pool = pool;
    this.#bytes = bytes;
  }

  size(): number {
    return this.#bytes;
  }

  writeAt(position: number, parts: readonly Uint8Array[]): void {
    this.dirty = true;
    const handle = this.#handle();
    handle.writeAt(position, parts);
    let end = position;
    for (const part of parts) end += part.length;
    this.#bytes = Math.max(this.#bytes, end);
  }

  readAt(position: number, into: Uint8Array): number {
    return this.#handle().readAt(position, into);
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#handle().read(position, into);
  }

  sync(): Promise<void> {
    const handle = this.#handle();
    this.dirty = false;
    return handle.sync();
  }

  truncate(bytes: number): void {
    assert(bytes <= this.#bytes, `truncation to ${bytes} would grow ${this.path} from ${this.#bytes} bytes`);
    this.dirty = true;
    this.#handle().truncate(bytes);
    this.#bytes = bytes;
  }

  /** Gives the descriptor back; the next use opens the file again. */
  close(): void {
    this.#pool.drop(this);
  }

  /** For good: the file is about to be removed. */
  retire(): void {
    this.#gone = true;
    this.dirty = false;
    this.#pool.drop(this);
  }

  #handle(): DiskFile {
    if (this.#gone) throw new DiskFault("closed", this.path, "the segment was removed");
    return this.#pool.handle(this);
  }
}

/**
 * Files. Synchronous calls go to the page cache and take microseconds: positional append, read of the tail, open, truncate.
 * Whatever may wait for a device is awaited: sync, cold read, rename, unlink, directory sync, list, lock, free space.
 * Paths are absolute, or relative to the root that this Disk was made with; separators are `/`.
 */
export interface Disk {
  /**
   * Opens a file for positional reading and writing.
   * @throws DiskFault "missing" (unless `create`), "failed", "full"
   */
  open(path: string, options?: { readonly create?: boolean; readonly readOnly?: boolean }): DiskFile;
  /** Whole content, or null where there is no such file. */
  readFile(path: string): Promise<Uint8Array | null>;
  exists(path: string): Promise<boolean>;
  /** Entries of a folder sorted by name; none if the folder is missing. */
  list(path: string): Promise<readonly DiskEntry[]>;
  /** Makes the folder and those above it. */
  makeDirectory(path: string): Promise<void>;
  /** Durable only after syncDirectory of both parents. Replaces a file at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** No error if it is missing. */
  unlink(path: string): Promise<void>;
  /** A folder with all below it; no error if it is missing. */
  removeTree(path: string): Promise<void>;
  /** Makes names created, renamed and removed in the folder durable. */
  syncDirectory(path: string): Promise<void>;
  /** An exclusive lock, held until release or the end of the process; null if somebody has it. */
  lock(path: string): Promise<DiskLock | null>;
  freeBytes(path: string): Promise<number>;
  /** Changes when the host boots: what the page cache held is still there exactly while it stays equal. */
  bootId(): Promise<string>;
}

export interface DiskEntry {
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly bytes: number;
}

export interface DiskLock {
  release(): Promise<void>;
}

export interface DiskFile {
  readonly path: string;
  /** Current length in bytes. */
  size(): number;
  /** One vectored positional write, complete or a throw. The buffers are the caller's again on return. */
  writeAt(position: number, parts: readonly Uint8Array[]): void;
  /** Fills `into` from the page cache; returns the bytes read, fewer only at the end of the file. */
  readAt(position: number, into: Uint8Array): number;
  /** The same for data that may be cold. `into` is lent until the promise settles. */
  read(position: number, into: Uint8Array): Promise<number>;
  /** fdatasync. A failure is final: the caller halts the world, nobody tries again. */
  sync(): Promise<void>;
  truncate(bytes: number): void;
  /** Drops the handle; what was not synced stays unsynced. Waits for nothing: reads in flight finish first. */
  close(): void;
}

export type DiskFaultCode = "missing" | "full" | "failed" | "closed";

export class DiskFault extends Error {
  override readonly name = "DiskFault";
  constructor(readonly code: DiskFaultCode, readonly path: string, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${path}: ${detail}`, options);
  }
}

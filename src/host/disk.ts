import * as fs from "node:fs";
import * as path from "node:path";
import { DiskFault, type Disk, type DiskEntry, type DiskFaultCode, type DiskFile, type DiskLock } from "../world/disk.js";
import { lockFile } from "./disk-lock.js";
import type { Life } from "./life.js";
import { dataSyncs } from "./sync-gate.js";

const WRITEV_MAX_PARTS = 1000; // IOV_MAX is 1024

/** @param options.raft true for the quorum's log: its syncs never wait behind data */
export function makeDisk(life: Life, root: string, options: { readonly raft: boolean }): Disk {
  const at = (name: string) => path.resolve(root, name);
  const awaited = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    life.check();
    return life.living(work().catch((error: unknown) => Promise.reject(faultOf(error, name))));
  };
  return {
    open(name, how = {}) {
      life.check();
      const full = at(name);
      try {
        const flags = how.readOnly === true ? fs.constants.O_RDONLY : fs.constants.O_RDWR | (how.create === true ? fs.constants.O_CREAT : 0);
        return new HostFile(life, full, fs.openSync(full, flags, 0o600), options.raft);
      } catch (error) {
        throw faultOf(error, full);
      }
    },
    readFile: (name) =>
      awaited(name, async () => {
        try {
          return await fs.promises.readFile(at(name));
        } catch (error) {
          if (codeOf(error) === "ENOENT") return null;
          throw error;
        }
      }),
    exists: (name) => awaited(name, () => fs.promises.access(at(name)).then(() => true, () => false)),
    list: (name) =>
      awaited(name, async () => {
        try {
          const entries = await fs.promises.readdir(at(name), { withFileTypes: true });
          const found = await Promise.all(entries.map((entry) => describe(at(name), entry)));
          return found.filter((entry) => entry !== null).sort((a, b) => (a.name < b.name ? -1 : 1));
        } catch (error) {
          if (codeOf(error) === "ENOENT") return [];
          throw error;
        }
      }),
    makeDirectory: (name) => awaited(name, async () => void (await fs.promises.mkdir(at(name), { recursive: true, mode: 0o700 }))),
    rename: (from, to) => awaited(from, () => fs.promises.rename(at(from), at(to))),
    unlink: (name) => awaited(name, () => fs.promises.rm(at(name), { force: true })),
    removeTree: (name) => awaited(name, () => fs.promises.rm(at(name), { force: true, recursive: true })),
    syncDirectory: (name) =>
      awaited(name, async () => {
        const handle = await fs.promises.open(at(name), "r");
        try {
          await handle.sync();
        } finally {
          await handle.close();
        }
      }),
    lock: (name): Promise<DiskLock | null> =>
      awaited(name, async () => {
        const lock = await lockFile(at(name));
        if (lock === null) return null;
        const forget = life.keep(() => lock.releaseNow());
        return {
          async release() {
            forget();
            lock.releaseNow();
          },
        };
      }),
    freeBytes: (name) =>
      awaited(name, async () => {
        const stats = await fs.promises.statfs(at(name));
        return stats.bavail * stats.bsize;
      }),
    bootId: () => awaited("boot id", () => fs.promises.readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim(), () => "unknown")),
  };
}

async function describe(folder: string, entry: fs.Dirent): Promise<DiskEntry | null> {
  if (entry.isDirectory()) return { name: entry.name, kind: "directory", bytes: 0 };
  if (!entry.isFile()) return null;
  try {
    return { name: entry.name, kind: "file", bytes: (await fs.promises.stat(path.join(folder, entry.name))).size };
  } catch {
    return null; // removed meanwhile
  }
}

class HostFile implements DiskFile {
  #fd: number;
  #pending = 0; // reads and syncs in the thread pool: the descriptor is kept open for them
  #closed = false;
  #size: number;
  readonly #forget: () => void;

  constructor(readonly life: Life, readonly path: string, fd: number, readonly raft: boolean) {
    this.#fd = fd;
    this.#size = fs.fstatSync(fd).size;
    this.#forget = life.keep(() => this.close());
  }

  size(): number {
    return this.#size;
  }

  writeAt(position: number, parts: readonly Uint8Array[]): void {
    this.#check();
    try {
      if (parts.length === 1) this.#writeOne(parts[0] as Uint8Array, position);
      else this.#writeMany(parts, position);
    } catch (error) {
      throw faultOf(error, this.path);
    }
  }

  #writeOne(bytes: Uint8Array, position: number): void {
    let done = 0;
    while (done < bytes.length) done += fs.writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
    this.#size = Math.max(this.#size, position + done);
  }

  #writeMany(parts: readonly Uint8Array[], position: number): void {
    let at = position;
    for (let i = 0; i < parts.length; i += WRITEV_MAX_PARTS) {
      const some = parts.slice(i, i + WRITEV_MAX_PARTS);
      const wanted = some.reduce((sum, part) => sum + part.length, 0);
      const written = fs.writevSync(this.#fd, some, at);
      if (written < wanted) {
        let skip = written; // a short write: the rest goes piece by piece
        let next = at;
        for (const part of some) {
          if (skip >= part.length) skip -= part.length;
          else {
            this.#writeOne(part.subarray(skip), next + skip);
            skip = 0;
          }
          next += part.length;
        }
      }
      at += wanted;
    }
    this.#size = Math.max(this.#size, at);
  }

  readAt(position: number, into: Uint8Array): number {
    this.#check();
    try {
      let done = 0;
      while (done < into.length) {
        const count = fs.readSync(this.#fd, into, done, into.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    } catch (error) {
      throw faultOf(error, this.path);
    }
  }

  read(position: number, into: Uint8Array): Promise<number> {
    this.#check();
    return this.#pooled<number>((done) => {
      const step = (filled: number) => {
        fs.read(this.#fd, into, filled, into.length - filled, position + filled, (error, count) => {
          if (error !== null) done(error, 0);
          else if (count === 0 || filled + count === into.length) done(null, filled + count);
          else step(filled + count);
        });
      };
      if (into.length === 0) setImmediate(() => done(null, 0));
      else step(0);
    });
  }

  sync(): Promise<void> {
    this.#check();
    const work = () => this.#pooled<void>((done) => fs.fdatasync(this.#fd, (error) => done(error, undefined)));
    return this.raft ? work() : dataSyncs.run(work);
  }

  truncate(bytes: number): void {
    this.#check();
    try {
      fs.ftruncateSync(this.#fd, bytes);
      this.#size = bytes;
    } catch (error) {
      throw faultOf(error, this.path);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.#closeIfIdle();
  }

  #pooled<T>(start: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    this.#pending++;
    const promise = new Promise<T>((resolve, reject) => {
      start((error, value) => {
        this.#pending--;
        this.#closeIfIdle();
        if (error !== null) reject(faultOf(error, this.path));
        else resolve(value);
      });
    });
    return this.life.living(promise);
  }

  #closeIfIdle(): void {
    if (!this.#closed || this.#pending > 0 || this.#fd < 0) return;
    fs.closeSync(this.#fd);
    this.#fd = -1;
  }

  #check(): void {
    this.life.check();
    if (this.#closed) throw new DiskFault("closed", this.path, "the file is closed");
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function faultOf(error: unknown, file: string): Error {
  if (error instanceof DiskFault) return error;
  const code = codeOf(error);
  const kind: DiskFaultCode = code === "ENOENT" || code === "ENOTDIR" ? "missing" : code === "ENOSPC" || code === "EDQUOT" ? "full" : "failed";
  return new DiskFault(kind, file, error instanceof Error ? error.message : String(error), { cause: error });
}

/** Files under one root on Node. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { DiskFault, type Disk, type DiskEntry, type DiskFile, type DiskLock } from "../world/disk.js";
import { diskFault, errorCode } from "./disk-fault.js";
import { HostFile } from "./disk-file.js";
import { lockFile } from "./disk-lock.js";
import { DiskTraffic, type SyncClass } from "./disk-traffic.js";
import type { Life } from "./life.js";

const STATS_AT_ONCE = 16;
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

export class HostDisk implements Disk {
  readonly #life: Life;
  readonly #root: string;
  readonly #traffic: DiskTraffic;

  /** @param syncClass "raft" for the quorum's log: its work never waits behind data */
  constructor(life: Life, root: string, syncClass: SyncClass) {
    this.#life = life;
    this.#root = path.resolve(root);
    this.#traffic = new DiskTraffic(life, syncClass);
  }

  open(name: string, options: { readonly create?: boolean; readonly readOnly?: boolean } = {}): DiskFile {
    this.#life.check();
    const { O_RDONLY, O_RDWR, O_CREAT } = fs.constants;
    const full = this.#at(name);
    let fd = -1;
    try {
      fd = fs.openSync(full, (options.readOnly === true ? O_RDONLY : O_RDWR) | (options.create === true ? O_CREAT : 0), FILE_MODE);
      if (!fs.fstatSync(fd).isFile()) throw new DiskFault("failed", full, "not a file");
      return new HostFile(this.#life, this.#traffic, full, fd);
    } catch (error) {
      if (fd >= 0) fs.closeSync(fd);
      throw diskFault(error, full);
    }
  }

  readFile(name: string): Promise<Uint8Array | null> {
    return this.#run(name, (full) => unlessMissing(fs.promises.readFile(full), null));
  }

  exists(name: string): Promise<boolean> {
    return this.#run(name, (full) => unlessMissing(fs.promises.stat(full).then(() => true), false));
  }

  list(name: string): Promise<readonly DiskEntry[]> {
    return this.#run(name, async (full) => {
      const names = await unlessMissing(fs.promises.readdir(full), []);
      const found: DiskEntry[] = [];
      for (let i = 0; i < names.length; i += STATS_AT_ONCE) {
        const some = await Promise.all(names.slice(i, i + STATS_AT_ONCE).map((one) => describe(full, one)));
        for (const entry of some) if (entry !== null) found.push(entry);
      }
      return found.sort((a, b) => (a.name < b.name ? -1 : 1)); // by code units, on every machine alike
    });
  }

  makeDirectory(name: string): Promise<void> {
    return this.#run(name, async (full) => void (await fs.promises.mkdir(full, { recursive: true, mode: FOLDER_MODE })));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run(from, (full) => fs.promises.rename(full, this.#at(to)));
  }

  unlink(name: string): Promise<void> {
    return this.#run(name, (full) => unlessMissing(fs.promises.unlink(full), undefined));
  }

  removeTree(name: string): Promise<void> {
    return this.#run(name, (full) => fs.promises.rm(full, { force: true, recursive: true }));
  }

  syncDirectory(name: string): Promise<void> {
    return this.#run(name, async (full) => {
      const handle = await fs.promises.open(full, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }, "sync");
  }

  lock(name: string): Promise<DiskLock | null> {
    return this.#run(name, async (full) => {
      const held = await lockFile(full);
      if (held === null) return null;
      let free = () => {
        free = () => undefined;
        held.release();
      };
      // What the dead World still has in the thread pool must have ended before its successor may have the folder.
      const whenIdle = () => this.#traffic.whenIdle(() => free());
      if (this.#life.halted) whenIdle(); // it died while waiting for this very lock
      const forget = this.#life.keep(whenIdle);
      return {
        release: () =>
          this.#life.living(async () => {
            forget();
            free();
          }),
      };
    });
  }

  freeBytes(name: string): Promise<number> {
    return this.#run(name, async (full) => {
      const stats = await fs.promises.statfs(full);
      return stats.bavail * stats.bsize;
    });
  }

  bootId(): Promise<string> {
    return this.#run("", () => fs.promises.readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim(), bootIdFromUptime));
  }

  #run<T>(name: string, work: (full: string) => Promise<T>, kind: "sync" | "other" = "other"): Promise<T> {
    return this.#traffic.run(kind, name, () => work(this.#at(name)));
  }

  /** A relative path stays under the root; names that come from the wire are checked by their owners, this is the second wall. */
  #at(name: string): string {
    const full = path.resolve(this.#root, name);
    const within = full === this.#root || full.startsWith(this.#root.endsWith("/") ? this.#root : `${this.#root}/`);
    if (!path.isAbsolute(name) && !within) throw new DiskFault("failed", name, "the path leads out of the data directory");
    return full;
  }
}

/** Where the system tells no id: the moment of boot, in tenths of a minute. A clock that is set makes it another one, which errs on the safe side. */
function bootIdFromUptime(): string {
  return `boot-${Math.round((Date.now() - os.uptime() * 1000) / 6000)}`;
}

async function describe(folder: string, name: string): Promise<DiskEntry | null> {
  const stats = await unlessMissing(fs.promises.stat(path.join(folder, name)), null); // null: removed meanwhile
  if (stats?.isDirectory() === true) return { name, kind: "directory", bytes: 0 };
  return stats?.isFile() === true ? { name, kind: "file", bytes: stats.size } : null;
}

async function unlessMissing<T, U>(promise: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await promise;
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return otherwise;
    throw error;
  }
}

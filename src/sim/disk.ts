/** A World's view of its machine's disk. */
import { DiskFault, type Disk, type DiskEntry, type DiskFile, type DiskLock } from "../world/disk.js";
import { bytesTotal } from "../base/bytes.js";
import type { FileContent } from "./file-content.js";
import { type Life, never } from "./life.js";
import type { MachineDisk } from "./machine-disk.js";

/** What a buffer holds while it is lent for a read that has not ended. */
const LENT = 0xb3;

export class SimDisk implements Disk {
  openFiles = 0;
  readonly #life: Life;
  readonly #machine: MachineDisk;
  readonly #root: string;

  /** @param root absolute; relative paths are below it */
  constructor(life: Life, machine: MachineDisk, root: string) {
    this.#life = life;
    this.#machine = machine;
    this.#root = root === "/" ? "" : root;
  }

  open(name: string, options: { readonly create?: boolean; readonly readOnly?: boolean } = {}): DiskFile {
    this.#life.check();
    const path = this.#at(name);
    const { tree } = this.#machine;
    let content = tree.findFile(path);
    if (content === null) {
      if (options.create !== true) throw new DiskFault("missing", path, "no such file");
      this.#machine.admitWrite(this.#life, path, 1);
      content = tree.createFile(path);
      this.#machine.observer?.named(this.#machine, path);
    }
    this.openFiles++;
    return new SimFile(this.#life, this.#machine, path, content, options.readOnly === true, () => this.openFiles--);
  }

  readFile(name: string): Promise<Uint8Array | null> {
    return this.#machine.later(this.#life, "read", () => {
      const path = this.#at(name);
      this.#machine.admitRead(path);
      return this.#machine.tree.findFile(path)?.bytes() ?? null;
    });
  }

  exists(name: string): Promise<boolean> {
    return this.#machine.later(this.#life, "read", () => this.#machine.tree.find(this.#at(name)) !== null);
  }

  list(name: string): Promise<readonly DiskEntry[]> {
    return this.#machine.later(this.#life, "read", () => {
      const folder = this.#machine.tree.find(this.#at(name));
      if (folder?.kind !== "directory") return [];
      return [...folder.entries]
        .map(([entry, node]): DiskEntry => ({ name: entry, kind: node.kind, bytes: node.kind === "file" ? node.size : 0 }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  makeDirectory(name: string): Promise<void> {
    return this.#change(name, (path) => this.#machine.tree.makeDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change(from, (path) => {
      this.#machine.tree.rename(path, this.#at(to));
      this.#machine.observer?.named(this.#machine, this.#at(to));
    });
  }

  unlink(name: string): Promise<void> {
    return this.#change(name, (path) => this.#machine.tree.unlink(path));
  }

  removeTree(name: string): Promise<void> {
    return this.#change(name, (path) => this.#machine.tree.removeTree(path));
  }

  syncDirectory(name: string): Promise<void> {
    const machine = this.#machine;
    const path = resolvePath(this.#root, name);
    const folder = machine.tree.find(path ?? "/");
    const covered = folder?.kind === "directory" ? machine.tree.beginSync(folder) : [];
    return machine.later(this.#life, "sync", () => {
      if (path === null || folder?.kind !== "directory") throw new DiskFault("missing", name, "no such folder");
      const outcome = machine.syncOutcome();
      if (outcome === "fail") {
        machine.observer?.syncFailed(machine, path, this.#life);
        throw new DiskFault("failed", path, "input/output error");
      }
      if (outcome === "ok") {
        machine.tree.completeSync(covered);
        machine.observer?.namesSynced(machine);
      }
    });
  }

  lock(name: string): Promise<DiskLock | null> {
    return this.#machine.later(this.#life, "read", () => this.#machine.lock(this.#life, this.#at(name)));
  }

  freeBytes(_name: string): Promise<number> {
    return this.#machine.later(this.#life, "read", () => this.#machine.freeBytes);
  }

  bootId(): Promise<string> {
    return this.#machine.later(this.#life, "read", () => this.#machine.bootId);
  }

  #change(name: string, act: (path: string) => void): Promise<void> {
    return this.#machine.later(this.#life, "names", () => {
      const path = this.#at(name);
      this.#machine.admitWrite(this.#life, path, 0);
      act(path);
      this.#machine.observer?.named(this.#machine, path);
    });
  }

  #at(name: string): string {
    const path = resolvePath(this.#root, name);
    if (path === null) throw new DiskFault("failed", name, "the path leads out of the data directory");
    return path;
  }
}

/** Null where a relative path leads out of the root. */
function resolvePath(root: string, name: string): string | null {
  const absolute = name.startsWith("/");
  const parts: string[] = [];
  for (const part of `${absolute ? "" : root}/${name}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  const path = `/${parts.join("/")}`;
  return absolute || root === "" || path === root || path.startsWith(`${root}/`) ? path : null;
}

class SimFile implements DiskFile {
  #open = true;
  #underWay = 0;
  readonly #forget: () => void;

  constructor(
    readonly life: Life,
    readonly machine: MachineDisk,
    readonly path: string,
    readonly content: FileContent,
    readonly readOnly: boolean,
    readonly closed: () => void,
  ) {
    content.handles++;
    this.#forget = life.keep(() => this.#close());
  }

  size(): number {
    this.#check();
    return this.content.size;
  }

  writeAt(position: number, parts: readonly Uint8Array[]): void {
    const crashes = this.#open && this.life.dueAtThisCall();
    if (!crashes) this.#check();
    this.#mayWrite();
    const more = Math.max(0, position + bytesTotal(parts) - this.content.size);
    this.machine.admitWrite(this.life, this.path, more);
    if (crashes) {
      const joined = Buffer.concat(parts); // killed in the middle of the call: any beginning of it is there
      this.#write(position, [joined.subarray(0, this.machine.drawBelow(joined.length + 1))]);
      this.life.strike();
      this.life.alive();
    }
    this.#write(position, parts);
  }

  readAt(position: number, into: Uint8Array): number {
    this.#check();
    this.machine.occupy(this.life);
    this.machine.admitRead(this.path);
    return this.content.read(position, into);
  }

  read(position: number, into: Uint8Array): Promise<number> {
    if (this.life.halted) return never();
    if (!this.#open) return Promise.reject(this.#closedFault());
    into.fill(LENT);
    return this.#awaited("read", () => {
      this.machine.admitRead(this.path);
      return this.content.read(position, into);
    });
  }

  sync(): Promise<void> {
    if (this.life.halted) return never();
    if (!this.#open) return Promise.reject(this.#closedFault());
    const snapshot = this.content.beginSync();
    const covered = this.machine.tree.order === "journal" ? this.machine.tree.beginSync(this.machine.tree.root) : [];
    return this.#awaited("sync", () => {
      const outcome = this.machine.syncOutcome();
      if (outcome === "ok") {
        this.content.completeSync(snapshot);
        this.machine.tree.completeSync(covered); // a journal is flushed with it
        const { observer } = this.machine;
        observer?.synced(this.machine, this.path, this.content, snapshot);
        if (covered.length > 0) observer?.namesSynced(this.machine);
        return;
      }
      this.content.failSync(snapshot);
      if (outcome !== "fail") return;
      this.machine.observer?.syncFailed(this.machine, this.path, this.life);
      throw new DiskFault("failed", this.path, "input/output error");
    });
  }

  truncate(bytes: number): void {
    this.#check();
    this.#mayWrite();
    const more = bytes - this.content.size;
    this.machine.admitWrite(this.life, this.path, Math.max(0, more));
    this.content.truncate(bytes);
    this.machine.tree.usedBytes += more;
    this.machine.observer?.truncated(this.machine, this.path, this.content);
  }

  close(): void {
    this.life.check();
    this.#close();
  }

  #write(position: number, parts: readonly Uint8Array[]): void {
    const before = this.content.size;
    this.content.write(position, parts);
    this.machine.tree.usedBytes += this.content.size - before;
    this.machine.observer?.written(this.machine, this.path, this.content, position);
  }

  #awaited<T>(work: "read" | "sync", act: () => T): Promise<T> {
    this.#underWay++;
    return this.machine.later(this.life, work, () => {
      this.#underWay--;
      if (!this.#open) this.#release();
      return act();
    });
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#forget();
    this.closed();
    if (this.life.halted) this.#underWay = 0;
    this.#release();
  }

  #release(): void {
    if (this.#underWay > 0) return;
    this.content.handles--;
    this.machine.tree.free(this.content);
  }

  #check(): void {
    this.life.check();
    if (!this.#open) throw this.#closedFault();
  }

  #mayWrite(): void {
    if (!this.#open) throw this.#closedFault();
    if (this.readOnly) throw new DiskFault("failed", this.path, "opened for reading only");
  }

  #closedFault(): DiskFault {
    return new DiskFault("closed", this.path, "the file is closed");
  }
}

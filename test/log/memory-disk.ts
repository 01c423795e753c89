/**
 * A disk in memory that forgets what was not synced: pages of files one by one, names in a folder from the last directory sync on. It refuses
 * writes to a file whose sync is in flight, which is a rule of the log, not of disks. Each incarnation works through a view that dies with it.
 */
import { DiskFault, type Disk, type DiskEntry, type DiskFile, type DiskLock } from "../../src/world/disk.js";
import { Halted } from "../../src/world/world.js";

const PAGE_BYTES = 64; // small, so that batches of tests span pages

export type Draw = (end: number) => number;

class FileNode {
  readonly kind = "file";
  content: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  /** Incarnations that wait for an fdatasync of it. */
  syncing: DiskView[] = [];

  /** What a power loss leaves: each page old or new, and a length that was reached. */
  afterPowerLoss(draw: Draw): FileNode {
    const left = new FileNode();
    if (this.content.equals(this.durable)) {
      left.content = Buffer.from(this.durable);
    } else {
      const lengths = [this.durable.length, this.content.length];
      const between = Math.min(...lengths) + draw(Math.abs(this.content.length - this.durable.length) + 1);
      const length = draw(3) === 0 ? between : (lengths[draw(2)] ?? 0);
      left.content = Buffer.alloc(length);
      for (let at = 0; at < length; at += PAGE_BYTES) {
        const source = draw(2) === 0 ? this.durable : this.content;
        if (at < source.length) source.copy(left.content, at, at, Math.min(at + PAGE_BYTES, length));
      }
    }
    left.durable = Buffer.from(left.content);
    return left;
  }
}

class FolderNode {
  readonly kind = "directory";
  entries = new Map<string, Node>();
  durable = new Map<string, Node>();
  /** States since the last directory sync, oldest first: a power loss leaves one of them. */
  since: Map<string, Node>[] = [];

  changed(): void {
    this.since.push(new Map(this.entries));
  }

  afterPowerLoss(draw: Draw): FolderNode {
    const left = new FolderNode();
    const states = [this.durable, ...this.since];
    const state = states[draw(states.length)] ?? this.durable;
    for (const [name, node] of state) left.entries.set(name, node.afterPowerLoss(draw));
    left.durable = new Map(left.entries);
    return left;
  }

  /** A killed process: all is there, in the page cache. */
  copy(): FolderNode {
    return this;
  }
}

type Node = FileNode | FolderNode;

export class MemoryDisk {
  root = new FolderNode();
  bootId = "boot-1";
  /** Rules that a log broke. */
  readonly violations: string[] = [];
  /** Makes the next fdatasync fail. */
  failSyncs = false;
  full = false;
  /** Turns of the loop that a sync takes. */
  syncTurns: Draw | null = null;
  syncs = 0;
  locks = new Set<string>();

  powerLoss(draw: Draw): void {
    this.root = this.root.afterPowerLoss(draw);
    this.bootId = `boot-${this.bootId}+`;
    this.locks.clear();
  }

  node(path: string): Node | null {
    let node: Node = this.root;
    for (const name of path.split("/").filter((part) => part !== "" && part !== ".")) {
      if (node.kind !== "directory") return null;
      const next = node.entries.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  folder(path: string): FolderNode {
    const node = this.node(path);
    if (node?.kind !== "directory") throw new DiskFault("missing", path, "no such folder");
    return node;
  }

  file(path: string): Buffer {
    const node = this.node(path);
    if (node?.kind !== "file") throw new DiskFault("missing", path, "no such file");
    return node.content;
  }

  /** Changes bytes behind everybody's back, durably. */
  damage(path: string, change: (content: Buffer) => Buffer): void {
    const node = this.node(path);
    if (node?.kind !== "file") throw new DiskFault("missing", path, "no such file");
    node.content = change(Buffer.from(node.content));
    node.durable = Buffer.from(node.content);
  }

  put(path: string, bytes: Uint8Array): void {
    const { parent, name } = this.parentOf(path, true);
    const node = new FileNode();
    node.content = Buffer.from(bytes);
    node.durable = Buffer.from(bytes);
    parent.entries.set(name, node);
    parent.durable.set(name, node);
  }

  names(path: string): string[] {
    return [...this.folder(path).entries.keys()].sort();
  }

  parentOf(path: string, make = false): { readonly parent: FolderNode; readonly name: string } {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    const name = parts.pop() ?? "";
    let folder = this.root;
    for (const part of parts) {
      let next = folder.entries.get(part);
      if (next === undefined && make) {
        next = new FolderNode();
        folder.entries.set(part, next);
        folder.durable.set(part, next);
      }
      if (next?.kind !== "directory") throw new DiskFault("missing", path, "no such folder");
      folder = next;
    }
    return { parent: folder, name };
  }
}

/** What one incarnation sees. */
export class DiskView implements Disk {
  dead = false;
  readonly #disk: MemoryDisk;
  readonly #held: string[] = [];

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
  }

  kill(): void {
    this.dead = true;
    for (const path of this.#held) this.#disk.locks.delete(path);
  }

  check(): void {
    if (this.dead) throw new Halted("dead");
  }

  async later<T>(work: () => T): Promise<T> {
    this.check();
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.dead) return new Promise<T>(() => undefined);
    return work();
  }

  open(path: string, options: { readonly create?: boolean } = {}): DiskFile {
    this.check();
    const { parent, name } = this.#disk.parentOf(path);
    let node = parent.entries.get(name);
    if (node === undefined && options.create === true) {
      node = new FileNode();
      parent.entries.set(name, node);
      parent.changed();
    }
    if (node?.kind !== "file") throw new DiskFault("missing", path, "no such file");
    return new OpenFile(this, this.#disk, path, node);
  }

  readFile(path: string): Promise<Uint8Array | null> {
    return this.later(() => {
      const node = this.#disk.node(path);
      return node?.kind === "file" ? Uint8Array.from(node.content) : null;
    });
  }

  exists(path: string): Promise<boolean> {
    return this.later(() => this.#disk.node(path) !== null);
  }

  list(path: string): Promise<readonly DiskEntry[]> {
    return this.later(() => {
      const node = this.#disk.node(path);
      if (node?.kind !== "directory") return [];
      return [...node.entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, entry]) => ({ name, kind: entry.kind, bytes: entry.kind === "file" ? entry.content.length : 0 }));
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.later(() => {
      let folder = this.#disk.root;
      for (const part of path.split("/").filter((one) => one !== "" && one !== ".")) {
        let next = folder.entries.get(part);
        if (next === undefined) {
          next = new FolderNode();
          folder.entries.set(part, next);
          folder.changed();
        }
        if (next.kind !== "directory") throw new DiskFault("failed", path, "a file is in the way");
        folder = next;
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.later(() => {
      const source = this.#disk.parentOf(from);
      const target = this.#disk.parentOf(to);
      const node = source.parent.entries.get(source.name);
      if (node === undefined) throw new DiskFault("missing", from, "no such file");
      source.parent.entries.delete(source.name);
      target.parent.entries.set(target.name, node);
      source.parent.changed();
      if (target.parent !== source.parent) target.parent.changed();
    });
  }

  unlink(path: string): Promise<void> {
    return this.later(() => {
      if (this.#disk.node(path) === null) return;
      const { parent, name } = this.#disk.parentOf(path);
      parent.entries.delete(name);
      parent.changed();
    });
  }

  removeTree(path: string): Promise<void> {
    return this.unlink(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.later(() => {
      const folder = this.#disk.folder(path);
      folder.durable = new Map(folder.entries);
      folder.since = [];
    });
  }

  lock(path: string): Promise<DiskLock | null> {
    return this.later(() => {
      if (this.#disk.locks.has(path)) return null;
      this.#disk.locks.add(path);
      this.#held.push(path);
      return { release: async () => void this.#disk.locks.delete(path) };
    });
  }

  freeBytes(): Promise<number> {
    return this.later(() => 1e12);
  }

  bootId(): Promise<string> {
    return this.later(() => this.#disk.bootId);
  }
}

class OpenFile implements DiskFile {
  #closed = false;

  constructor(readonly view: DiskView, readonly disk: MemoryDisk, readonly path: string, readonly node: FileNode) {}

  size(): number {
    return this.node.content.length;
  }

  writeAt(position: number, parts: readonly Uint8Array[]): void {
    this.#check();
    this.#checkIdle("written to");
    if (this.disk.full) throw new DiskFault("full", this.path, "ENOSPC");
    const bytes = Buffer.concat(parts);
    const end = Math.max(this.node.content.length, position + bytes.length);
    const grown = Buffer.alloc(end);
    this.node.content.copy(grown);
    bytes.copy(grown, position);
    this.node.content = grown;
  }

  readAt(position: number, into: Uint8Array): number {
    this.#check();
    return this.node.content.copy(into, 0, position, position + into.length);
  }

  read(position: number, into: Uint8Array): Promise<number> {
    this.#check();
    return this.view.later(() => this.node.content.copy(into, 0, position, position + into.length));
  }

  async sync(): Promise<void> {
    this.#check();
    this.disk.syncs++;
    const asBegun = Buffer.from(this.node.content);
    this.node.syncing.push(this.view);
    const turns = 1 + (this.disk.syncTurns?.(4) ?? 0);
    for (let i = 0; i < turns; i++) await this.view.later(() => undefined);
    this.node.syncing.splice(this.node.syncing.indexOf(this.view), 1);
    if (this.disk.failSyncs) throw new DiskFault("failed", this.path, "EIO");
    this.node.durable = asBegun;
  }

  truncate(bytes: number): void {
    this.#check();
    this.#checkIdle("truncated");
    const changed = Buffer.alloc(bytes);
    this.node.content.copy(changed, 0, 0, bytes);
    this.node.content = changed;
  }

  close(): void {
    this.#closed = true;
  }

  #check(): void {
    this.view.check();
    if (this.#closed) throw new DiskFault("closed", this.path, "closed");
  }

  #checkIdle(what: string): void {
    if (this.node.syncing.some((view) => !view.dead)) this.disk.violations.push(`${this.path} was ${what} while its sync was in flight`);
  }
}

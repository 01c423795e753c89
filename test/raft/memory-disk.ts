/**
 * A World of which only the disk and the clock are real enough for the store: a disk that remembers what is durable and can lose power after any step.
 * Unsynced content and unsynced names are lost, or kept, as the test says.
 */
import { DiskFault, type Disk, type DiskFile } from "../../src/world/disk.js";
import type { World } from "../../src/world/world.js";

interface Inode {
  bytes: Buffer;
  durable: Buffer;
}

/** What became of what was not synced: lost but for names, half written, or content there while a file's being cut is not. */
export type Kept = "nothing" | "names" | "everything" | "half" | "lengths";

/** Thrown out of every call once the power is gone. */
export class PowerLost extends Error {}

export class MemoryDisk implements Disk {
  /** Names as they are, and as they are durable. */
  names = new Map<string, Inode>();
  durableNames = new Map<string, Inode>();
  folders = new Set<string>(["."]);
  steps = 0;
  /** The power goes at this step. */
  failAt = Infinity;
  full = false;

  private step(): void {
    if (this.steps >= this.failAt) throw new PowerLost();
    this.steps++;
  }

  open(path: string, options: { readonly create?: boolean; readonly readOnly?: boolean } = {}): DiskFile {
    this.step();
    let inode = this.names.get(path);
    if (inode === undefined) {
      if (options.create !== true) throw new DiskFault("missing", path, "no such file");
      inode = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.names.set(path, inode);
    }
    const file = inode;
    const step = () => this.step();
    const isFull = () => this.full;
    const read = (position: number, into: Uint8Array) => {
      const part = file.bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    };
    return {
      path,
      size: () => file.bytes.length,
      writeAt(position, parts) {
        step();
        if (isFull()) throw new DiskFault("full", path, "no space");
        const added = Buffer.concat(parts);
        const bytes = Buffer.alloc(Math.max(file.bytes.length, position + added.length));
        file.bytes.copy(bytes);
        added.copy(bytes, position);
        file.bytes = bytes;
      },
      readAt: read,
      read: (position, into) => Promise.resolve(read(position, into)),
      sync: () => this.later(() => void (file.durable = file.bytes)),
      truncate(bytes) {
        step();
        file.bytes = Buffer.concat([file.bytes.subarray(0, bytes), Buffer.alloc(Math.max(0, bytes - file.bytes.length))]);
      },
      close: () => undefined,
    };
  }

  private later<T>(act: () => T): Promise<T> {
    return Promise.resolve().then(() => {
      this.step();
      return act();
    });
  }

  readFile(path: string) {
    return this.later(() => this.names.get(path)?.bytes ?? null);
  }

  exists(path: string) {
    return Promise.resolve(this.names.has(path) || this.folders.has(path));
  }

  list(path: string) {
    const inside = [...this.names].filter(([name]) => name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes("/"));
    return Promise.resolve(inside.map(([name, inode]) => ({ name: name.slice(path.length + 1), kind: "file" as const, bytes: inode.bytes.length })).sort((a, b) => (a.name < b.name ? -1 : 1)));
  }

  makeDirectory(path: string) {
    this.folders.add(path);
    return Promise.resolve();
  }

  rename(from: string, to: string) {
    return this.later(() => {
      const inode = this.names.get(from);
      if (inode === undefined) throw new DiskFault("missing", from, "no such file");
      this.names.delete(from);
      this.names.set(to, inode);
    });
  }

  unlink(path: string) {
    return this.later(() => void this.names.delete(path));
  }

  removeTree(): Promise<void> {
    throw new Error("not needed");
  }

  syncDirectory(path: string) {
    return this.later(() => {
      const here = (name: string) => name.startsWith(`${path}/`);
      for (const name of [...this.durableNames.keys()]) if (here(name) && !this.names.has(name)) this.durableNames.delete(name);
      for (const [name, inode] of this.names) if (here(name)) this.durableNames.set(name, inode);
    });
  }

  lock() {
    return Promise.resolve({ release: () => Promise.resolve() });
  }

  freeBytes() {
    return Promise.resolve(1 << 30);
  }

  bootId() {
    return Promise.resolve("boot");
  }

  /** What a start after the loss of power finds. `keep`: what was not synced happened to reach the device, or part of it did. */
  afterPowerLoss(keep: Kept): MemoryDisk {
    const next = new MemoryDisk();
    next.folders = new Set(this.folders);
    const names = keep === "nothing" ? this.durableNames : this.names;
    for (const [name, inode] of names) {
      let bytes = inode.durable;
      if (keep === "everything") bytes = inode.bytes;
      if (keep === "half") bytes = inode.bytes.subarray(0, Math.max(inode.durable.length, Math.floor((inode.durable.length + inode.bytes.length) / 2)));
      if (keep === "lengths") bytes = Buffer.concat([inode.bytes, inode.durable.subarray(inode.bytes.length)]); // content got there, its being cut did not
      const copy = { bytes: Buffer.from(bytes), durable: Buffer.from(bytes) };
      next.names.set(name, copy);
      next.durableNames.set(name, copy);
    }
    return next;
  }

  /** For tests that put damage in place. */
  content(path: string): Buffer {
    const inode = this.names.get(path);
    if (inode === undefined) throw new Error(`no file ${path}`);
    return inode.bytes;
  }

  replace(path: string, bytes: Buffer): void {
    const inode = { bytes, durable: bytes };
    this.names.set(path, inode);
    this.durableNames.set(path, inode);
  }
}

export function storeWorld(disk: MemoryDisk): World {
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, with: () => quiet };
  let draws = 0;
  // Only what the store uses; anything else throws as undefined, which is what the test wants to see.
  return {
    disk,
    logger: quiet,
    clock: { nowMs: () => 0, yield: () => Promise.resolve() },
    random: { uuid: () => `uuid${String(draws++).padStart(18, "0")}` },
    own: (promise: Promise<unknown>) => void promise.catch((error: unknown) => { if (!(error instanceof PowerLost)) throw error; }),
    halted: false,
  } as unknown as World;
}

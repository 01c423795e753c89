/**
 * The disk of one machine, which outlives its processes: the tree of files, its faults, how long things take, and what crashes leave. A killed
 * process leaves the page cache as it is; a loss of power leaves what was synced and, of the rest, what the seed says.
 */
import { createHash } from "node:crypto";
import type { DiskLock } from "../world/disk.js";
import { DiskFault } from "../world/disk.js";
import { type DiskBite, type DiskFaults, NO_DISK_FAULTS } from "./disk-faults.js";
import { FileTree, type NameOrder } from "./file-tree.js";
import type { Life } from "./life.js";
import type { Observer } from "./observer.js";
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";

export interface DiskOptions {
  /** How names outlive a loss of power; drawn if left out. */
  readonly names?: NameOrder;
  /** The space it has; 64 GiB if left out. */
  readonly capacityBytes?: number;
  /** A usual sync; drawn from 0.2 to 3 ms if left out. */
  readonly syncMs?: number;
}

export type DiskWork = "sync" | "read" | "names";

const USUAL_MS: { readonly [work in Exclude<DiskWork, "sync">]: number } = { read: 0.08, names: 0.12 };

export class MachineDisk {
  tree: FileTree;
  readonly #scheduler: Scheduler;
  readonly #seeded: Seeded;
  readonly #capacityBytes: number;
  readonly #syncMs: number;
  readonly #onBite: (bite: DiskBite) => void;
  #faults: DiskFaults = NO_DISK_FAULTS;
  #boots = 0;
  #held: (() => void)[] = [];
  readonly #locks = new Map<string, Life>();
  /** Grows with each change of what would be there without power: who judges the durable bytes looks only then. */
  durableVersion = 0;

  constructor(scheduler: Scheduler, seeded: Seeded, options: DiskOptions, onBite: (bite: DiskBite) => void) {
    this.#scheduler = scheduler;
    this.#seeded = seeded;
    this.#onBite = onBite;
    this.#capacityBytes = options.capacityBytes ?? 64 * 2 ** 30;
    this.#syncMs = options.syncMs ?? seeded.fork("speed").between(0.2, 3);
    this.tree = new FileTree(options.names ?? (seeded.fork("names").chance(0.5) ? "journal" : "any"));
  }

  // ------------------------------------------------------------------------------------------------------------ what a World asks

  get observer(): Observer | null {
    return this.#scheduler.observer;
  }

  get bootId(): string {
    return `boot-${this.#boots}`;
  }

  get freeBytes(): number {
    return this.#faults.full ? 0 : Math.max(0, this.#capacityBytes - this.tree.usedBytes);
  }

  /**
   * Something awaited. What changes the disk takes effect where it begins or where it ends, by a draw, so that a crash between them finds either.
   * @param act throws what the caller gets
   */
  later<T>(life: Life, work: DiskWork, act: () => T): Promise<T> {
    return life.awaited<T>((resolve, reject) => {
      let outcome: (() => void) | null = null;
      const carryOut = () => {
        try {
          const value = act();
          outcome = () => resolve(value);
        } catch (error) {
          outcome = () => reject(error);
        }
      };
      if (work === "names" && this.#seeded.chance(0.5)) carryOut();
      this.#wait(life, work, () => {
        if (outcome === null) carryOut();
        life.run(outcome ?? (() => undefined));
      });
    });
  }

  /** Before a synchronous call that writes `moreBytes` beyond what is there. @throws DiskFault */
  admitWrite(life: Life, path: string, moreBytes: number): void {
    this.occupy(life);
    if (this.#faults.writes === "fail") {
      this.#onBite("write-failed");
      throw new DiskFault("failed", path, "input/output error");
    }
    if (moreBytes > 0 && moreBytes > this.freeBytes) {
      this.#onBite("disk-full");
      throw new DiskFault("full", path, "no space left");
    }
  }

  /** @throws DiskFault */
  admitRead(path: string): void {
    if (this.#faults.reads === "ok") return;
    this.#onBite("read-failed");
    throw new DiskFault("failed", path, "input/output error");
  }

  /** A synchronous call takes its time. */
  occupy(life: Life): void {
    if (this.#faults.callMs === 0) return;
    this.#onBite("call-slow");
    life.thread.spend(this.#seeded.around(this.#faults.callMs));
  }

  /** What becomes of a sync that ends now. */
  syncOutcome(): "ok" | "fail" | "lie" {
    const { syncs } = this.#faults;
    if (syncs !== "lie") this.durableVersion++;
    if (syncs === "ok") return "ok";
    this.#onBite(syncs === "lie" ? "sync-lied" : "sync-failed");
    if (syncs === "fail-once") this.#faults = { ...this.#faults, syncs: "ok" };
    return syncs === "lie" ? "lie" : "fail";
  }

  drawBelow(end: number): number {
    return this.#seeded.below(end);
  }

  lock(life: Life, path: string): DiskLock | null {
    if (this.#locks.has(path)) return null;
    this.#locks.set(path, life);
    const free = () => void (this.#locks.get(path) === life && this.#locks.delete(path));
    const forget = life.keep(free);
    return {
      release: () =>
        this.later(life, "names", () => {
          forget();
          free();
        }),
    };
  }

  #wait(life: Life, work: DiskWork, done: () => void): void {
    if (this.#faults.stalled) {
      this.#onBite("disk-stalled");
      this.#held.push(() => this.#wait(life, work, done));
      return;
    }
    if (this.#faults.slowness > 1) this.#onBite("disk-slow");
    const usualMs = work === "sync" ? this.#syncMs : USUAL_MS[work];
    this.#scheduler.at(life.thread.nowMs + this.#seeded.around(usualMs * this.#faults.slowness), life.thread, done);
  }

  // ------------------------------------------------------------------------------------------------------------ what the simulation does

  get faults(): DiskFaults {
    return this.#faults;
  }

  /** Changes some of the faults; the others stay. */
  fault(change: Partial<DiskFaults>): void {
    this.#faults = { ...this.#faults, ...change };
    if (this.#faults.stalled) return;
    const held = this.#held;
    this.#held = [];
    for (const resume of held) resume();
  }

  /** No process may run. @returns what of the unsynced was lost */
  losePower(): { readonly pages: number; readonly names: number } {
    this.#boots++;
    this.durableVersion++;
    this.#held = [];
    this.#locks.clear();
    const draw = this.#seeded.below(20);
    const survival = draw < 4 ? "none" : draw === 4 ? "all" : "mixed";
    const names = this.tree.losePower(this.#seeded, survival);
    let pages = 0;
    for (const file of new Set(this.tree.files().map((one) => one.file))) {
      pages += file.losePower(this.#seeded, survival);
      this.tree.usedBytes += file.size;
    }
    if (pages > 0) this.#onBite("page-lost");
    if (names > 0) this.#onBite("name-lost");
    this.observer?.shaken(this);
    return { pages, names };
  }

  /** The disk is replaced by an empty one. No process may run. */
  wipe(): void {
    this.tree = new FileTree(this.tree.order);
    this.durableVersion++;
    this.#locks.clear();
    this.#held = [];
    this.#onBite("disk-wiped");
    this.observer?.shaken(this);
  }

  /** @returns false if the file has no such byte on the disk */
  flipBit(path: string, position: number, bit: number): boolean {
    const flipped = this.tree.durableFile(path)?.flip(position, bit) ?? false;
    if (flipped) this.durableVersion++;
    if (flipped) this.#onBite("bit-flipped");
    if (flipped) this.observer?.shaken(this);
    return flipped;
  }

  // ------------------------------------------------------------------------------------------------------------ what the oracle asks

  /** Files that would be there without power, by path. */
  durablePaths(): readonly string[] {
    return this.tree.files("durable").map((one) => one.path);
  }

  /** What of a file would be there without power; null if its name would not. */
  durable(path: string): Uint8Array | null {
    return this.tree.durableFile(path)?.durableBytes() ?? null;
  }

  /** What a process would read now; null if there is no such file. */
  cached(path: string): Uint8Array | null {
    const node = this.tree.find(path);
    return node?.kind === "file" ? node.bytes() : null;
  }

  /** Paths and bytes of all durable files. */
  hash(): string {
    const hash = createHash("sha256");
    for (const { path, file } of this.tree.files("durable")) hash.update(`${path}\0${file.durableSize}\0`).update(file.durableBytes());
    return hash.digest("hex").slice(0, 32);
  }
}

/** One open file. Appends and tail reads are synchronous calls into the page cache; what may wait for a device goes through the thread pool. */
import * as fs from "node:fs";
import { DiskFault, type DiskFile } from "../world/disk.js";
import { diskFault } from "./disk-fault.js";
import type { DiskTraffic } from "./disk-traffic.js";
import { type Life, never } from "./life.js";

const WRITE_MAX_PARTS = 1000; // IOV_MAX is 1024

export class HostFile implements DiskFile {
  readonly path: string;
  readonly #life: Life;
  readonly #traffic: DiskTraffic;
  readonly #fd: number;
  readonly #forget: () => void;
  #pending = 0; // reads and syncs under way: the descriptor is kept for them
  #state: "open" | "closing" | "closed" = "open";

  constructor(life: Life, traffic: DiskTraffic, path: string, fd: number) {
    this.path = path;
    this.#life = life;
    this.#traffic = traffic;
    this.#fd = fd;
    this.#forget = life.keep(() => this.#close());
  }

  /** Asked of the file each time, since another handle may have grown it. */
  size(): number {
    this.#check();
    return this.#try(() => fs.fstatSync(this.#fd).size);
  }

  writeAt(position: number, parts: readonly Uint8Array[]): void {
    this.#check();
    this.#try(() => {
      let at = position;
      for (let first = 0; first < parts.length; first += WRITE_MAX_PARTS) {
        at += this.#writeSome(at, parts.length <= WRITE_MAX_PARTS ? parts : parts.slice(first, first + WRITE_MAX_PARTS));
      }
    });
  }

  /** The kernel may take a part only (a signal, a nearly full disk): the rest is offered again until it takes it or says why not. */
  #writeSome(position: number, parts: readonly Uint8Array[]): number {
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    let rest = parts;
    let written = 0;
    while (written < total) {
      const [only] = rest;
      const count = rest.length === 1 && only !== undefined ? fs.writeSync(this.#fd, only, 0, only.length, position + written) : fs.writevSync(this.#fd, rest, position + written);
      if (count <= 0) throw new Error("the disk took no bytes");
      written += count;
      if (written < total) rest = withoutFirst(rest, count);
    }
    return total;
  }

  readAt(position: number, into: Uint8Array): number {
    this.#check();
    return this.#try(() => {
      let filled = 0;
      while (filled < into.length) {
        const count = fs.readSync(this.#fd, into, filled, into.length - filled, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    });
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#pooled("other", async () => {
      let filled = 0;
      while (filled < into.length && !this.#life.halted) {
        const count = await readOnce(this.#fd, into, filled, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    });
  }

  sync(): Promise<void> {
    return this.#pooled("sync", () => new Promise<void>((resolve, reject) => fs.fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error)))));
  }

  truncate(bytes: number): void {
    this.#check();
    this.#try(() => fs.ftruncateSync(this.#fd, bytes));
  }

  close(): void {
    this.#life.check();
    this.#close();
  }

  #close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#forget();
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#state !== "closing" || this.#pending > 0) return;
    this.#state = "closed";
    fs.closeSync(this.#fd);
  }

  #pooled<T>(kind: "sync" | "other", work: () => Promise<T>): Promise<T> {
    if (this.#life.halted) return never();
    if (this.#state !== "open") return Promise.reject(this.#closedFault());
    this.#pending++;
    return this.#traffic.run(kind, this.path, work, () => {
      this.#pending--;
      this.#closeIfIdle();
    });
  }

  #try<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw diskFault(error, this.path);
    }
  }

  #check(): void {
    this.#life.check();
    if (this.#state !== "open") throw this.#closedFault();
  }

  #closedFault(): DiskFault {
    return new DiskFault("closed", this.path, "the file is closed");
  }
}

function readOnce(fd: number, into: Uint8Array, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, at, into.length - at, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

function withoutFirst(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  for (const [i, part] of parts.entries()) {
    if (skip < part.length) return [part.subarray(skip), ...parts.slice(i + 1)];
    skip -= part.length;
  }
  return [];
}

/**
 * Snapshots as files `<index>-<term>.snapshot`: written under another name, synced, renamed. They travel whole, as bytes, and are checked where they arrive.
 *
 *     magic uint32, version uint32, index uint64, term uint64, members length uint32, members; chain uint32
 *     blocks: length uint32, bytes, chain uint32; at the end a length of 0xffffffff and the chain
 *
 * The chain is the CRC-32C of everything before it but the chains.
 */
import { crc32c } from "../base/crc32c.js";
import { DiskFault, type DiskFile } from "../world/disk.js";
import type { World } from "../world/world.js";
import { decodeMembership, encodeMembership } from "./members.js";
import { readUint64, writeUint64 } from "./store-format.js";
import type { LogPoint, Membership, Snapshot } from "./types.js";

const MAGIC = 0x4b6e536e;
const VERSION = 1;
const HEAD_BYTES = 28;
const END = 0xffffffff;
export const BLOCK_MAX_BYTES = 1 << 20;
const MEMBERS_MAX_BYTES = 1 << 20;
/** The newest, and the one before for transfers under way and as a second chance. */
const KEEP = 2;

export class SnapshotFiles {
  #incoming: DiskFile | null = null;

  constructor(readonly world: World, readonly folder: string) {}

  /**
   * Whole and checked ones, newest first; `broken` are the points of those that are not, set aside. What was being written when the process ended is removed.
   */
  async recover(): Promise<{ readonly whole: readonly Snapshot[]; readonly broken: readonly LogPoint[] }> {
    const { disk, logger } = this.world;
    const whole: Snapshot[] = [];
    const broken: LogPoint[] = [];
    for (const { name } of [...(await disk.list(this.folder))].reverse()) {
      if (name.endsWith(".snapshot.tmp")) await disk.unlink(`${this.folder}/${name}`);
      const named = /^(\d{20})-(\d+)\.snapshot$/.exec(name);
      if (named === null) continue;
      const point = { index: Number(named[1]), term: Number(named[2]) };
      const snapshot = await this.#check(`${this.folder}/${name}`, point);
      if (snapshot !== null) whole.push(snapshot);
      else {
        logger.error({ file: `${this.folder}/${name}` }, "a snapshot of the quorum is damaged: set aside, never taken for an empty state");
        await disk.rename(`${this.folder}/${name}`, `${this.folder}/${name}.damaged`);
        await disk.syncDirectory(this.folder);
        broken.push(point);
      }
    }
    return { whole, broken };
  }

  /** Writes one block a turn. @returns null where the disk is full: the node goes on without this snapshot */
  async write(point: LogPoint, members: Membership, blocks: Iterator<Uint8Array>): Promise<Snapshot | null> {
    const temporary = `${this.#path(point)}.tmp`;
    const file = this.world.disk.open(temporary, { create: true });
    let position = 0;
    let chain = 0;
    const put = (parts: readonly Uint8Array[]) => {
      for (const part of parts) chain = crc32c(part, chain);
      file.writeAt(position, [...parts, uint32(chain)]);
      position += parts.reduce((sum, part) => sum + part.length, 4);
    };
    try {
      file.truncate(0);
      put([encodeHead(point, members)]);
      for (let next = blocks.next(); next.done !== true; next = blocks.next()) {
        if (next.value.length > BLOCK_MAX_BYTES) throw new Error(`a snapshot's block has ${BLOCK_MAX_BYTES} bytes at most`);
        put([uint32(next.value.length), next.value]);
        await this.world.clock.yield();
      }
      put([uint32(END)]);
    } catch (error) {
      file.close();
      await this.world.disk.unlink(temporary);
      if (error instanceof DiskFault && error.code === "full") return null;
      throw error;
    }
    await this.#keep(file, temporary, point);
    return { ...point, members, bytes: position };
  }

  async #keep(file: DiskFile, temporary: string, point: LogPoint): Promise<void> {
    await file.sync();
    file.close();
    await this.world.disk.rename(temporary, this.#path(point));
    await this.world.disk.syncDirectory(this.folder);
    await this.#dropOld();
  }

  async #dropOld(): Promise<void> {
    const names = (await this.world.disk.list(this.folder)).map((entry) => entry.name).filter((name) => /^\d{20}-\d+\.snapshot$/.test(name));
    for (const name of names.slice(0, -KEEP)) await this.world.disk.unlink(`${this.folder}/${name}`);
  }

  /** @returns null when the file is gone, replaced by newer ones */
  async readChunk(snapshot: Snapshot, position: number, bytes: number): Promise<Uint8Array | null> {
    let file: DiskFile;
    try {
      file = this.world.disk.open(this.#path(snapshot), { readOnly: true });
    } catch (error) {
      if (error instanceof DiskFault && error.code === "missing") return null;
      throw error;
    }
    try {
      const chunk = new Uint8Array(bytes);
      return (await file.read(position, chunk)) === bytes ? chunk : null;
    } finally {
      file.close();
    }
  }

  /** A piece of a leader's snapshot, in order from 0. @returns false where the disk is full */
  storeChunk(position: number, chunk: Uint8Array): boolean {
    try {
      this.#incoming ??= this.world.disk.open(this.#incomingPath, { create: true });
      if (position === 0) this.#incoming.truncate(0);
      this.#incoming.writeAt(position, [chunk]);
      return true;
    } catch (error) {
      if (error instanceof DiskFault && error.code === "full") return false;
      throw error;
    }
  }

  /** Checks what came in and makes it durable under its name. @returns null where it is not what it should be */
  async install(point: LogPoint, total: number): Promise<Snapshot | null> {
    const file = this.#incoming;
    if (file === null) return null;
    const snapshot = file.size() === total ? await this.#check(this.#incomingPath, point) : null;
    this.#incoming = null;
    if (snapshot === null) {
      file.close();
      await this.world.disk.unlink(this.#incomingPath);
      return null;
    }
    await this.#keep(file, this.#incomingPath, point);
    return snapshot;
  }

  /** The blocks as they were written. @throws where a checksum disagrees */
  async *blocks(snapshot: Snapshot): AsyncGenerator<Uint8Array> {
    const reading = await openReading(this.world, this.#path(snapshot));
    try {
      if ((await readHead(reading)) === null) throw new Error(`the head of ${this.#path(snapshot)} is damaged`);
      for (let block = await readBlock(reading); block !== "end"; block = await readBlock(reading)) {
        if (block === null) throw new Error(`${this.#path(snapshot)} is damaged near byte ${reading.position}`);
        yield block;
      }
    } finally {
      reading.file.close();
    }
  }

  async #check(path: string, point: LogPoint): Promise<Snapshot | null> {
    const reading = await openReading(this.world, path);
    try {
      const head = await readHead(reading);
      if (head === null || head.point.index !== point.index || head.point.term !== point.term) return null;
      let block = await readBlock(reading);
      for (; block !== null && block !== "end"; block = await readBlock(reading));
      if (block === null || reading.position !== reading.file.size()) return null;
      return { ...point, members: head.members, bytes: reading.position };
    } finally {
      reading.file.close();
    }
  }

  #path(point: LogPoint): string {
    return `${this.folder}/${String(point.index).padStart(20, "0")}-${point.term}.snapshot`;
  }

  get #incomingPath(): string {
    return `${this.folder}/incoming.snapshot.tmp`;
  }

  close(): void {
    this.#incoming?.close();
  }
}

// ---------------------------------------------------------------------------------------------------------------- bytes

interface Reading {
  readonly file: DiskFile;
  position: number;
  chain: number;
}

async function openReading(world: World, path: string): Promise<Reading> {
  return Promise.resolve({ file: world.disk.open(path, { readOnly: true }), position: 0, chain: 0 });
}

function encodeHead(point: LogPoint, members: Membership): Buffer {
  const names = encodeMembership(members);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt32BE(VERSION, 4);
  writeUint64(head, point.index, 8);
  writeUint64(head, point.term, 16);
  head.writeUInt32BE(names.length, 24);
  return Buffer.concat([head, names]);
}

async function readHead(reading: Reading): Promise<{ readonly point: LogPoint; readonly members: Membership } | null> {
  const head = await take(reading, HEAD_BYTES);
  if (head === null || head.readUInt32BE(0) !== MAGIC || head.readUInt32BE(4) !== VERSION) return null;
  const length = head.readUInt32BE(24);
  const names = length > MEMBERS_MAX_BYTES ? null : await take(reading, length);
  if (names === null || !(await chainAgrees(reading, [head, names]))) return null;
  return { point: { index: readUint64(head, 8), term: readUint64(head, 16) }, members: decodeMembership(names) };
}

/** Null: damaged, or cut short. */
async function readBlock(reading: Reading): Promise<Uint8Array | "end" | null> {
  const head = await take(reading, 4);
  if (head === null) return null;
  const length = head.readUInt32BE(0);
  if (length === END) return (await chainAgrees(reading, [head])) ? "end" : null;
  const bytes = length > BLOCK_MAX_BYTES ? null : await take(reading, length);
  return bytes !== null && (await chainAgrees(reading, [head, bytes])) ? bytes : null;
}

async function chainAgrees(reading: Reading, parts: readonly Uint8Array[]): Promise<boolean> {
  for (const part of parts) reading.chain = crc32c(part, reading.chain);
  const stored = await take(reading, 4);
  return stored !== null && stored.readUInt32BE(0) === reading.chain;
}

async function take(reading: Reading, bytes: number): Promise<Buffer | null> {
  const into = Buffer.alloc(bytes);
  if (bytes > 0 && (await reading.file.read(reading.position, into)) !== bytes) return null;
  reading.position += bytes;
  return into;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/**
 * How far the log was known to be durable: a lower bound, written after each sync and synced now and then, that lets recovery tell a torn tail from
 * the loss of what was acknowledged. Two slots in turn, so that a torn write leaves the other.
 */
import type { DiskFile } from "../world/disk.js";
import type { World } from "../world/world.js";
import { readUint64, sealed, unsealed, writeUint64 } from "./store-format.js";
import type { Index } from "./types.js";

const SLOT_BYTES = 512;
const BODY_BYTES = 16;
/** A marker in the page cache survives the process; every so often it survives the power too. */
const SYNC_EVERY_MS = 1000;

export class Marker {
  #sequence: number;
  #syncedAtMs = -Infinity;
  #syncing = false;

  private constructor(readonly world: World, readonly file: DiskFile, sequence: number, private value: Index) {
    this.#sequence = sequence;
  }

  static async open(world: World, path: string): Promise<Marker> {
    const bytes = (await world.disk.readFile(path)) ?? new Uint8Array(0);
    let best = { sequence: 0, index: 0 };
    for (const at of [0, SLOT_BYTES]) {
      const body = unsealed(bytes.subarray(at, at + 4 + BODY_BYTES));
      if (body === null || body.length !== BODY_BYTES) continue;
      const sequence = readUint64(body, 0);
      if (sequence > best.sequence) best = { sequence, index: readUint64(body, 8) };
    }
    return new Marker(world, world.disk.open(path, { create: true }), best.sequence, best.index);
  }

  get index(): Index {
    return this.value;
  }

  /** After the log was synced up to here. */
  set(index: Index): void {
    if (index === this.value) return;
    this.value = index;
    this.#sequence++;
    const body = Buffer.alloc(BODY_BYTES);
    writeUint64(body, this.#sequence, 0);
    writeUint64(body, index, 8);
    this.file.writeAt((this.#sequence % 2) * SLOT_BYTES, [sealed(body)]);
    const now = this.world.clock.nowMs();
    if (this.#syncing || now - this.#syncedAtMs < SYNC_EVERY_MS) return;
    this.#syncedAtMs = now;
    this.#syncing = true;
    this.world.own(this.file.sync().then(() => void (this.#syncing = false)), "syncing the quorum's marker");
  }

  /** Before the log is cut below it: what is cut on purpose must not be missed by a recovery. */
  async lower(index: Index): Promise<void> {
    if (index >= this.value) return;
    this.set(index);
    await this.file.sync();
  }

  async sync(): Promise<void> {
    await this.file.sync();
  }

  close(): void {
    this.file.close();
  }
}

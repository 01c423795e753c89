/** A World's draws, from its own fork of the seed. */
import { NO_UUID, type Uuid, uuidFromBytes } from "../base/ids.js";
import { toHex } from "../base/bytes.js";
import type { Random } from "../world/random.js";
import type { Life } from "./life.js";
import type { Seeded } from "./seeded.js";

export class SimRandom implements Random {
  readonly #life: Life;
  readonly #seeded: Seeded;

  constructor(life: Life, seeded: Seeded) {
    this.#life = life;
    this.#seeded = seeded;
  }

  below(end: number): number {
    this.#life.alive();
    return this.#seeded.below(end);
  }

  fraction(): number {
    this.#life.alive();
    return this.#seeded.fraction();
  }

  uuid(): Uuid {
    this.#life.alive();
    for (;;) {
      const id = uuidFromBytes(this.#seeded.bytes(16));
      if (id !== NO_UUID && !id.startsWith("-")) return id;
    }
  }

  uuidLong(): string {
    this.#life.alive();
    const bytes = this.#seeded.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = toHex(bytes);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  bytes(count: number): Uint8Array {
    this.#life.alive();
    return this.#seeded.bytes(count);
  }
}

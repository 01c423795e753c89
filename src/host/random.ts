/** Draws from the operating system's generator. */
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { assert } from "../base/assert.js";
import { NO_UUID, type Uuid, uuidFromBytes } from "../base/ids.js";
import type { Random } from "../world/random.js";
import type { Life } from "./life.js";

export class HostRandom implements Random {
  readonly #life: Life;

  constructor(life: Life) {
    this.#life = life;
  }

  below(end: number): number {
    this.#life.check();
    assert(Number.isInteger(end) && end >= 1 && end <= 2 ** 32, `a draw is below a whole number from 1 to 2^32, not ${end}`);
    return randomInt(end);
  }

  fraction(): number {
    this.#life.check();
    return randomInt(2 ** 47) / 2 ** 47;
  }

  uuid(): Uuid {
    this.#life.check();
    for (;;) {
      const id = uuidFromBytes(randomBytes(16));
      if (id !== NO_UUID && !id.startsWith("-")) return id; // a leading dash reads as an option on a command line
    }
  }

  uuidLong(): string {
    this.#life.check();
    return randomUUID();
  }

  bytes(count: number): Uint8Array {
    this.#life.check();
    return new Uint8Array(randomBytes(count));
  }
}

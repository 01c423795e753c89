import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { NO_UUID, uuidFromBytes } from "../base/ids.js";
import type { Random } from "../world/random.js";

export function makeRandom(): Random {
  return {
    below: (end) => (end <= 1 ? 0 : randomInt(end)),
    fraction: () => randomBytes(4).readUInt32BE(0) / 2 ** 32,
    uuid() {
      for (;;) {
        const id = uuidFromBytes(randomBytes(16));
        if (id !== NO_UUID && !id.startsWith("-")) return id;
      }
    },
    uuidLong: () => randomUUID(),
    bytes: (count) => randomBytes(count),
  };
}

import type { Uuid } from "../base/ids.js";

/** Every draw that a node makes. */
export interface Random {
  /** A whole number from 0 to below `end`; 1 <= end <= 2^32. */
  below(end: number): number;
  /** From 0 inclusive to 1 exclusive. */
  fraction(): number;
  /** Never NO_UUID, and does not begin with `-`. */
  uuid(): Uuid;
  /** The long form, `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`, as member ids carry it. */
  uuidLong(): string;
  bytes(count: number): Uint8Array;
}

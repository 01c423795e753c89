/**
 * All that is not computation. A process gets a real World (`host/`), a test or a simulation gets one made from a seed.
 *
 * A World belongs to one incarnation of one role of one node. `halt` is the only way to stop: afterwards the World is dead, its awaited
 * calls never settle, its synchronous ones throw Halted, and nothing reaches disk or network. Nobody reaches for a World: it is
 * handed to constructors.
 */
import type { Clock } from "./clock.js";
import type { Disk } from "./disk.js";
import type { Logger } from "./logger.js";
import type { Meter } from "./meter.js";
import type { Network } from "./network.js";
import type { Random } from "./random.js";
import type { Rpc } from "./rpc.js";

export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
  readonly rpc: Rpc;
  readonly logger: Logger;
  readonly meter: Meter;
  /** Work that leaves the thread. `job` names a pure function over bytes that app/ has registered. Rejects with the job's own error. */
  offload(job: string, input: Uint8Array, parameters: OffloadParameters): Promise<Uint8Array>;
  /** Gives a promise its owner: a rejection halts this node. For work that nobody awaits. */
  own(promise: Promise<unknown>, what: string): void;
  /** Ends this incarnation. `reason` is for people; `cause` a fault or a broken invariant, absent for a clean stop. */
  halt(reason: string, cause?: unknown): void;
  /** True once halted. */
  readonly halted: boolean;
}

export type OffloadParameters = { readonly [name: string]: string | number | boolean };

/** What synchronous calls of a dead World throw. */
export class Halted extends Error {
  override readonly name = "Halted";
}

/** The ways between machines, one for each direction of each pair: how long bytes take, and what is wrong with them. */
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";

/** One direction, as plain data. */
export interface LinkFaults {
  /** "stalled": bytes of connections wait. "black-hole": dials wait unanswered too, and what tells of a reset is lost. */
  readonly state: "up" | "stalled" | "black-hole";
  /** Dials in this direction are refused although somebody listens: false proof of death. */
  readonly refuses: boolean;
  /** Latencies are so many times as long. */
  readonly slowness: number;
}

export const NO_LINK_FAULTS: LinkFaults = { state: "up", refuses: false, slowness: 1 };

export type NetworkBite = "bytes-held" | "bytes-slow" | "dial-refused" | "dial-unanswered" | "connection-reset" | "connection-half-open";

/** A machine as the network sees it. */
export interface Station {
  readonly name: string;
  /** Without power, or frozen as a whole: nothing is answered. */
  readonly silentSinceMs: number | null;
}

/** Something that waits for a link to carry again, or wants to know that it does not. */
export interface LinkUser {
  linkUp(): void;
  linkDown(): void;
}

const RETRANSMIT_MS = 120; // what a held stream takes to notice that the way is free, usually

export class Link {
  readonly from: Station;
  readonly to: Station;
  readonly #scheduler: Scheduler;
  readonly #seeded: Seeded;
  readonly #usualMs: number;
  #faults: LinkFaults = NO_LINK_FAULTS;
  #downSinceMs: number | null = null;
  readonly users = new Set<LinkUser>();

  constructor(scheduler: Scheduler, seeded: Seeded, from: Station, to: Station) {
    this.#scheduler = scheduler;
    this.#seeded = seeded;
    this.from = from;
    this.to = to;
    this.#usualMs = from === to ? 0.03 : seeded.fork("speed").between(0.08, 0.6);
  }

  get faults(): LinkFaults {
    return this.#faults;
  }

  /** Changes some of the faults; the others stay. */
  fault(change: Partial<LinkFaults>): void {
    const before = this.#faults.state;
    this.#faults = { ...this.#faults, ...change };
    if ((before === "up") === (this.#faults.state === "up")) return;
    this.#downSinceMs = this.#faults.state === "up" ? null : this.#scheduler.nowMs;
    this.tellUsers();
  }

  /** To be called when it, or one of its ends, has begun or ceased to carry. */
  tellUsers(): void {
    for (const user of [...this.users]) {
      if (this.carries()) user.linkUp();
      else user.linkDown();
    }
  }

  /** @param fromGone what the sender sent before it lost its power arrives all the same */
  carries(fromGone = false): boolean {
    return this.#faults.state === "up" && this.to.silentSinceMs === null && (fromGone || this.from.silentSinceMs === null);
  }

  /** For how long nothing has come through; 0 if it carries. */
  downForMs(): number {
    const sinceMs = Math.min(this.#downSinceMs ?? Infinity, this.from.silentSinceMs ?? Infinity, this.to.silentSinceMs ?? Infinity);
    return sinceMs === Infinity ? 0 : this.#scheduler.nowMs - sinceMs;
  }

  /** Whether a packet that nobody sends again gets through: of a dial, of a reset. */
  passesPacket(): boolean {
    return this.#faults.state !== "black-hole" && this.to.silentSinceMs === null && this.from.silentSinceMs === null;
  }

  latencyMs(): number {
    return this.#seeded.around(this.#usualMs * this.#faults.slowness);
  }

  retransmitMs(): number {
    return this.#seeded.around(RETRANSMIT_MS, 2_000);
  }

  below(end: number): number {
    return this.#seeded.below(end);
  }
}

/**
 * The state machine's lane: what the core hands over reaches it in order, one thing at a time, and now and then it is asked for a snapshot. At once,
 * unless there is much of it, or a snapshot to load.
 */
import { assert } from "../base/assert.js";
import type { World } from "../world/world.js";
import type { Effect } from "./core/messages.js";
import type { StateMachine } from "./quorum.js";
import type { SnapshotFiles } from "./snapshot-files.js";
import type { Entry, Index, LogPoint, Membership, Snapshot } from "./types.js";

/** What the state machine, and those who wait for it, are owed. */
export type Delivery = Extract<Effect, { do: "apply" | "restore" | "lead" | "read-ready" | "read-failed" }>;

export interface Applied {
  /** After the state machine has it. */
  onApplied(entry: Entry): void;
  onRestored(point: LogPoint): void;
  onTold(delivery: Exclude<Delivery, { do: "apply" | "restore" }>): void;
  /** Resolves once the log's writes, as of now, are durable: no snapshot is before its term is. */
  written(): Promise<void>;
  snapshots(): SnapshotFiles;
  membersAt(index: Index): Membership;
  /** Durable. */
  onSnapshot(snapshot: Snapshot): void;
}

export interface SnapshotEvery {
  readonly entries: number;
  readonly bytes: number;
}

/** Entries applied before others have their turn. */
const APPLY_AT_ONCE = 256;

export class Applying {
  readonly #queue: Delivery[] = [];
  #running: Promise<void> | null = null;
  #applied: LogPoint = { index: 0, term: 0 };
  #snapshotAt: Index = 0;
  #bytesSinceSnapshot = 0;
  #snapshotting: Promise<void> | null = null;
  #closed = false;

  constructor(readonly world: World, readonly machine: StateMachine, readonly every: SnapshotEvery, readonly hooks: Applied) {}

  /** What the state machine has. */
  get index(): Index {
    return this.#applied.index;
  }

  /** What it is still owed. */
  get queued(): number {
    return this.#queue.length;
  }

  push(delivery: Delivery): void {
    this.#queue.push(delivery);
  }

  /** Hands over what has been pushed; never from within a step of the core, since it may ask for the next one. */
  begin(): void {
    if (this.#running !== null || this.#queue.length === 0 || this.#closed) return;
    this.#running = Promise.resolve(); // taken: what is handed over may push more
    const running = this.#run();
    if (this.#running !== null) this.#running = running; // else it is done already
    this.world.own(running, "applying the quorum's log");
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#snapshotting;
  }

  async #run(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined && !this.#closed; next = this.#queue.shift()) {
      if (next.do === "restore") await this.#restore(next.snapshot);
      else if (next.do === "apply") {
        for (const [i, entry] of next.entries.entries()) {
          if (i > 0 && i % APPLY_AT_ONCE === 0) await this.world.clock.yield();
          this.#apply(entry);
        }
      } else this.hooks.onTold(next);
    }
    this.#running = null;
    this.#considerSnapshot();
  }

  #apply(entry: Entry): void {
    assert(entry.index === this.#applied.index + 1, "entries are applied in order, none left out");
    this.machine.apply(entry.kind === "data" ? entry : { ...entry, payload: new Uint8Array(0) });
    this.#applied = { index: entry.index, term: entry.term };
    this.#bytesSinceSnapshot += entry.payload.length;
    this.hooks.onApplied(entry);
  }

  async #restore(snapshot: Snapshot): Promise<void> {
    const point = { index: snapshot.index, term: snapshot.term };
    assert(point.index > this.#applied.index, "a snapshot lowers nothing");
    await this.machine.restore(point, this.hooks.snapshots().blocks(snapshot));
    this.#applied = point;
    this.#snapshotAt = point.index;
    this.#bytesSinceSnapshot = 0;
    this.hooks.onRestored(point);
  }

  #considerSnapshot(): void {
    if (this.#snapshotting !== null || this.#closed || this.index <= this.#snapshotAt) return;
    if (this.index - this.#snapshotAt < this.every.entries && this.#bytesSinceSnapshot < this.every.bytes) return;
    const point = this.#applied;
    this.#snapshotAt = point.index;
    this.#bytesSinceSnapshot = 0;
    this.#snapshotting = this.#snapshot(point, this.machine.snapshot());
    this.world.own(this.#snapshotting, "writing a snapshot");
  }

  async #snapshot(point: LogPoint, blocks: Iterator<Uint8Array>): Promise<void> {
    await this.hooks.written();
    const snapshot = await this.hooks.snapshots().write(point, this.hooks.membersAt(point.index), blocks);
    this.#snapshotting = null;
    if (snapshot === null) this.world.logger.error({ index: point.index }, "no snapshot of the quorum: the disk is full; the log keeps growing until there is room");
    else this.hooks.onSnapshot(snapshot);
  }
}

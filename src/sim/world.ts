/** Joins the parts of sim/ to the World of one role of one process on one machine. */
import { assert } from "../base/assert.js";
import type { LogFields } from "../world/logger.js";
import type { OffloadParameters, World } from "../world/world.js";
import { SimClock } from "./clock.js";
import { CONNECTION_MARKS, type WaterMarks } from "./connection.js";
import { SimDisk } from "./disk.js";
import type { Fabric } from "./fabric.js";
import { type Halt, Life } from "./life.js";
import { type LogSink, SimLogger } from "./logger.js";
import type { MachineClock } from "./clock.js";
import type { MachineDisk } from "./machine-disk.js";
import { SimMeter } from "./meter.js";
import { SimNetwork } from "./network.js";
import { SimRandom } from "./random.js";
import { RPC_MARKS, type RpcHub, SimRpc } from "./rpc.js";
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";
import type { Station } from "./links.js";

export type Job = (input: Uint8Array, parameters: OffloadParameters) => Uint8Array | Promise<Uint8Array>;

/** Knobs of a run that every World of it gets. */
export interface WorldKnobs {
  readonly connectionMarks?: WaterMarks;
  readonly rpcMarks?: WaterMarks;
}

/** What a World is made of, and whom it belongs to. */
export interface WorldParts {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly fabric: Fabric;
  readonly station: Station;
  readonly clock: MachineClock;
  readonly disk: MachineDisk;
  readonly hub: RpcHub;
  readonly seeded: Seeded;
  readonly root: string;
  readonly jobs: { readonly [name: string]: Job };
  readonly knobs: WorldKnobs;
  readonly log: LogSink;
  readonly logFields: LogFields;
  readonly onHalt: (halt: Halt) => void;
}

/** What is open or under way in one World. At rest these go back to what they were. */
export interface WorldCounts {
  readonly timers: number;
  readonly connections: number;
  readonly listeners: number;
  readonly streams: number;
  readonly files: number;
  readonly queuedBytes: number;
  /** Awaited calls under way. */
  readonly pending: number;
  /** Events that wait for the thread. */
  readonly waiting: number;
  readonly calls: number;
}

const JOB_MS = 0.15;
const JOB_BYTES_PER_MS = 200_000;

export class SimWorld implements World {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly disk: SimDisk;
  readonly network: SimNetwork;
  readonly rpc: SimRpc;
  readonly logger: SimLogger;
  readonly meter = new SimMeter();
  /** For the simulation: crashes, the thread. */
  readonly life: Life;
  readonly #scheduler: Scheduler;
  readonly #draws: Seeded;
  readonly #jobs: { readonly [name: string]: Job };

  constructor(parts: WorldParts) {
    const { scheduler, fabric, station, seeded, knobs } = parts;
    const life = new Life(scheduler.thread(parts.name), parts.onHalt);
    this.life = life;
    this.#scheduler = scheduler;
    this.#draws = seeded.fork("offload");
    this.#jobs = parts.jobs;
    this.clock = new SimClock(life, parts.clock, scheduler);
    this.random = new SimRandom(life, seeded.fork("random"));
    this.disk = new SimDisk(life, parts.disk, parts.root);
    this.network = new SimNetwork(life, scheduler, fabric, station, seeded.fork("network"), knobs.connectionMarks ?? CONNECTION_MARKS);
    this.rpc = new SimRpc(life, scheduler, fabric, station, parts.hub, knobs.rpcMarks ?? RPC_MARKS);
    this.logger = new SimLogger(life, parts.log, parts.logFields);
  }

  get halted(): boolean {
    return this.life.halted;
  }

  readonly offload = (name: string, input: Uint8Array, parameters: OffloadParameters): Promise<Uint8Array> => {
    const { life } = this;
    return life.awaited<Uint8Array>((resolve, reject) => {
      const own = new Uint8Array(input); // it goes to another thread
      const delayMs = this.#draws.around(JOB_MS + own.length / JOB_BYTES_PER_MS);
      this.#scheduler.at(life.thread.nowMs + delayMs, life.thread, () =>
        life.run(() => {
          const job = this.#jobs[name];
          const run = async () => {
            assert(job !== undefined, `no job is called ${name}`);
            return job(own, parameters);
          };
          run().then(resolve, reject);
        }),
      );
    });
  };

  // As fields, so that they can be taken from the World one by one, as from a plain object.
  readonly own = (promise: Promise<unknown>, what: string): void => {
    promise.catch((error: unknown) => this.life.halt(`${what} failed`, error));
  };

  readonly halt = (reason: string, cause?: unknown): void => this.life.halt(reason, cause);

  inspect(): WorldCounts {
    const queued = [...this.network.connections, ...this.rpc.streams].reduce((sum, one) => sum + one.queuedBytes(), 0);
    return {
      timers: this.clock.open,
      connections: this.network.connections.size,
      listeners: this.network.listeners,
      streams: this.rpc.streams.size,
      files: this.disk.openFiles,
      queuedBytes: queued,
      pending: this.life.pending,
      waiting: this.life.thread.waiting,
      calls: this.life.calls,
    };
  }
}

/**
 * A simulation: machines on a network, made from a seed, and the loop that runs them. One seed and one sequence of calls give one trace.
 *
 *     const sim = new Simulation({ seed: 7 });
 *     const process = sim.machine("n1").start({ rpcPort: 9093 });
 *     const controller = await sim.drive(() => startController(process.world({ role: "controller" }), config));
 *     await sim.run(60_000);
 */
import { assert } from "../base/assert.js";
import { Fabric } from "./fabric.js";
import type { LogLevel } from "./logger.js";
import { Machine, type MachineHalt, type MachineOptions } from "./machine.js";
import { realMs, takeTurns } from "./outside.js";
import { Scheduler, type Thread } from "./scheduler.js";
import { Seeded } from "./seeded.js";
import { Trace } from "./trace.js";
import type { WorldCounts } from "./world.js";

export interface SimulationOptions {
  readonly seed: number | string;
  /** Whether lines are kept for people; the hash is the same. */
  readonly text?: boolean;
  /** The least level of log lines that are kept with `text`; "info" if left out. */
  readonly logLevel?: LogLevel;
  /** Whether the real world's globals throw while it runs; true if left out. */
  readonly guarded?: boolean;
}

export interface RunOptions {
  /** Asked after each event. */
  readonly stopWhen?: () => boolean;
  /** Events of this call; hitting it is an error. No cap if left out. */
  readonly maxEvents?: number;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
/** Real time without any event after which what is awaited is taken for lost: it is neither the World nor a promise. */
const IDLE_MAX_MS = 5_000;

export class Simulation {
  readonly seed: number | string;
  readonly trace: Trace;
  readonly scheduler: Scheduler;
  readonly network: Fabric;
  /** Draws for the simulation's own use: fork it by name. */
  readonly seeded: Seeded;
  /** Faults that took effect, by kind. */
  readonly bites = new Map<string, number>();
  /** Worlds that ended by themselves or by a fault. */
  readonly halts: MachineHalt[] = [];
  /** Called when a World has halted, also by a crash. */
  onHalt: (halt: MachineHalt) => void = () => undefined;
  /** Called after each event, when all that it caused has settled: for invariants. What it throws ends the run. */
  afterEvent: ((thread: Thread | null) => void) | null = null;
  readonly #machines = new Map<string, Machine>();
  readonly #guarded: boolean;
  readonly #leastLevel: number;
  #running = false;
  #stray: { readonly error: unknown } | null = null;

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.#guarded = options.guarded ?? true;
    this.#leastLevel = LEVELS.indexOf(options.logLevel ?? "info");
    this.trace = new Trace({ text: options.text ?? false });
    this.scheduler = new Scheduler(this.trace);
    this.seeded = Seeded.from(options.seed);
    const bite = (kind: string) => void this.bites.set(kind, (this.bites.get(kind) ?? 0) + 1);
    this.network = new Fabric(this.scheduler, this.seeded.fork("network"), bite);
    this.#around = {
      scheduler: this.scheduler,
      fabric: this.network,
      onBite: bite,
      onHalt: (halt) => {
        this.halts.push(halt);
        if (this.trace.withText) this.trace.say("halt", halt.machine, this.nowMs, `${halt.process} ${halt.role}: ${halt.reason}${halt.cause === undefined ? "" : `: ${String(halt.cause)}`}`);
        this.onHalt(halt);
      },
    };
  }

  readonly #around: ConstructorParameters<typeof Machine>[1];

  /** True virtual time since the start. */
  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  get machines(): readonly Machine[] {
    return [...this.#machines.values()];
  }

  /** The machine of that name, which is also its host name; made when first asked for, and only then as the options say. */
  machine(name: string, options: MachineOptions = {}): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      const log = this.trace.withText
        ? (line: { readonly level: LogLevel; readonly message: string; readonly fields: object }) => {
            if (LEVELS.indexOf(line.level) >= this.#leastLevel) this.trace.say("log", name, this.nowMs, `${line.level} ${line.message} ${JSON.stringify(line.fields)}`);
          }
        : null;
      machine = new Machine(name, this.#around, this.seeded.fork(`machine ${name}`), options, log);
      this.#machines.set(name, machine);
    }
    return machine;
  }

  /** Something that the simulation itself does at a time: a fault, a step of a workload. */
  at(atMs: number, act: () => void): void {
    this.scheduler.at(atMs, null, act);
  }

  /** Runs until virtual time is `untilMs`, or `stopWhen`. @returns which it was */
  async run(untilMs: number, options: RunOptions = {}): Promise<"time" | "stopped"> {
    const last = this.scheduler.count + (options.maxEvents ?? Infinity);
    let stopped = false;
    await this.#loop(() => {
      if (options.stopWhen?.() === true) {
        stopped = true;
        return false;
      }
      if (this.scheduler.count >= last) throw new Error(`the cap of ${options.maxEvents ?? 0} events is reached at ${this.nowMs} ms`);
      return this.scheduler.runNext(untilMs);
    });
    return stopped ? "stopped" : "time";
  }

  /** Runs until `work`, which is begun in the first turn, has settled. */
  async drive<T>(work: () => Promise<T>): Promise<T> {
    let settled = false;
    let promise: Promise<T> | null = null;
    let idleSinceMs: number | null = null;
    await this.#loop(() => {
      if (promise === null) {
        promise = work();
        promise.then(() => (settled = true), () => (settled = true));
        return true;
      }
      if (settled) return false;
      if (this.scheduler.runNext(Infinity)) idleSinceMs = null;
      else if (realMs() - (idleSinceMs ??= realMs()) > IDLE_MAX_MS) throw new Error("nothing is left to happen, but the work has not settled");
      return true;
    });
    assert(promise !== null, "the work has begun");
    return promise;
  }

  /** What is open on each machine, by process and role. */
  inspect(): { readonly [machine: string]: { readonly [world: string]: WorldCounts } } {
    return Object.fromEntries(this.machines.map((machine) => [machine.name, machine.inspect()]));
  }

  /** Paths and durable bytes of every disk. */
  diskHash(): string {
    return this.machines.map((machine) => `${machine.name}:${machine.disk.hash()}`).join(" ");
  }

  /** Ends every process. */
  end(): void {
    for (const machine of this.machines) for (const process of [...machine.processes]) process.end("the simulation is over");
  }

  async #loop(step: () => boolean): Promise<void> {
    assert(!this.#running, "a simulation runs once at a time");
    this.#running = true;
    let count = this.scheduler.count;
    try {
      await takeTurns(
        () => {
          if (this.#stray !== null) throw this.#stray.error;
          if (this.afterEvent !== null && this.scheduler.count !== count) {
            count = this.scheduler.count;
            this.afterEvent(this.scheduler.current);
          }
          return step();
        },
        { guarded: this.#guarded, onStray: (error) => this.#onStray(error) },
      );
    } finally {
      this.#running = false;
    }
  }

  /** A rejection that nobody owns ends the node in whose event it came, as it ends a real process; none of a node's ends the run. */
  #onStray(error: unknown): void {
    const { current } = this.scheduler;
    for (const machine of this.machines) {
      for (const process of [...machine.processes]) {
        for (const world of process.worlds.values()) if (world.life.thread === current && current !== null) return world.life.halt("a fault that belongs to nobody", error);
      }
    }
    this.#stray = { error };
  }
}

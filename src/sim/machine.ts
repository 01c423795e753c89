/**
 * One machine: a disk and a clock that outlive its processes, and the ways to hurt it.
 *
 *     machine ─┬─ disk, clock, links
 *              └─ process (an incarnation of a node) ─┬─ hub: the port for rpc
 *                                                     ├─ World "controller" on a thread
 *                                                     └─ World "broker" on a thread
 */
import { assert } from "../base/assert.js";
import { MachineClock } from "./clock.js";
import type { DiskBite } from "./disk-faults.js";
import type { Fabric } from "./fabric.js";
import type { Halt } from "./life.js";
import type { LinkFaults, Station } from "./links.js";
import type { LogLine } from "./logger.js";
import { type DiskOptions, MachineDisk } from "./machine-disk.js";
import { RpcHub } from "./rpc.js";
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";
import { type Job, SimWorld, type WorldCounts, type WorldKnobs } from "./world.js";

export interface MachineOptions {
  readonly disk?: DiskOptions;
  /** How far its wall clock is ahead of true time. */
  readonly wallAheadMs?: number;
  /** Its clock's speed, 1 if left out. */
  readonly rate?: number;
  readonly knobs?: WorldKnobs;
}

/** What machines share: given by the simulation. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly fabric: Fabric;
  readonly onBite: (bite: DiskBite | "killed" | "power-lost" | "frozen" | "busy" | "clock-jumped" | "clock-drifted") => void;
  readonly onHalt: (halt: MachineHalt) => void;
}

export interface MachineHalt extends Halt {
  readonly machine: string;
  readonly process: string;
  readonly role: string;
}

export interface ProcessOptions {
  /** For people; "node" if left out. */
  readonly name?: string;
  /** Where its rpc hub listens; null or left out: it dials only. */
  readonly rpcPort?: number | null;
  /** Whether the end of one role is the end of the process, as in a node; true if left out. */
  readonly endsTogether?: boolean;
}

export interface WorldOptions {
  readonly role: string;
  /** Where relative paths begin, absolute; made durably before the process starts, as a mount point is. "/data" if left out. */
  readonly root?: string;
  readonly jobs?: { readonly [name: string]: Job };
}

export class SimProcess {
  readonly machine: Machine;
  readonly name: string;
  readonly hub = new RpcHub();
  readonly worlds = new Map<string, SimWorld>();
  readonly #make: (process: SimProcess, options: WorldOptions) => SimWorld;
  #ended = false;

  constructor(machine: Machine, name: string, make: (process: SimProcess, options: WorldOptions) => SimWorld) {
    this.machine = machine;
    this.name = name;
    this.#make = make;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** A World for one role, on a thread of its own. */
  world(options: WorldOptions): SimWorld {
    assert(!this.#ended, "a process that has ended has no more Worlds");
    assert(!this.worlds.has(options.role), `this process has a ${options.role} already`);
    const world = this.#make(this, options);
    this.worlds.set(options.role, world);
    return world;
  }

  /** Only of this machine's own doing: `kill` of the machine and halts come here. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const world of this.worlds.values()) world.life.halt(reason);
    this.machine.forget(this);
  }
}

export class Machine implements Station {
  readonly name: string;
  readonly clock: MachineClock;
  readonly disk: MachineDisk;
  silentSinceMs: number | null = null;
  readonly processes = new Set<SimProcess>();
  /** Processes started so far. */
  starts = 0;
  readonly #around: Surroundings;
  readonly #seeded: Seeded;
  readonly #knobs: WorldKnobs;
  readonly #log: ((line: LogLine) => void) | null;
  readonly #ports = new Map<SimProcess, number>();
  #powered = true;
  #frozen: "process" | "machine" | null = null;

  constructor(name: string, around: Surroundings, seeded: Seeded, options: MachineOptions, log: ((line: LogLine) => void) | null) {
    this.name = name;
    this.#around = around;
    this.#seeded = seeded;
    this.#knobs = options.knobs ?? {};
    this.#log = log;
    this.clock = new MachineClock(around.scheduler, { baseMs: seeded.fork("clock").between(1_000, 1_000_000), wallAheadMs: options.wallAheadMs ?? 0 });
    this.disk = new MachineDisk(around.scheduler, seeded.fork("disk"), options.disk ?? {}, around.onBite);
    if (options.rate !== undefined) this.clock.drift(options.rate, () => false);
    around.fabric.add(this);
  }

  get powered(): boolean {
    return this.#powered;
  }

  /** Starts a process; with power if there was none. */
  start(options: ProcessOptions = {}): SimProcess {
    this.powerOn();
    const { scheduler, fabric } = this.#around;
    const number = ++this.starts;
    const process = new SimProcess(this, `${this.name}/${options.name ?? "node"}-${number}`, (owner, world) => this.#world(owner, world, options.endsTogether ?? true));
    this.processes.add(process);
    scheduler.trace.note("start", 0, scheduler.nowMs, number);
    if (options.rpcPort !== undefined && options.rpcPort !== null) {
      const port = fabric.bind(this, options.rpcPort, process.hub.bound);
      assert(port !== null, `port ${options.rpcPort} of ${this.name} is free`);
      this.#ports.set(process, port);
    }
    return process;
  }

  /** Where a process listens for rpc; null if it does not. */
  rpcPort(process: SimProcess): number | null {
    return this.#ports.get(process) ?? null;
  }

  // ------------------------------------------------------------------------------------------------------------ what can befall it

  /** kill -9 of all its processes, or of one: the page cache stays, peers hear a reset. */
  crash(only?: SimProcess): void {
    for (const process of only === undefined ? [...this.processes] : [only]) {
      if (process.ended) continue;
      this.#around.onBite("killed");
      this.#note("fault", 1);
      process.end("killed");
    }
  }

  /** Crashes at the `count`th call from now that a role makes of its World: before a synchronous one or within its write, or at either end of an awaited one. */
  crashAfter(count: number, world: SimWorld, how: "kill" | "power" = "kill"): void {
    world.life.crashAfter(count, () => (how === "kill" ? this.crash() : this.powerLoss()));
  }

  /** Everything stops; what was not synced is lost as the seed has it; peers hear nothing. */
  powerLoss(): void {
    if (!this.#powered) return;
    const { fabric, scheduler, onBite } = this.#around;
    this.#powered = false;
    this.silentSinceMs = scheduler.nowMs;
    fabric.vanish(this);
    for (const process of [...this.processes]) process.end("power lost");
    this.#frozen = null;
    const lost = this.disk.losePower();
    onBite("power-lost");
    this.#note("fault", 2, lost.pages + 1000 * lost.names);
    fabric.tellLinks(this);
  }

  powerOn(): void {
    if (this.#powered) return;
    this.#powered = true;
    this.silentSinceMs = null;
    this.#around.fabric.tellLinks(this);
  }

  /** "process": as by SIGSTOP, the kernel still takes dials and bytes. "machine": nothing is answered. */
  freeze(what: "process" | "machine" = "process"): void {
    if (!this.#powered || this.#frozen !== null) return;
    this.#frozen = what;
    this.#around.onBite("frozen");
    this.#note("fault", 3);
    for (const world of this.#worlds()) world.life.thread.freeze();
    if (what === "machine") {
      this.silentSinceMs = this.#around.scheduler.nowMs;
      this.#around.fabric.tellLinks(this);
    } else this.#around.fabric.suspect(this);
  }

  resume(): void {
    const frozen = this.#frozen;
    if (frozen === null) return;
    this.#frozen = null;
    if (frozen === "machine") {
      this.silentSinceMs = null;
      this.#around.fabric.tellLinks(this);
    }
    for (const world of this.#worlds()) world.life.thread.resume();
  }

  /** A handler takes so long: of one role's thread alone, or of all. */
  busy(ms: number, role?: string): void {
    this.#around.onBite("busy");
    this.#note("fault", 4, ms);
    for (const process of this.processes) for (const [name, world] of process.worlds) if ((role ?? name) === name) world.life.thread.spend(ms);
  }

  jumpWall(byMs: number): void {
    this.#around.onBite("clock-jumped");
    this.#note("fault", 5, byMs);
    this.clock.jump(byMs);
  }

  drift(rate: number): void {
    this.#around.onBite("clock-drifted");
    this.#note("fault", 6, Math.round(rate * 1e6));
    const threads = new Set(this.#worlds().map((world) => world.life.thread));
    this.clock.drift(rate, (event) => event.thread !== null && threads.has(event.thread));
  }

  /** The ways from here to others, and back if `ways` is "both". */
  links(others: readonly string[], change: Partial<LinkFaults>, ways: "both" | "there" = "both"): void {
    this.#around.fabric.fault([this.name], others, change, ways);
  }

  /** All that is open, by process and role. */
  inspect(): { readonly [world: string]: WorldCounts } {
    return Object.fromEntries([...this.processes].flatMap((process) => [...process.worlds].map(([role, world]) => [`${process.name}/${role}`, world.inspect()])));
  }

  forget(process: SimProcess): void {
    this.processes.delete(process);
    if (this.processes.size === 0 && this.#frozen === "process") this.#frozen = null; // what was stopped is gone
    const port = this.#ports.get(process);
    this.#ports.delete(process);
    if (port !== undefined) this.#around.fabric.unbind(this, port, process.hub.bound);
  }

  #worlds(): readonly SimWorld[] {
    return [...this.processes].flatMap((process) => [...process.worlds.values()]);
  }

  #world(process: SimProcess, options: WorldOptions, endsTogether: boolean): SimWorld {
    const { scheduler, fabric, onHalt } = this.#around;
    const root = options.root ?? "/data";
    if (this.disk.tree.find(root) === null) {
      this.disk.tree.makeDirectory(root);
      this.disk.tree.makeDurable();
    }
    const name = `${process.name}/${options.role}`;
    const world: SimWorld = new SimWorld({
      name,
      scheduler,
      fabric,
      station: this,
      clock: this.clock,
      disk: this.disk,
      hub: process.hub,
      seeded: this.#seeded.fork(name),
      root,
      jobs: options.jobs ?? {},
      knobs: this.#knobs,
      log: this.#log,
      logFields: { node: this.name, role: options.role },
      onHalt: (halt) => {
        this.#note("halt", world.life.calls);
        onHalt({ ...halt, machine: this.name, process: process.name, role: options.role });
        if (endsTogether) process.end(halt.reason);
      },
    });
    if (this.#frozen !== null) world.life.thread.freeze();
    return world;
  }

  #note(kind: "fault" | "halt", a: number, b = 0): void {
    this.#around.scheduler.trace.note(kind, 0, this.#around.scheduler.nowMs, a, b);
  }
}

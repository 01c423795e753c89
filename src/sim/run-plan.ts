/**
 * One run of a plan, from founding to the end:
 *
 *     faults   whatever the plan has; safety is checked after each event
 *     core     faults in a healthy core end, those outside become permanent; the core must carry on without the rest
 *     healed   all faults end, the clients stop; everything must be well within bounds, and the log must explain what the clients saw
 *
 * The same plan gives the same trace, whatever ran before in the process and whether lines are kept for people or not.
 */
import { initCodecs } from "../records/codecs.js";
import { SimCluster } from "./cluster/cluster.js";
import { Atlas } from "./faults/atlas.js";
import { Dealing } from "./faults/dealing.js";
import { Ledgers } from "./faults/ledgers.js";
import { coreCould, describeNode, whatAils, whatAilsCore } from "./health.js";
import type { LogLevel } from "./logger.js";
import { realMs } from "./outside.js";
import type { Checker } from "./invariants/invariant.js";
import { hardenOutside } from "./permanent.js";
import type { Plan } from "./plan.js";
import { machineOptions } from "./plan-draw.js";
import { RestCounts } from "./rest-counts.js";
import type { Phase, Run, RunResult, Violation } from "./run.js";
import { Simulation } from "./simulation.js";

/** The clients of a run, and what they have seen. */
export interface Workload {
  /** Nothing new is begun; what is under way goes on to its end. */
  stop(): void;
  /** After `stop` or `finalRead`: nothing is under way any more. */
  readonly isQuiet: boolean;
  /** Begins to read everything once more, and to judge what was seen by it. */
  finalRead(): void;
  /** Closes all connections. */
  close?(): void;
  readonly counts: {
    readonly requests: { readonly ok: number; readonly failed: number; readonly unknown: number };
    /** Records, by the acks that their producers asked for. */
    readonly acknowledged: { readonly none: number; readonly leader: number; readonly all: number };
  };
}

export interface Parts {
  readonly workload: (run: Run) => Workload;
  readonly invariants: (run: Run) => readonly Checker[];
}

export interface RunOptions {
  /** Lines for people are kept. */
  readonly text?: boolean;
  readonly logLevel?: LogLevel;
  readonly maxEvents?: number;
  readonly maxRealMs?: number;
  /** After each slice of virtual time; nothing of the simulation runs meanwhile. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly phase: Phase;
  readonly virtualMs: number;
  readonly endMs: number;
  readonly events: number;
  readonly bites: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  readonly violations: readonly Violation[];
}

const SLICE_MS = 250;
const SCAN_EVERY_MS = 1_000;
const ATLAS_EVERY_MS = 500;
const REPAIR_MAX_MS = 90_000; // until what was damaged is whole again, with nothing in the way
const CALM_MS = 3_000; // clients go on so long after all has healed
const QUIET_MAX_MS = 90_000;
const CORE_DWELL_MS = 5_000; // the core stays well so long
const MAX_EVENTS = 20_000_000;
const MAX_REAL_MS = 600_000;
const LINES_MAX = 60; // of each node, for a violation's timeline

export async function runPlan(plan: Plan, parts: Parts, options: RunOptions = {}): Promise<RunResult> {
  await initCodecs(); // before the real world is out of reach
  return new Running(plan, parts, options).run();
}

class Running {
  readonly #sim: Simulation;
  readonly #cluster: SimCluster;
  readonly #atlas: Atlas;
  readonly #ledgers: Ledgers;
  readonly #dealing: Dealing;
  readonly #run: Run;
  readonly #violations: Violation[] = [];
  readonly #sometimes = new Map<string, number>();
  readonly #begunMs = realMs();
  #checkers: readonly Checker[] = [];
  #workload: Workload | null = null;
  #phase: Phase = "faults";
  #endMs: number;
  #falls = 0;
  #scanAtMs = SCAN_EVERY_MS;
  #lookAtMs = ATLAS_EVERY_MS;

  constructor(readonly plan: Plan, readonly parts: Parts, readonly options: RunOptions) {
    const sim = new Simulation({ seed: plan.seed, text: options.text ?? false, logLevel: options.logLevel ?? "info" });
    this.#sim = sim;
    for (let id = 1; id <= plan.nodes; id++) sim.machine(`n${id}`, machineOptions(plan, id));
    this.#cluster = new SimCluster(sim, plan);
    this.#atlas = new Atlas(sim, this.#cluster);
    this.#ledgers = new Ledgers(sim, this.#cluster);
    this.#run = {
      sim,
      cluster: this.#cluster,
      plan,
      excuses: this.#atlas,
      violate: (rule, text) => this.#violate(rule, text),
      sometimes: (point) => void this.#sometimes.set(point, (this.#sometimes.get(point) ?? 0) + 1),
    };
    this.#dealing = new Dealing(this.#run, this.#ledgers, this.#atlas);
    this.#endMs = plan.phases.faultsMs + plan.phases.coreMs + plan.phases.healedMs;
  }

  async run(): Promise<RunResult> {
    try {
      this.#sim.at(0, () => this.#begin());
      this.#sim.afterEvent = () => this.#afterEvent();
      await this.#runUntil(this.plan.phases.faultsMs);
      this.#endPhase();
      await this.#coreAlone();
      await this.#healed();
      this.#phase = "over";
      this.#endPhase();
    } catch (error) {
      this.#violate("simulation", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    this.#sim.afterEvent = null;
    const result = this.#result();
    this.#sim.end();
    return result;
  }

  #begin(): void {
    this.#checkers = this.parts.invariants(this.#run);
    this.#cluster.start();
    this.#workload = this.parts.workload(this.#run);
    this.#dealing.begin(0);
  }

  // ------------------------------------------------------------------------------------------------------------ phases

  /** The core's faults end, it becomes whole, and then it must do without the rest. */
  async #coreAlone(): Promise<void> {
    if (this.#isOver()) return;
    this.#phase = "core";
    const { core, phases } = this.plan;
    if (core.length === this.plan.nodes || phases.coreMs === 0) return;
    const inCore = (id: number) => core.includes(id);
    this.#dealing.close();
    this.#dealing.end((fault) => fault.nodes.some(inCore));
    if (this.#atlas.damagedNodes.some(inCore)) {
      this.#dealing.end(() => true); // who repairs a disk needs the others
      await this.#until("repair", REPAIR_MAX_MS, () => this.#unrepaired(inCore));
      if (this.#isOver()) return;
    }
    const could = coreCould(this.#cluster, core);
    const soften = hardenOutside(this.#run, this.#ledgers);
    const counts = this.#workload?.counts;
    const acknowledged = counts?.acknowledged.all ?? 0;
    const writes = this.plan.clients.some((client) => client.kind === "producer" && client.acks === -1);
    const lacks = () => whatAilsCore(this.#cluster, core, could) ?? (writes && (this.#workload?.counts.acknowledged.all ?? 0) <= acknowledged ? "no record has been acknowledged by all" : null);
    await this.#until("core-liveness", phases.coreMs, lacks);
    await this.#runUntil(this.#sim.nowMs + CORE_DWELL_MS);
    this.#endPhase();
    soften();
  }

  async #healed(): Promise<void> {
    if (this.#isOver()) return;
    this.#phase = "healed";
    this.#dealing.close();
    this.#dealing.end(() => true);
    await this.#runUntil(this.#sim.nowMs + CALM_MS);
    const boundMs = this.plan.phases.healedMs;
    await this.#until("healed-liveness", boundMs, () => whatAils(this.#cluster));
    await this.#until("repair", REPAIR_MAX_MS, () => this.#unrepaired(() => true));
    const workload = this.#workload;
    if (this.#isOver() || workload === null) return;
    workload.stop();
    await this.#until("clients-quiet", QUIET_MAX_MS, () => (workload.isQuiet ? null : "requests of clients are under way"));
    if (this.#isOver()) return;
    this.#sim.at(this.#sim.nowMs, () => workload.finalRead());
    await this.#runUntil(this.#sim.nowMs + 1);
    await this.#until("final-read", QUIET_MAX_MS, () => (workload.isQuiet ? null : "the final read has not come to its end"));
    if (this.#isOver()) return;
    this.#sim.at(this.#sim.nowMs, () => workload.close?.());
    const rest = new RestCounts(this.#cluster);
    await this.#runUntil(this.#sim.nowMs + rest.settleMs);
    if (this.#isOver()) return;
    await this.#until("back-at-rest", rest.maxMs, () => rest.exceeded());
    this.#endPhase();
  }

  /** Bits that nothing depends on, or that nobody has read yet, may stay flipped: all else must have been repaired. */
  #unrepaired(which: (id: number) => boolean): string | null {
    return this.#atlas.damagedNodes.filter((id) => which(id)).flatMap((id) => this.#atlas.lacks(id, { flips: false }) ?? []).join("; ") || null;
  }

  /** Before what the phase did is undone. */
  #endPhase(): void {
    if (this.#isOver()) return;
    for (const checker of this.#checkers) checker.scan?.();
    for (const checker of this.#checkers) checker.atEnd?.(this.#phase);
  }

  // ------------------------------------------------------------------------------------------------------------ the loop

  /** Runs until nothing is lacking; what still is at the end of the time is a violation. */
  async #until(rule: string, withinMs: number, lacks: () => string | null): Promise<void> {
    const sinceMs = this.#sim.nowMs;
    for (;;) {
      if (this.#isOver()) return;
      const lacking = lacks();
      if (lacking === null) return;
      if (this.#sim.nowMs - sinceMs >= withinMs) return this.#violate(rule, `${lacking}, ${Math.round(this.#sim.nowMs - sinceMs)} ms after nothing stood in the way`);
      await this.#runUntil(Math.min(this.#sim.nowMs + SLICE_MS, sinceMs + withinMs));
    }
  }

  /** In slices, between which progress may be shown. */
  async #runUntil(untilMs: number): Promise<void> {
    while (!this.#isOver() && this.#sim.nowMs < untilMs) {
      await this.#sim.run(Math.min(untilMs, this.#sim.nowMs + SLICE_MS), { stopWhen: () => this.#isOver() });
      if (this.#sim.scheduler.count > (this.options.maxEvents ?? MAX_EVENTS)) this.#violate("cap", `${this.#sim.scheduler.count} events`);
      if (realMs() - this.#begunMs > (this.options.maxRealMs ?? MAX_REAL_MS)) this.#violate("cap", `${Math.round(realMs() - this.#begunMs)} ms of real time`);
      this.options.onProgress?.(this.#progress());
    }
  }

  #afterEvent(): void {
    if (this.#isOver()) return;
    for (const checker of this.#checkers) checker.onEvent?.();
    const { nowMs } = this.#sim;
    if (nowMs >= this.#lookAtMs) {
      this.#lookAtMs = nowMs + ATLAS_EVERY_MS;
      this.#atlas.look();
    }
    if (nowMs >= this.#scanAtMs) {
      this.#scanAtMs = nowMs + SCAN_EVERY_MS;
      for (const checker of this.#checkers) checker.scan?.();
    }
    if (this.#cluster.falls.length > this.#falls) this.#judgeFalls();
  }

  #judgeFalls(): void {
    for (const { machine, role, reason, cause } of this.#cluster.falls.slice(this.#falls)) {
      if (this.#atlas.explainsFall(Number(machine.slice(1)), this.#sim.nowMs)) continue;
      this.#violate("unexplained-fall", `${machine} ${role}: ${reason}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
    }
    this.#falls = this.#cluster.falls.length;
  }

  #violate(rule: string, text: string): void {
    if (this.#violations.length > 0) return; // the first one is the one that counts
    this.#violations.push({ rule, atMs: this.#sim.nowMs, text });
    if (!this.#sim.trace.withText) return;
    for (const node of this.#cluster.nodes) this.#sim.trace.say("fault", node.machine.name, this.#sim.nowMs, describeNode(node));
    this.#sim.trace.say("fault", "violation", this.#sim.nowMs, `${rule}: ${text}`);
  }

  #isOver(): boolean {
    return this.#violations.length > 0;
  }

  // ------------------------------------------------------------------------------------------------------------ what came of it

  #progress(): Progress {
    const { none, leader, all } = this.#workload?.counts.acknowledged ?? { none: 0, leader: 0, all: 0 };
    return { phase: this.#phase, virtualMs: this.#sim.nowMs, endMs: this.#endMs, events: this.#sim.scheduler.count, bites: this.#dealing.bites, acknowledged: none + leader + all, violations: this.#violations };
  }

  #result(): RunResult {
    const counts = this.#workload?.counts;
    const { trace } = this.#sim;
    return {
      seed: this.plan.seed,
      violations: this.#violations,
      virtualMs: this.#sim.nowMs,
      realMs: realMs() - this.#begunMs,
      events: this.#sim.scheduler.count,
      traceHash: trace.hash(),
      diskHash: this.#sim.diskHash(),
      bites: sorted(this.#dealing.bites),
      overlapped: this.#dealing.overlapped,
      sometimes: sorted(this.#sometimes),
      requests: { ...(counts?.requests ?? { ok: 0, failed: 0, unknown: 0 }) },
      acknowledged: { ...(counts?.acknowledged ?? { none: 0, leader: 0, all: 0 }) },
      lines: trace.withText ? timeline(trace.lines()) : [],
    };
  }
}

/** The newest lines of each place, together in order of time. */
function timeline(all: readonly { readonly atMs: number; readonly where: string; readonly kind: string; readonly text: string }[]): readonly string[] {
  const counts = new Map<string, number>();
  const newest = [...all].reverse().filter(({ where }) => {
    const count = (counts.get(where) ?? 0) + 1;
    counts.set(where, count);
    return count <= LINES_MAX;
  });
  return newest.reverse().map(({ atMs, where, text }) => `${(atMs / 1000).toFixed(3).padStart(9)} s  ${where.padEnd(4)} ${text}`);
}

function sorted(counts: ReadonlyMap<string, number>): { readonly [name: string]: number } {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

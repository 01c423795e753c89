/**
 * Makes a failing plan small: what can be taken away without the same rule being violated is taken away, until nothing more can, or the reruns are used
 * up. Delta debugging (Zeller and Hildebrandt, 2002) over faults, then clients, topics and settings; phases are cut to what the violation needs.
 */
import type { FaultPlan, Plan } from "./plan.js";

const RERUNS_MAX = 200;

/** The rule that a plan violates; null if none. */
export type Judge = (plan: Plan) => Promise<{ readonly rule: string; readonly atMs: number } | null>;

export interface Shrunk {
  readonly plan: Plan;
  readonly reruns: number;
  /** Nothing could be dropped any more; otherwise the reruns were used up. */
  readonly minimal: boolean;
}

export interface ShrinkOptions {
  readonly maxReruns?: number;
  readonly onStep?: (step: { readonly reruns: number; readonly faults: number; readonly clients: number }) => void;
}

export async function shrink(plan: Plan, violation: { readonly rule: string; readonly atMs: number }, judge: Judge, options: ShrinkOptions = {}): Promise<Shrunk> {
  const shrinking = new Shrinking(plan, violation, judge, options);
  return shrinking.run();
}

class Shrinking {
  #plan: Plan;
  #atMs: number;
  #reruns = 0;

  constructor(plan: Plan, readonly violation: { readonly rule: string; readonly atMs: number }, readonly judge: Judge, readonly options: ShrinkOptions) {
    this.#plan = plan;
    this.#atMs = violation.atMs;
  }

  async run(): Promise<Shrunk> {
    for (let shrunk = true; shrunk && !this.#isSpent; ) {
      shrunk = false;
      shrunk = (await this.#cutTime()) || shrunk;
      shrunk = (await this.#fewer("faults")) || shrunk;
      shrunk = (await this.#fewer("clients")) || shrunk;
      shrunk = (await this.#fewerTopics()) || shrunk;
      shrunk = (await this.#plainerSettings()) || shrunk;
      shrunk = (await this.#gentlerFaults()) || shrunk;
    }
    return { plan: this.#plan, reruns: this.#reruns, minimal: !this.#isSpent };
  }

  get #isSpent(): boolean {
    return this.#reruns >= (this.options.maxReruns ?? RERUNS_MAX);
  }

  /** Takes the plan over if it still fails in the same way. */
  async #try(plan: Plan): Promise<boolean> {
    if (this.#isSpent) return false;
    this.#reruns++;
    const found = await this.judge(plan);
    const same = found !== null && found.rule === this.violation.rule;
    if (same) {
      this.#plan = plan;
      this.#atMs = found.atMs;
    }
    this.options.onStep?.({ reruns: this.#reruns, faults: this.#plan.faults.length, clients: this.#plan.clients.length });
    return same;
  }

  /** Nothing is needed of what begins after the violation. */
  async #cutTime(): Promise<boolean> {
    const { phases, faults } = this.#plan;
    if (this.#atMs >= phases.faultsMs) return (phases.coreMs > 0 && (await this.#try({ ...this.#plan, phases: { ...phases, coreMs: 0 } }))) || false;
    const faultsMs = Math.ceil(this.#atMs) + 1;
    if (faultsMs >= phases.faultsMs && phases.coreMs === 0) return false;
    return this.#try({ ...this.#plan, phases: { ...phases, faultsMs: Math.min(faultsMs, phases.faultsMs), coreMs: 0 }, faults: faults.filter((fault) => fault.atMs < faultsMs) });
  }

  /** ddmin: leaves out ever smaller pieces. */
  async #fewer(what: "faults" | "clients"): Promise<boolean> {
    let shrunk = false;
    for (let pieces = 2; this.#plan[what].length > 0; ) {
      const { length } = this.#plan[what];
      const size = Math.ceil(length / pieces);
      let dropped = false;
      for (let from = 0; from < this.#plan[what].length && !this.#isSpent; ) {
        const items: readonly unknown[] = this.#plan[what];
        const rest = [...items.slice(0, from), ...items.slice(from + size)];
        if (await this.#try({ ...this.#plan, [what]: rest })) dropped = true; // what followed has moved up
        else from += size;
      }
      shrunk ||= dropped;
      if (this.#isSpent || (size === 1 && !dropped)) break;
      pieces = dropped ? Math.max(2, Math.min(pieces, this.#plan[what].length)) : pieces * 2;
    }
    return shrunk;
  }

  async #fewerTopics(): Promise<boolean> {
    let shrunk = false;
    for (const { name } of this.#plan.topics) {
      const isUsed = this.#plan.clients.some((client) => ("topic" in client && client.topic === name) || (client.kind === "group" && client.topics.includes(name)));
      if (isUsed) continue;
      if (await this.#try({ ...this.#plan, topics: this.#plan.topics.filter((topic) => topic.name !== name) })) shrunk = true;
    }
    for (const { name, partitions } of this.#plan.topics) {
      if (partitions === 1) continue;
      if (await this.#try({ ...this.#plan, topics: this.#plan.topics.map((topic) => (topic.name === name ? { ...topic, partitions: 1 } : topic)) })) shrunk = true;
    }
    return shrunk;
  }

  async #plainerSettings(): Promise<boolean> {
    let shrunk = false;
    for (const name of Object.keys(this.#plan.settings)) {
      const { [name]: dropped, ...settings } = this.#plan.settings;
      if (dropped !== undefined && (await this.#try({ ...this.#plan, settings }))) shrunk = true;
    }
    for (const topic of this.#plan.topics) {
      if (Object.keys(topic.configs).length === 0) continue;
      if (await this.#try({ ...this.#plan, topics: this.#plan.topics.map((one) => (one.name === topic.name ? { ...one, configs: {} } : one)) })) shrunk = true;
    }
    return shrunk;
  }

  /** Of several nodes one, and for half the time. */
  async #gentlerFaults(): Promise<boolean> {
    let shrunk = false;
    for (let i = 0; i < this.#plan.faults.length; i++) {
      const fault = this.#plan.faults[i];
      if (fault === undefined) continue;
      const tries: FaultPlan[] = ["kill", "power-loss", "freeze"].includes(fault.kind) && fault.nodes.length > 1 ? fault.nodes.map((id) => ({ ...fault, nodes: fault.nodes.filter((one) => one !== id) })) : [];
      for (const gentler of tries) {
        if (!(await this.#try({ ...this.#plan, faults: this.#plan.faults.map((one, j) => (j === i ? gentler : one)) }))) continue;
        shrunk = true;
        break;
      }
    }
    return shrunk;
  }
}

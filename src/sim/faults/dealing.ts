/** Carries out the faults of a plan: each at its time, ended at its time or where a phase ends it, and counted only if it took effect. */
import { assert } from "../../base/assert.js";
import type { FaultPlan } from "../plan.js";
import type { Run } from "../run.js";
import type { Atlas } from "./atlas.js";
import { FAULT_KINDS } from "./kinds.js";
import type { Ledgers } from "./ledgers.js";

interface Active {
  readonly fault: FaultPlan;
  readonly undo: () => void;
  /** What the simulation had counted of the kind's bites when it began. */
  readonly before: number;
}

export class Dealing {
  /** Faults that took effect, by kind. */
  readonly bites = new Map<string, number>();
  /** Whether two faults that took effect have overlapped. */
  overlapped = false;
  readonly #active = new Map<number, Active>();
  #over = false;

  constructor(readonly run: Run, readonly ledgers: Ledgers, readonly atlas: Atlas) {}

  /** @param sinceMs when the plan's time begins */
  begin(sinceMs: number): void {
    this.run.plan.faults.forEach((fault, i) => this.run.sim.at(sinceMs + fault.atMs, () => this.#apply(i, fault)));
  }

  /** No fault begins any more. */
  close(): void {
    this.#over = true;
  }

  /** Ends the faults that are under way and that this says, in the order in which they are planned. */
  end(which: (fault: FaultPlan) => boolean): void {
    for (const [i, { fault }] of [...this.#active].sort(([a], [b]) => a - b)) if (which(fault)) this.#end(i);
  }

  #apply(i: number, fault: FaultPlan): void {
    if (this.#over) return;
    const { sim } = this.run;
    const kind = FAULT_KINDS.get(fault.kind);
    assert(kind !== undefined, `there is a kind of fault called ${fault.kind}`);
    if (sim.trace.withText) for (const id of fault.nodes) sim.trace.say("fault", `n${id}`, sim.nowMs, `${fault.kind} for ${fault.forMs} ms of nodes ${fault.nodes.join(", ")} ${JSON.stringify(fault.with)}`);
    const before = this.#bitesOf(fault);
    const undo = kind.apply({ run: this.run, ledgers: this.ledgers, atlas: this.atlas, seeded: sim.seeded.fork(`fault ${fault.kind} ${fault.atMs}`) }, fault);
    this.#active.set(i, { fault, undo, before });
    sim.at(sim.nowMs + fault.forMs, () => this.#end(i));
  }

  #end(i: number): void {
    const active = this.#active.get(i);
    if (active === undefined) return;
    const { fault, undo, before } = active;
    if (this.#bitesOf(fault) > before) {
      this.bites.set(fault.kind, (this.bites.get(fault.kind) ?? 0) + 1);
      this.overlapped ||= [...this.#active].some(([j, other]) => j !== i && this.#bitesOf(other.fault) > other.before);
    }
    this.#active.delete(i);
    if (this.run.sim.trace.withText) for (const id of fault.nodes) this.run.sim.trace.say("fault", `n${id}`, this.run.sim.nowMs, `${fault.kind} ends`);
    undo();
  }

  #bitesOf(fault: FaultPlan): number {
    return (FAULT_KINDS.get(fault.kind)?.bites ?? []).reduce((sum, name) => sum + (this.run.sim.bites.get(name) ?? 0), 0);
  }
}

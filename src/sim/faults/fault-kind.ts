/** What a kind of fault is: how it is drawn, and how it is done and undone. kinds.ts lists them all. */
import type { FaultPlan } from "../plan.js";
import type { Run } from "../run.js";
import type { Seeded } from "../seeded.js";
import type { Atlas } from "./atlas.js";
import type { Ledgers } from "./ledgers.js";

/** What is known where a fault is drawn. */
export interface DrawContext {
  /** Node ids. */
  readonly nodes: readonly number[];
  /** 0 to 1: how hard this seed is. */
  readonly hardness: number;
}

export type Drawn = Pick<FaultPlan, "forMs" | "nodes" | "with">;

/** What a fault has to work with. */
export interface Stage {
  readonly run: Run;
  readonly ledgers: Ledgers;
  readonly atlas: Atlas;
  /** Of this one fault. */
  readonly seeded: Seeded;
}

export interface FaultKind {
  /** Names in `sim.bites`: while it lasted one of them must have risen, or it does not count. */
  readonly bites: readonly string[];
  draw(seeded: Seeded, context: DrawContext): Drawn;
  /** @returns how it ends; called once, after `forMs` or where a phase ends it */
  apply(stage: Stage, fault: FaultPlan): () => void;
}

/** What a fault's `with` holds, or what is used if a plan does not say. */
export function numberOf(fault: FaultPlan, name: string, otherwise: number): number {
  const value = fault.with[name];
  return typeof value === "number" ? value : otherwise;
}

export function wordOf(fault: FaultPlan, name: string, otherwise: string): string {
  const value = fault.with[name];
  return typeof value === "string" ? value : otherwise;
}

/** What the parts of a run share: who reports what, and where. The run itself is in run-plan.ts. */
import type { SimCluster } from "./cluster/cluster.js";
import type { Plan } from "./plan.js";
import type { Simulation } from "./simulation.js";

/** A property that does not hold. */
export interface Violation {
  /** File name in invariants/ or oracle/, for instance "election-safety". */
  readonly rule: string;
  readonly atMs: number;
  readonly text: string;
}

/** What the run's parts are given. */
export interface Run {
  readonly sim: Simulation;
  readonly cluster: SimCluster;
  readonly plan: Plan;
  /** The first one ends the run. */
  violate(rule: string, text: string): void;
  /** Something that should happen sometimes did: `dedup answered after failover`. */
  sometimes(point: string): void;
  /** What the fault plan took away on purpose, so that its absence is no violation. See faults/atlas.ts. */
  readonly excuses: Excuses;
}

export interface Excuses {
  /** A disk of this node was wiped, or some of what it had made durable was damaged, and it has not been repaired yet. */
  isDamaged(node: number): boolean;
  /** A process that ended by itself after this is explained: a failed sync, a failed write, a full disk, damage that was found. */
  explainsFall(node: number, sinceMs: number): boolean;
}

/** The phase that a run is in. */
export type Phase = "faults" | "core" | "healed" | "over";

export interface RunResult {
  readonly seed: string;
  readonly violations: readonly Violation[];
  readonly virtualMs: number;
  readonly realMs: number;
  readonly events: number;
  readonly traceHash: string;
  readonly diskHash: string;
  /** Faults that took effect, by kind. */
  readonly bites: { readonly [kind: string]: number };
  /** Whether two of them were there at once. */
  readonly overlapped: boolean;
  readonly sometimes: { readonly [point: string]: number };
  readonly requests: { readonly ok: number; readonly failed: number; readonly unknown: number };
  readonly acknowledged: { readonly none: number; readonly leader: number; readonly all: number };
  /** The last lines of each node, for people; empty unless text was asked for. */
  readonly lines: readonly string[];
}

/** What an invariant is, and how all of them are watched together. */
import { type Evidence, Watching } from "../evidence/evidence.js";
import type { Phase, Run } from "../run.js";

export interface Invariant {
  /** The file's name. */
  readonly name: string;
  /** Where the property comes from: design.md, reliability.md, a paper, a KIP. */
  readonly source: string;
  watch(run: Run, evidence: Evidence): Checker;
}

/** An invariant over one run. What it finds goes to `run.violate`, which does not throw. */
export interface Checker {
  /** After each event, when all that it caused has settled. Cheap: most judge by what the evidence tells them. */
  onEvent?(): void;
  /** Everything anew, now and then. */
  scan?(): void;
  /** At the end of a phase, before what it did is undone. */
  atEnd?(phase: Phase): void;
}

/** Puts everything under watch. To be called before the nodes start. */
export function watchAll(run: Run, invariants: readonly Invariant[]): readonly Checker[] {
  const watching = new Watching(run, (error) => run.violate("evidence", error instanceof Error ? (error.stack ?? error.message) : String(error)));
  const checkers = invariants.map((invariant) => invariant.watch(run, watching.evidence));
  const looking: Checker = { onEvent: () => watching.afterEvent(), scan: () => watching.lookAtAll() };
  return [looking, ...checkers];
}

/** For the second phase: what stands outside of the healthy core is hurt for good. */
import type { Ledgers, Way } from "./faults/ledgers.js";
import type { Run } from "./run.js";

/**
 * Nodes outside of the core keep what they suffer; besides they are killed, without power, cut off, or frozen, by a draw.
 * @returns undoes what was added
 */
export function hardenOutside(run: Run, ledgers: Ledgers): () => void {
  const seeded = run.sim.seeded.fork("outside");
  const { core } = run.plan;
  const undos: (() => void)[] = [];
  for (const { id, machine } of run.cluster.nodes) {
    if (core.includes(id)) continue;
    const draw = seeded.below(4);
    if (run.sim.trace.withText) run.sim.trace.say("fault", machine.name, run.sim.nowMs, `outside of the core: ${["killed", "without power", "cut off", "frozen"][draw] ?? ""} for good`);
    if (draw === 0 || draw === 1) {
      undos.push(ledgers.holdDown(id));
      if (draw === 0) machine.crash();
      else machine.powerLoss();
    } else if (draw === 2) {
      const others = run.sim.machines.map((one) => one.name).filter((name) => name !== machine.name);
      undos.push(ledgers.links(others.flatMap((name): Way[] => [[machine.name, name], [name, machine.name]]), { state: "black-hole" }));
    } else undos.push(ledgers.freeze({ machine }, "process"));
  }
  return () => {
    for (const undo of undos) undo();
  };
}

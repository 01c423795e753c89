/** Faults of whole nodes: killed, without power, frozen, busy, with a wrong clock, restarted in good order. */
import type { FaultPlan } from "../plan.js";
import type { Seeded } from "../seeded.js";
import { type DrawContext, type FaultKind, numberOf, type Stage, wordOf } from "./fault-kind.js";
import { once } from "./ledgers.js";

const POLL_MS = 100;
const STOP_MAX_MS = 20_000; // a controlled stop that takes longer is killed, as an init system does
const READY_MAX_MS = 15_000;

/** One node mostly, sometimes several, seldom all. */
export function someNodes(seeded: Seeded, { nodes }: DrawContext): readonly number[] {
  const draw = seeded.below(10);
  const count = draw < 6 ? 1 : draw < 9 ? 1 + seeded.below(nodes.length) : nodes.length;
  return seeded.shuffled(nodes).slice(0, count).sort((a, b) => a - b);
}

export function oneNode(seeded: Seeded, { nodes }: DrawContext): readonly number[] {
  return [seeded.pick(nodes)];
}

/** Between two times, short ones more often. */
export function lasting(seeded: Seeded, leastMs: number, mostMs: number): number {
  return Math.round(leastMs * (mostMs / leastMs) ** (seeded.below(1000) / 1000));
}

function onEach(fault: FaultPlan, act: (id: number) => () => void): () => void {
  const undos = fault.nodes.map(act);
  return () => {
    for (const undo of undos) undo();
  };
}

export const kill: FaultKind = {
  bites: ["killed"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 50, 8_000), nodes: someNodes(seeded, context), with: {} }),
  apply: ({ ledgers }, fault) =>
    onEach(fault, (id) => {
      const up = ledgers.holdDown(id);
      ledgers.cluster.node(id).machine.crash();
      return up;
    }),
};

/** Strikes at the Nth call that one role makes of its World: at an await, or within a synchronous write. */
export const killAtCall: FaultKind = {
  bites: ["killed", "power-lost"],
  draw: (seeded, context) => ({
    forMs: lasting(seeded, 1_000, 15_000),
    nodes: oneNode(seeded, context),
    with: { role: seeded.pick(["controller", "broker"]), call: Math.round(lasting(seeded, 1, 3_000)), how: seeded.chance(0.6) ? "kill" : "power" },
  }),
  apply: ({ run, ledgers }, fault) => {
    const undos: (() => void)[] = [];
    let over = false;
    const power = wordOf(fault, "how", "kill") === "power";
    for (const id of fault.nodes) {
      const node = ledgers.cluster.node(id);
      const { current, machine } = node;
      if (current === null || !node.isUp) continue;
      const world = wordOf(fault, "role", "broker") === "controller" ? current.worlds.controller : current.worlds.broker;
      machine.crashAfter(numberOf(fault, "call", 1), world, power ? "power" : "kill");
      const poll = () => {
        if (over) return;
        if (!current.process.ended) return void run.sim.at(run.sim.nowMs + POLL_MS, poll);
        if (!machine.powered) undos.push(ledgers.holdDown(id)); // somebody has to switch the machine on again
      };
      if (power) poll();
      undos.push(() => {
        machine.crashAfter(Infinity, world); // it strikes no more
        if (!machine.powered && !ledgers.isHeldDown(id)) ledgers.holdDown(id)();
      });
    }
    return () => {
      over = true;
      for (const undo of undos) undo();
    };
  },
};

export const powerLoss: FaultKind = {
  bites: ["power-lost"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 100, 12_000), nodes: someNodes(seeded, context), with: { apartMs: seeded.chance(0.5) ? 0 : seeded.below(2_000) } }),
  apply: ({ run, ledgers }, fault) => {
    const apartMs = numberOf(fault, "apartMs", 0);
    let over = false;
    const ups: (() => void)[] = [];
    fault.nodes.forEach((id, i) => {
      const strike = () => {
        if (over) return;
        ups.push(ledgers.holdDown(id));
        ledgers.cluster.node(id).machine.powerLoss();
      };
      if (i === 0 || apartMs === 0) strike();
      else run.sim.at(run.sim.nowMs + apartMs * i, strike);
    });
    return () => {
      over = true;
      for (const up of ups) up();
    };
  },
};

export const freeze: FaultKind = {
  bites: ["frozen"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 200, 15_000), nodes: someNodes(seeded, context), with: { what: seeded.pick(["process", "machine"]) } }),
  apply: ({ ledgers }, fault) => onEach(fault, (id) => ledgers.freeze(ledgers.cluster.node(id), wordOf(fault, "what", "process") === "machine" ? "machine" : "process")),
};

/** A handler that takes long, now and then: of the controller's thread alone, the broker's alone, or both. */
export const busy: FaultKind = {
  bites: ["busy"],
  draw: (seeded, context) => {
    const ms = lasting(seeded, 50, 10_000);
    return { forMs: Math.max(ms, lasting(seeded, 1_000, 20_000)), nodes: someNodes(seeded, context), with: { ms, everyMs: ms * 2 + seeded.below(3_000), role: seeded.pick(["controller", "broker", "both"]) } };
  },
  apply: ({ run, ledgers }, fault) => {
    const role = wordOf(fault, "role", "both");
    const everyMs = Math.max(10, numberOf(fault, "everyMs", 1_000));
    let over = false;
    const again = () => {
      if (over) return;
      for (const id of fault.nodes) {
        const { machine } = ledgers.cluster.node(id);
        if (machine.processes.size === 0) continue;
        if (role === "both") machine.busy(numberOf(fault, "ms", 100));
        else machine.busy(numberOf(fault, "ms", 100), role);
      }
      run.sim.at(run.sim.nowMs + everyMs, again);
    };
    again();
    return () => (over = true);
  },
};

export const clockJump: FaultKind = {
  bites: ["clock-jumped"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 1_000, 20_000), nodes: someNodes(seeded, context), with: { byMs: Math.round((seeded.chance(0.5) ? 1 : -1) * lasting(seeded, 100, 7_200_000)), back: seeded.chance(0.7) } }),
  apply: ({ ledgers }, fault) => {
    const byMs = numberOf(fault, "byMs", 0);
    for (const id of fault.nodes) ledgers.cluster.node(id).machine.jumpWall(byMs);
    return () => {
      if (fault.with["back"] === true) for (const id of fault.nodes) ledgers.cluster.node(id).machine.clock.jump(-byMs);
    };
  },
};

export const clockDrift: FaultKind = {
  bites: ["clock-drifted"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 3_000, 40_000), nodes: someNodes(seeded, context), with: { rate: Math.round((1 + seeded.between(-0.05, 0.05)) * 1e4) / 1e4 } }),
  apply: ({ ledgers }, fault) =>
    onEach(fault, (id) => {
      const { machine } = ledgers.cluster.node(id);
      machine.drift(numberOf(fault, "rate", 1));
      return () => machine.drift(1);
    }),
};

/** SIGTERM, and started again after a while. */
export const controlledStop: FaultKind = {
  bites: ["stopped"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 1_000, 12_000), nodes: oneNode(seeded, context), with: {} }),
  apply: (stage, fault) => onEach(fault, (id) => stopped(stage, id, () => undefined)),
};

/** One after the other, each when the last one is ready again. */
export const rollingRestart: FaultKind = {
  bites: ["stopped"],
  draw: (seeded, context) => ({ forMs: 20_000 + seeded.below(20_000), nodes: seeded.shuffled(context.nodes), with: { downMs: lasting(seeded, 10, 2_000) } }),
  apply: (stage, fault) => {
    const { run, ledgers } = stage;
    const downMs = numberOf(fault, "downMs", 100);
    let over = false;
    let up: () => void = () => undefined;
    const next = (i: number) => {
      const id = fault.nodes[i];
      if (over || id === undefined) return;
      up = stopped(stage, id, () =>
        run.sim.at(run.sim.nowMs + downMs, () => {
          up();
          const sinceMs = run.sim.nowMs;
          const whenReady = () => {
            if (over) return;
            const node = ledgers.cluster.node(id);
            const ready = node.isUp && node.current?.broker?.isReady() === true;
            if (ready || run.sim.nowMs - sinceMs > READY_MAX_MS) next(i + 1);
            else run.sim.at(run.sim.nowMs + POLL_MS, whenReady);
          };
          whenReady();
        }),
      );
    };
    next(0);
    return () => {
      over = true;
      up();
    };
  },
};

/** Stops a node in good order and holds it down. @returns lets it start again, and ends it first if it still has not stopped */
function stopped({ run, ledgers }: Stage, id: number, then: () => void): () => void {
  const { sim } = run;
  const node = ledgers.cluster.node(id);
  const up = ledgers.holdDown(id);
  const { current } = node;
  const sinceMs = sim.nowMs;
  let over = false;
  node.stop();
  const watch = () => {
    if (over) return;
    if (current !== null && !current.process.ended && sim.nowMs - sinceMs < STOP_MAX_MS) return void sim.at(sim.nowMs + POLL_MS, watch);
    if (current !== null && !current.process.ended) node.machine.crash();
    else sim.bites.set("stopped", (sim.bites.get("stopped") ?? 0) + 1);
    then();
  };
  watch();
  return once(() => {
    over = true;
    if (current !== null && !current.process.ended) node.machine.crash();
    up();
  });
}

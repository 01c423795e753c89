/** Faults of the network: partitions of every shape, slow and flapping links, ended connections, false proof of death. */
import type { LinkFaults } from "../links.js";
import type { FaultPlan } from "../plan.js";
import type { Seeded } from "../seeded.js";
import { type DrawContext, type FaultKind, numberOf, type Stage, wordOf } from "./fault-kind.js";
import { once, type Way } from "./ledgers.js";
import { lasting, oneNode } from "./node-faults.js";

const STATES = ["black-hole", "black-hole", "stalled"] as const;

function stateOf(fault: FaultPlan): Partial<LinkFaults> {
  return { state: wordOf(fault, "state", "black-hole") === "stalled" ? "stalled" : "black-hole" };
}

function nameOf(id: number): string {
  return `n${id}`;
}

function both(some: readonly string[], others: readonly string[]): readonly Way[] {
  return some.flatMap((a) => others.filter((b) => b !== a).flatMap((b): Way[] => [[a, b], [b, a]]));
}

/** Machines that are no nodes: where clients run. */
function clientsOf({ run, ledgers }: Stage): readonly string[] {
  const nodes = new Set(ledgers.cluster.nodes.map((node) => node.machine.name));
  return run.sim.machines.map((machine) => machine.name).filter((name) => !nodes.has(name));
}

function allNodes({ ledgers }: Stage): readonly string[] {
  return ledgers.cluster.nodes.map((node) => node.machine.name);
}

/** @param ways which ways are cut, from the fault's nodes in their order */
function partition(drawNodes: (seeded: Seeded, context: DrawContext) => readonly number[], drawWith: (seeded: Seeded) => FaultPlan["with"], ways: (stage: Stage, fault: FaultPlan) => readonly Way[]): FaultKind {
  return {
    bites: ["bytes-held", "dial-unanswered"],
    draw: (seeded, context) => ({ forMs: lasting(seeded, 200, 20_000), nodes: drawNodes(seeded, context), with: { state: seeded.pick(STATES), ...drawWith(seeded) } }),
    apply: (stage, fault) => stage.ledgers.links(ways(stage, fault), stateOf(fault)),
  };
}

const shuffled = (seeded: Seeded, context: DrawContext) => seeded.shuffled(context.nodes);
const nothing = () => ({});

/** One node sees no other, and perhaps no client. */
export const isolate = partition(oneNode, (seeded) => ({ clients: seeded.chance(0.5) }), (stage, fault) =>
  both(fault.nodes.map(nameOf), [...allNodes(stage), ...(fault.with["clients"] === true ? clientsOf(stage) : [])]),
);

/** The fault's nodes here, the others there. */
export const halves = partition(
  (seeded, context) => seeded.shuffled(context.nodes).slice(0, Math.max(1, Math.floor(context.nodes.length / 2))),
  nothing,
  (stage, fault) => {
    const here = fault.nodes.map(nameOf);
    return both(here, allNodes(stage).filter((name) => !here.includes(name)));
  },
);

/** Two sides that see each other only through the fault's first node. */
export const bridge = partition(shuffled, nothing, (_, fault) => {
  const others = fault.nodes.slice(1).map(nameOf);
  const half = Math.ceil(others.length / 2);
  return both(others.slice(0, half), others.slice(half));
});

/** Each node sees its two neighbours only: with five, every node sees a majority and no two see the same. With three, nobody sees one of the others. */
export const ring = partition(shuffled, nothing, (_, fault) => {
  const names = fault.nodes.map(nameOf);
  const size = names.length;
  return names.flatMap((a, i) => names.flatMap((b, j): Way[] => (i !== j && (size === 3 ? i + 1 === j : (i - j + size) % size !== 1 && (j - i + size) % size !== 1) ? [[a, b], [b, a]] : [])));
});

/** What the fault's nodes send to the others is lost, or what the others send to them; not both. */
export const oneWay = partition(oneNode, (seeded) => ({ way: seeded.pick(["out", "in"]), to: seeded.pick(["all", "one"]) }), (stage, fault) => {
  const here = fault.nodes.map(nameOf);
  const there = allNodes(stage).filter((name) => !here.includes(name));
  const chosen = wordOf(fault, "to", "all") === "one" ? there.slice(0, 1) : there;
  return here.flatMap((a) => chosen.map((b): Way => (wordOf(fault, "way", "out") === "out" ? [a, b] : [b, a])));
});

/** A node's links go down and up, again and again. */
export const flapping: FaultKind = {
  bites: ["bytes-held", "dial-unanswered"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 2_000, 20_000), nodes: oneNode(seeded, context), with: { state: seeded.pick(STATES), downMs: lasting(seeded, 20, 3_000), upMs: lasting(seeded, 20, 3_000) } }),
  apply: (stage, fault) => {
    const { sim } = stage.run;
    let over = false;
    let up: () => void = () => undefined;
    const down = () => {
      if (over) return;
      up = stage.ledgers.links(both(fault.nodes.map(nameOf), allNodes(stage)), stateOf(fault));
      sim.at(sim.nowMs + numberOf(fault, "downMs", 100), () => {
        up();
        sim.at(sim.nowMs + numberOf(fault, "upMs", 100), down);
      });
    };
    down();
    return once(() => {
      over = true;
      up();
    });
  },
};

export const linkSlow: FaultKind = {
  bites: ["bytes-slow"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 1_000, 20_000), nodes: oneNode(seeded, context), with: { slowness: lasting(seeded, 5, 2_000), ways: seeded.pick(["both", "out"]), clients: seeded.chance(0.3) } }),
  apply: (stage, fault) => {
    const here = fault.nodes.map(nameOf);
    const ways = both(here, [...allNodes(stage), ...(fault.with["clients"] === true ? clientsOf(stage) : [])]);
    return stage.ledgers.links(wordOf(fault, "ways", "both") === "both" ? ways : ways.filter(([from]) => here.includes(from)), { slowness: numberOf(fault, "slowness", 10) });
  },
};

/** Connections of a node end again and again: both sides hear a reset, or one never does. */
function ending(how: "reset" | "half-open"): FaultKind {
  return {
    bites: [how === "reset" ? "connection-reset" : "connection-half-open"],
    draw: (seeded, context) => ({ forMs: lasting(seeded, 500, 15_000), nodes: oneNode(seeded, context), with: { everyMs: lasting(seeded, 200, 5_000), clients: seeded.chance(0.5) } }),
    apply: (stage, fault) => {
      const { sim } = stage.run;
      let over = false;
      const strike = () => {
        if (over) return;
        const others = [...allNodes(stage), ...(fault.with["clients"] === true ? clientsOf(stage) : [])];
        for (const here of fault.nodes.map(nameOf)) {
          const there = stage.seeded.pick(others);
          sim.network.breakConnections(stage.seeded.chance(0.5) ? [here, there] : [there, here], how);
        }
        sim.at(sim.nowMs + numberOf(fault, "everyMs", 1_000), strike);
      };
      strike();
      return () => (over = true);
    },
  };
}

export const resets = ending("reset");
export const halfOpen = ending("half-open");

/** False proof of death: dials to a living node are refused, from some or from all others. */
export const refusedDials: FaultKind = {
  bites: ["dial-refused"],
  draw: (seeded, context) => ({ forMs: lasting(seeded, 300, 6_000), nodes: oneNode(seeded, context), with: { from: seeded.pick(["all", "one"]), clients: seeded.chance(0.3), reset: seeded.chance(0.7) } }),
  apply: (stage, fault) => {
    const here = fault.nodes.map(nameOf);
    const others = allNodes(stage).filter((name) => !here.includes(name));
    const from = [...(wordOf(fault, "from", "all") === "one" ? [stage.seeded.pick(others)] : others), ...(fault.with["clients"] === true ? clientsOf(stage) : [])];
    const undo = stage.ledgers.links(from.flatMap((a) => here.map((b): Way => [a, b])), { refuses: true });
    if (fault.with["reset"] === true) for (const a of from) for (const b of here) stage.run.sim.network.breakConnections([a, b], "reset"); // so that there is something to dial
    return undo;
  },
};

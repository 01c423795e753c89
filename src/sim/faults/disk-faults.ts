/** Faults of disks: slow, stalled, full, failing, damaged, gone. What takes away what was durable goes through the atlas. */
import type { DiskFaults } from "../disk-faults.js";
import type { FaultPlan } from "../plan.js";
import type { Seeded } from "../seeded.js";
import { type DrawContext, type Drawn, type FaultKind, numberOf, type Stage } from "./fault-kind.js";
import { lasting, oneNode, someNodes } from "./node-faults.js";

const ASK_AGAIN_MS = 500;

/** A fault of the disk that lasts and says nothing to whoever calls. */
function passive(bites: readonly string[], draw: (seeded: Seeded, context: DrawContext) => Drawn, change: (fault: FaultPlan) => Partial<DiskFaults>): FaultKind {
  return {
    bites,
    draw,
    apply: ({ ledgers }, fault) => {
      const undos = fault.nodes.map((id) => ledgers.disk(id, change(fault)));
      return () => {
        for (const undo of undos) undo();
      };
    },
  };
}

/** One that fails calls, of which a node may end. */
function failing(bites: readonly string[], change: Partial<DiskFaults>, mostMs: number): FaultKind {
  return {
    bites,
    draw: (seeded, context) => ({ forMs: lasting(seeded, 100, mostMs), nodes: oneNode(seeded, context), with: {} }),
    apply: ({ ledgers, atlas }, fault) => {
      const undos = fault.nodes.flatMap((id) => [ledgers.disk(id, { ...change }), atlas.beginFailing(id)]);
      return () => {
        for (const undo of undos) undo();
      };
    },
  };
}

export const diskSlow = passive(
  ["disk-slow"],
  (seeded, context) => ({ forMs: lasting(seeded, 1_000, 20_000), nodes: someNodes(seeded, context), with: { slowness: lasting(seeded, 3, 500) } }),
  (fault) => ({ slowness: numberOf(fault, "slowness", 10) }),
);

/** Synchronous calls occupy their thread, so that the whole node is late. */
export const diskCallsSlow = passive(
  ["call-slow"],
  (seeded, context) => ({ forMs: lasting(seeded, 500, 10_000), nodes: oneNode(seeded, context), with: { callMs: lasting(seeded, 1, 60) } }),
  (fault) => ({ callMs: numberOf(fault, "callMs", 5) }),
);

export const diskStalled = passive(
  ["disk-stalled"],
  (seeded, context) => ({ forMs: lasting(seeded, 200, 20_000), nodes: oneNode(seeded, context), with: {} }),
  () => ({ stalled: true }),
);

export const diskFull = failing(["disk-full"], { full: true }, 10_000);
export const writesFail = failing(["write-failed"], { writes: "fail" }, 5_000);
export const syncFails = failing(["sync-failed"], { syncs: "fail" }, 5_000);
export const readsFail = failing(["read-failed"], { reads: "fail" }, 5_000);
/** The next sync fails and forgets its pages; later ones say that all is well. */
export const oneSyncFails = failing(["sync-failed"], { syncs: "fail-once" }, 4_000);

/** A negative control: not in any swarm, and the oracle must report what is lost. */
export const lyingDisk = passive(
  ["sync-lied"],
  (seeded, context) => ({ forMs: 10_000, nodes: someNodes(seeded, context), with: {} }),
  () => ({ syncs: "lie" }),
);

/** Stops the node once its disk may be damaged, damages it, and starts it again. */
function damaging(bites: readonly string[], drawWith: (seeded: Seeded) => FaultPlan["with"], damage: (stage: Stage, id: number, fault: FaultPlan) => void): FaultKind {
  return {
    bites,
    draw: (seeded, context) => ({ forMs: lasting(seeded, 3_000, 15_000), nodes: oneNode(seeded, context), with: { downMs: lasting(seeded, 50, 3_000), ...drawWith(seeded) } }),
    apply: (stage, fault) => {
      const { run, ledgers, atlas } = stage;
      let over = false;
      const ups: (() => void)[] = [];
      const tryNow = (id: number) => {
        if (over) return;
        if (!atlas.mayDamage(id)) return void run.sim.at(run.sim.nowMs + ASK_AGAIN_MS, () => tryNow(id));
        const up = ledgers.holdDown(id);
        ups.push(up);
        ledgers.cluster.node(id).machine.crash();
        damage(stage, id, fault);
        run.sim.at(run.sim.nowMs + numberOf(fault, "downMs", 500), up);
      };
      for (const id of fault.nodes) tryNow(id);
      return () => {
        over = true;
        for (const up of ups) up();
      };
    },
  };
}

export const diskWiped = damaging(["disk-wiped"], () => ({}), ({ atlas }, id) => atlas.wipe(id));

export const bitFlip = damaging(
  ["bit-flipped"],
  (seeded) => ({ flips: 1 + seeded.below(3) }),
  ({ run, ledgers, atlas, seeded }, id, fault) => {
    const { disk } = ledgers.cluster.node(id).machine;
    const byFolder = new Map<string, string[]>();
    for (const path of disk.durablePaths()) {
      if ((disk.tree.durableFile(path)?.durableSize ?? 0) === 0) continue;
      const kind = kindOf(path);
      byFolder.set(kind, [...(byFolder.get(kind) ?? []), path]);
    }
    for (let i = 0; i < numberOf(fault, "flips", 1); i++) {
      if (byFolder.size === 0) return;
      const path = seeded.pick(byFolder.get(seeded.pick([...byFolder.keys()].sort())) ?? []);
      const size = disk.tree.durableFile(path)?.durableSize ?? 1;
      const position = seeded.below(size);
      if (atlas.flip(id, path, position, seeded.below(8)) && run.sim.trace.withText) run.sim.trace.say("fault", `n${id}`, run.sim.nowMs, `a bit of ${path} at ${position} of ${size} is flipped`);
    }
  },
);

/** So that a small file of the quorum is struck as often as one of many segments. */
function kindOf(path: string): string {
  const folder = path.includes("/quorum/") ? "quorum" : path.split("/").length > 3 ? "partition" : "top";
  return `${folder} ${/\.[a-z]+$/.exec(path)?.[0] ?? path.slice(path.lastIndexOf("/") + 1)}`;
}

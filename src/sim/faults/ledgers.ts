/**
 * Faults overlap: two of them may hold one node down, cut one link, slow one disk. Each puts its part down here and takes it away again; what a
 * machine, a link or a disk suffers is the sum of what stands here.
 */
import type { SimCluster } from "../cluster/cluster.js";
import type { SimNode } from "../cluster/node.js";
import { type DiskFaults, NO_DISK_FAULTS } from "../disk-faults.js";
import { type LinkFaults, NO_LINK_FAULTS } from "../links.js";
import type { Simulation } from "../simulation.js";

/** Directions: names of machines. */
export type Way = readonly [from: string, to: string];

const STATES: readonly LinkFaults["state"][] = ["up", "stalled", "black-hole"];

export class Ledgers {
  readonly #down = new Map<number, number>();
  readonly #frozen = new Map<string, number>();
  readonly #links = new Map<string, Set<Partial<LinkFaults>>>();
  readonly #disks = new Map<number, Set<Partial<DiskFaults>>>();

  constructor(readonly sim: Simulation, readonly cluster: SimCluster) {}

  /** Nobody starts the node until this is undone; it is up to the caller to end it. @returns undoes it once, and starts the node if nobody else holds it down */
  holdDown(id: number): () => void {
    const node = this.cluster.node(id);
    node.wanted = false;
    count(this.#down, id, 1);
    return once(() => {
      if (count(this.#down, id, -1) > 0) return;
      node.wanted = true; // also where it has not ended yet
      node.start();
    });
  }

  isHeldDown(id: number): boolean {
    return (this.#down.get(id) ?? 0) > 0;
  }

  freeze({ machine }: Pick<SimNode, "machine">, what: "process" | "machine"): () => void {
    count(this.#frozen, machine.name, 1);
    machine.freeze(what);
    return once(() => {
      if (count(this.#frozen, machine.name, -1) === 0) machine.resume();
    });
  }

  links(ways: readonly Way[], change: Partial<LinkFaults>): () => void {
    for (const way of ways) this.#changesOf(way).add(change);
    for (const way of ways) this.#settleLink(way);
    return once(() => {
      for (const way of ways) this.#changesOf(way).delete(change);
      for (const way of ways) this.#settleLink(way);
    });
  }

  disk(id: number, change: Partial<DiskFaults>): () => void {
    const changes = this.#disks.get(id) ?? new Set();
    this.#disks.set(id, changes);
    changes.add(change);
    this.#settleDisk(id);
    return once(() => {
      changes.delete(change);
      this.#settleDisk(id);
    });
  }

  #changesOf([from, to]: Way): Set<Partial<LinkFaults>> {
    const key = `${from}>${to}`;
    let changes = this.#links.get(key);
    if (changes === undefined) this.#links.set(key, (changes = new Set()));
    return changes;
  }

  #settleLink(way: Way): void {
    let { state, refuses, slowness } = NO_LINK_FAULTS;
    for (const change of this.#changesOf(way)) {
      if (STATES.indexOf(change.state ?? "up") > STATES.indexOf(state)) state = change.state ?? state;
      refuses ||= change.refuses ?? false;
      slowness = Math.max(slowness, change.slowness ?? 1);
    }
    this.sim.network.link(...way).fault({ state, refuses, slowness });
  }

  #settleDisk(id: number): void {
    const sum = { ...NO_DISK_FAULTS };
    for (const change of this.#disks.get(id) ?? []) {
      if (change.syncs !== undefined && (sum.syncs === "ok" || change.syncs === "fail")) Object.assign(sum, { syncs: change.syncs });
      if (change.writes === "fail") Object.assign(sum, { writes: "fail" });
      if (change.reads === "fail") Object.assign(sum, { reads: "fail" });
      Object.assign(sum, {
        full: sum.full || (change.full ?? false),
        stalled: sum.stalled || (change.stalled ?? false),
        slowness: Math.max(sum.slowness, change.slowness ?? 1),
        callMs: Math.max(sum.callMs, change.callMs ?? 0),
      });
    }
    this.cluster.node(id).machine.disk.fault(sum);
  }
}

function count<K>(counts: Map<K, number>, key: K, by: number): number {
  const next = (counts.get(key) ?? 0) + by;
  counts.set(key, next);
  return next;
}

export function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

/** What is open on each node once clients are gone and all is well: it must come back to what a node at rest needs, whatever has happened to it. */
import type { SimCluster } from "./cluster/cluster.js";
import type { WorldCounts } from "./world.js";

type Counted = Exclude<keyof WorldCounts, "calls" | "files">;

/** What one World of a node at rest may have, by the number of nodes and of partitions. */
const AT_REST: { readonly [what in Counted]: (nodes: number, partitions: number) => number } = {
  timers: (nodes, partitions) => 30 + 6 * nodes + 4 * partitions,
  connections: (nodes) => 4 * nodes + 4,
  listeners: () => 2,
  streams: (nodes) => 8 * nodes + 8,
  queuedBytes: () => 64 * 1024,
  pending: (nodes, partitions) => 40 + 10 * nodes + 4 * partitions,
  waiting: () => 4,
};

export class RestCounts {
  /** Until what clients have left behind is gone. */
  readonly settleMs = 5_000;
  readonly maxMs = 60_000;

  constructor(readonly cluster: SimCluster) {}

  /** @returns the first count that is above what a node at rest needs */
  exceeded(): string | null {
    const { nodes } = this.cluster;
    for (const { id, isUp, current, machine } of nodes) {
      if (!isUp || current === null) return `node ${id} is down`;
      const partitions = current.controller === null ? 0 : [...current.controller.inspect().image.topics()].reduce((sum, topic) => sum + topic.partitionCount, 0);
      for (const [world, counts] of Object.entries(machine.inspect())) {
        for (const [what, bound] of Object.entries(AT_REST) as [Counted, (typeof AT_REST)[Counted]][]) { // its own keys
          const most = bound(nodes.length, partitions);
          if (counts[what] > most) return `${world} has ${counts[what]} ${what}, ${most} are enough at rest`;
        }
      }
    }
    return null;
  }
}

import { type Invariant } from "./invariant.js";

/** A snapshot stands for a committed entry, joins the log behind it, and a newer one is never replaced by an older one. */
export const snapshots: Invariant = {
  name: "snapshots",
  source: "reliability.md R11; Raft §7",
  watch(run, { raft }) {
    const newest = new Map<string, number>();
    raft.onSnapshot.on(({ node, point }) => {
      if (run.excuses.isDamaged(node.id) || node.key === null) return;
      const fact = raft.committed[point.index];
      if (fact === undefined) {
        // A leader knows before it tells anybody.
        const own = raft.facts.of(point.index, point.term);
        const known = own?.inForce?.members;
        if (own === null || known == null || !raft.isQuorumOf(known, own)) return run.violate("snapshots", `node ${node.id} keeps a snapshot of entry ${point.index} of term ${point.term}, which is not committed`);
      }
      if (fact != null && fact.term !== point.term) return run.violate("snapshots", `node ${node.id} keeps a snapshot of entry ${point.index} of term ${point.term}; committed is one of term ${fact.term}`);
      const before = newest.get(node.key) ?? 0;
      if (node.snapshotIndex < before) run.violate("snapshots", `the newest snapshot of node ${node.id} was of entry ${before} and is of ${node.snapshotIndex}`);
      newest.set(node.key, Math.max(before, node.snapshotIndex));
    });
    return {
      scan() {
        for (const node of raft.nodes.values()) {
          if (run.excuses.isDamaged(node.id)) continue;
          const first = node.firstDurable;
          if (first !== null && first > node.snapshotIndex + 1) run.violate("snapshots", `the log of node ${node.id} begins at entry ${first}, and its newest snapshot is of ${node.snapshotIndex}`);
        }
      },
    };
  },
};

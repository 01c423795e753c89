import { type Invariant } from "./invariant.js";

/** No node takes a committed entry out of its log before a snapshot on its disk stands for it. A leader cuts nothing of its own term. */
export const noTruncationBelowCommit: Invariant = {
  name: "no-truncation-below-commit",
  source: "reliability.md R9, R10; KAFKA-12460; Raft §5.3",
  watch(run, { raft }) {
    raft.onCut.on(({ node, facts }) => {
      if (run.excuses.isDamaged(node.id)) return;
      const lost = facts.find((fact) => raft.committed[fact.index] === fact && node.snapshotIndex < fact.index);
      if (lost !== undefined) return run.violate("no-truncation-below-commit", `node ${node.id} takes committed entry ${lost.index} of term ${lost.term} out of its log`);
      const own = facts.find((fact) => raft.leaders.get(fact.term) === node.key && node.vote?.term === fact.term && node.snapshotIndex < fact.index && node.writtenEntry(fact.index) !== fact);
      if (own !== undefined && !run.excuses.explainsFall(node.id, run.sim.nowMs)) run.violate("no-truncation-below-commit", `${node.key ?? node.id}, leader of term ${own.term}, cuts its own entry ${own.index}`);
    });
    return {};
  },
};

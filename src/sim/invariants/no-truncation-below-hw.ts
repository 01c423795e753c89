import { type Invariant } from "./invariant.js";

/** No replica takes a committed batch out of the end of its log. */
export const noTruncationBelowHw: Invariant = {
  name: "no-truncation-below-hw",
  source: "reliability.md P2, P7; KIP-101, KIP-279, KIP-595",
  watch(run, { logs }) {
    logs.onCut.on(({ replica, facts: gone }) => {
      const { facts, node } = replica;
      if (facts.unclean || facts.lax || run.excuses.isDamaged(node) || run.excuses.explainsFall(node, run.sim.nowMs)) return;
      const lost = gone.find((fact) => fact.base >= facts.start && fact.last < facts.committedEnd && facts.committed[facts.committedFrom(fact.base)] === fact);
      if (lost !== undefined) run.violate("no-truncation-below-hw", `node ${node} cuts offset ${lost.base} of epoch ${lost.epoch} from ${facts.name}; everything below ${facts.committedEnd} is committed`);
    });
    return {};
  },
};

import { type Invariant } from "./invariant.js";

/** At every moment a majority of voters would still have everything committed if all lost power now. */
export const committedDurable: Invariant = {
  name: "committed-durable",
  source: "design §11 committed survives power loss; reliability.md R8",
  watch(run, { raft }) {
    const check = (when: string) => {
      const fact = raft.committed[raft.committedEnd];
      if (fact === null || fact === undefined) return;
      const known = [raft.membersCommitted, fact.inForce, ...[...raft.nodes.values()].map((node) => node.lastWritten?.inForce)];
      const keeps = (id: number, directory: string) => {
        const node = raft.nodes.get(id);
        return node !== undefined && (run.excuses.isDamaged(id) || (node.key === `${id}/${directory}` && node.keeps(fact)));
      };
      for (const one of known) {
        const voters = one?.members?.voters ?? [];
        if (voters.length > 0 && voters.filter((voter) => keeps(voter.id, voter.directoryId)).length * 2 > voters.length) return;
      }
      const ends = [...raft.nodes.values()].map((node) => `node ${node.id} up to ${node.durableEnd}`).join(", ");
      run.violate("committed-durable", `${when}, committed entry ${fact.index} of term ${fact.term} is not on a majority of disks: ${ends}`);
    };
    let due: string | null = null;
    raft.onCommitTold.on(({ index }) => (due = `when ${index} was committed`));
    raft.onCut.on(({ node }) => (due ??= `after node ${node.id} cut its log`));
    raft.onShaken.on((node) => (due = `after the disk of node ${node.id} lost something`));
    return {
      onEvent() {
        if (due === null) return;
        const when = due;
        due = null;
        check(when);
      },
      scan: () => check("at a scan"),
    };
  },
};

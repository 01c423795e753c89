import { type Invariant } from "./invariant.js";

/** A partition's epoch rises by one with each change; its leader epoch never falls, and rises with each change of leader. */
export const partitionEpochs: Invariant = {
  name: "partition-epochs",
  source: "design §11 metadata epochs only rise; reliability.md M3; KIP-101, KIP-497",
  watch(run, { metadata }) {
    metadata.onRow.on(({ topic, before, change, position }) => {
      const at = `${topic}-${before.index} at ${position}`;
      if (change.partitionEpoch !== before.partitionEpoch + 1) run.violate("partition-epochs", `the partition epoch of ${at} goes from ${before.partitionEpoch} to ${change.partitionEpoch}`);
      if (change.leaderEpoch < before.leaderEpoch) run.violate("partition-epochs", `the leader epoch of ${at} falls from ${before.leaderEpoch} to ${change.leaderEpoch}`);
      if (change.leader !== before.leader && change.leaderEpoch <= before.leaderEpoch) run.violate("partition-epochs", `the leader of ${at} goes from ${before.leader ?? "nobody"} to ${change.leader ?? "nobody"} within leader epoch ${change.leaderEpoch}`);
    });
    return {};
  },
};

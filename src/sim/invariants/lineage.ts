import { type Invariant } from "./invariant.js";

/** Offset and leader epoch name one batch, byte for byte, on every disk and at every time; a log has no holes, and its epochs do not fall. */
export const lineage: Invariant = {
  name: "lineage",
  source: "design §11 equal (offset, epoch) means equal bytes; reliability.md P6; KIP-101, KIP-279",
  watch(run, { logs, metadata }) {
    const violate = (text: string) => run.violate("lineage", text);
    logs.onClash.on(({ replica, known, text }) => {
      if (!run.excuses.isDamaged(replica.node)) violate(`offset ${known.base} of epoch ${known.epoch} of ${replica.name} is different on node ${replica.node}: ${text}`);
    });
    logs.onAdded.on(({ replica, fact, before }) => {
      if (before === null || run.excuses.isDamaged(replica.node)) return;
      const compacted = metadata.image.config("topic", replica.facts.topic).get("cleanup.policy")?.includes("compact") ?? replica.facts.topic.startsWith("__");
      if (fact.base !== before.last + 1 && (!compacted || fact.base <= before.last)) violate(`node ${replica.node} writes offset ${fact.base} of ${replica.name} after ${before.last}`);
      if (fact.epoch < before.epoch) violate(`node ${replica.node} writes offset ${fact.base} of ${replica.name} in epoch ${fact.epoch} after one of ${before.epoch}`);
    });
    return {};
  },
};

import type { BatchFact } from "../evidence/log-replica.js";
import { type Invariant } from "./invariant.js";

const WRAP = 2 ** 31;

/** Per partition and producer, what is committed has sequences that follow each other within an epoch, begins a new epoch at 0, and never falls back to an older one. */
export const sequencesContiguous: Invariant = {
  name: "sequences-contiguous",
  source: "design §11 sequences contiguous per producer; reliability.md I1, I3; KIP-98, KIP-360",
  watch(run, { logs }) {
    const newest = new Map<string, BatchFact>();
    const expiryMs = Number(run.plan.settings["producer.id.expiration.ms"] ?? 86_400_000);
    logs.onCommitted.on(({ partition, fact }) => {
      if (fact.producerId < 0 || fact.control || fact.sequence < 0 || partition.unclean || partition.lax) return;
      const key = `${partition.topicId}/${partition.partition}/${fact.producerId}`;
      const before = newest.get(key);
      newest.set(key, fact);
      if (before === undefined || fact.timestampMs - before.timestampMs >= expiryMs / 2) return;
      const violate = (text: string) => run.violate("sequences-contiguous", `producer ${fact.producerId} on ${partition.name}, offset ${fact.base}: ${text}`);
      if (fact.producerEpoch < before.producerEpoch) return violate(`epoch ${fact.producerEpoch} after ${before.producerEpoch}`);
      const next = fact.producerEpoch > before.producerEpoch ? 0 : (before.sequence + (before.last - before.base) + 1) % WRAP;
      if (fact.sequence !== next) violate(`sequence ${fact.sequence} of epoch ${fact.producerEpoch}, where ${next} comes next; before it, offset ${before.base} has ${before.sequence}`);
    });
    return {};
  },
};

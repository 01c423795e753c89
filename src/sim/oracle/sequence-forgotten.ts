/**
 * A leader knows the sequences of all that was acknowledged to an idempotent producer: the batch that follows the last acknowledged one is never out of
 * order, neither when it is new nor when it is sent again.
 */
import { writeText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function sequenceForgotten(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "sequence-forgotten",
    source: "reliability.md I2, I4; Redpanda #3039 and #3038",
    read(entry) {
      if (entry.f !== "sequence-broken") return;
      const { write } = entry;
      const { before } = write;
      if (write.acks !== -1 || judge.terms.mayLose(write.partition)) return;
      if (before !== null && (before.outcome !== "ok" || entry.atMs - before.endedMs > judge.terms.producerExpiryMs / 2)) return;
      found(`${write.partition.text}: ${writeText(write)} is refused as out of order, though what comes before it was acknowledged: ${before === null ? "nothing" : writeText(before)}`);
    },
  };
}

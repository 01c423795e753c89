/** No record is in the log twice: not if its producer is idempotent, and otherwise not more often than it was sent. */
import { valueText, writeText } from "./history.js";
import { copiesMax, type Judge, type Rule } from "./rule.js";

export function duplicate(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "duplicate",
    source: "reliability.md I1; Jepsen Kafka workload",
    read(entry) {
      if (entry.f !== "poll" || judge.terms.mayLose(entry.poll.partition)) return;
      for (const { write, isNew, offset, value } of judge.seen.sightings) {
        if (!isNew || write === null || write.places.length <= copiesMax(write)) continue;
        if (write.writer.idempotent && write.sentMs - write.invokedMs > judge.terms.producerExpiryMs / 2) continue; // the leader may have forgotten it by then
        return found(`${entry.poll.partition.text}: ${valueText(value)} at offset ${offset}: its batch lies at ${write.places.join(" and ")}: ${writeText(write)}`);
      }
    },
  };
}

/** One offset holds one value, whoever reads it and whenever; and a record lies where its acknowledgement said. */
import { valueText, type Write, writeText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function inconsistentOffsets(judge: Judge, found: (text: string) => void): Rule {
  const elsewhere = (write: Write) => {
    if (write.outcome !== "ok" || write.offset < 0 || write.places.length === 0) return;
    if (!write.writer.idempotent && write.attempts > 1) return; // an earlier try may be there as well; lost-write.ts looks for the acknowledged one
    if (!write.places.includes(write.offset)) found(`${write.partition.text}: read at offset ${write.places.join(" and ")}, acknowledged elsewhere: ${writeText(write)}`);
  };
  return {
    name: "inconsistent-offsets",
    source: "reliability.md P2, I2; Jepsen Kafka workload",
    read(entry) {
      if (entry.f === "write" && entry.type === "ok" && !judge.terms.mayLose(entry.write.partition)) elsewhere(entry.write);
      if (entry.f !== "poll" || judge.terms.mayLose(entry.poll.partition)) return;
      for (const { offset, value, before, write, isNew } of judge.seen.sightings) {
        if (before !== undefined && before !== value) return found(`${entry.poll.partition.text}: offset ${offset} held ${valueText(before)}, and now ${valueText(value)} for ${entry.poll.reader} in epoch ${entry.poll.epoch}`);
        if (isNew && write !== null) elsewhere(write);
      }
    },
  };
}

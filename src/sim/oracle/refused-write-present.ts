/** What was refused for good is not in the log, then or later. */
import { writeText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function refusedWritePresent(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "refused-write-present",
    source: "issue 4: a definite refusal is never in the log; outcomes.ts",
    read(entry) {
      if (entry.f === "write" && entry.type === "fail" && entry.write.places.length > 0) found(`${entry.write.partition.text}: refused, but read at ${entry.write.places.join(" and ")}: ${writeText(entry.write)}`);
      if (entry.f !== "poll") return;
      for (const { write, offset } of judge.seen.sightings) if (write !== null && write.outcome === "fail") return found(`${entry.poll.partition.text}: offset ${offset} holds a record of ${writeText(write)}`);
    },
  };
}

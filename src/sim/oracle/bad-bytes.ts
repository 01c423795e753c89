/** Readers get what writers sent, in that partition: batches whose checksum holds, records that are whole, and nothing that nobody sent. */
import { valueText, writeText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function badBytes(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "bad-bytes",
    source: "reliability.md P11",
    read(entry) {
      if (entry.f !== "poll") return;
      const { partition, reader, damage } = entry.poll;
      if (damage !== null) return found(`${partition.text}: ${reader}: ${damage}`);
      for (const { offset, value, write } of judge.seen.sightings) {
        if (write === null) return found(`${partition.text}: offset ${offset} holds ${valueText(value)}, which nobody sent`);
        if (write.partition !== partition && write.partition.topic !== partition.topic) return found(`${partition.text}: offset ${offset} holds a record for ${write.partition.text}: ${writeText(write)}`);
        if (write.partition !== partition && write.partition.index !== partition.index) return found(`${partition.text}: offset ${offset} holds a record for ${write.partition.text}: ${writeText(write)}`);
      }
    },
  };
}

/** A topic that is made anew under an old name is empty: nothing that was written to the one before it is read from it. */
import { valueText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function deletedData(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "deleted-data",
    source: "reliability.md M9; KIP-516",
    read(entry) {
      if (entry.f !== "poll") return;
      const { partition } = entry.poll;
      for (const { offset, value, write } of judge.seen.sightings) {
        if (write !== null && write.partition.topic === partition.topic && write.partition.topicId !== partition.topicId) {
          return found(`${partition.text} of id ${partition.topicId}: offset ${offset} holds ${valueText(value)}, written to the topic's incarnation ${write.partition.topicId}`);
        }
      }
    },
  };
}

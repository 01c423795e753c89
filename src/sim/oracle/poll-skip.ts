/** A reader that asks for an offset gets the record that lies there and those after it, none left out. Our logs have no gaps. */
import type { Judge, Rule } from "./rule.js";

export function pollSkip(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "poll-skip",
    source: "Jepsen Kafka workload: (int-)poll-skip, for readers that assign partitions to themselves",
    read(entry) {
      if (entry.f !== "poll") return;
      const { partition, offsets, position, logStart, reader } = entry.poll;
      if (judge.terms.mayLose(partition)) return;
      let expected = position;
      for (const offset of offsets) {
        if (offset > expected && logStart < offset) return found(`${partition.text}: ${reader} asked for ${position} and got ${offset} where ${expected} comes next; the log begins at ${logStart}`);
        expected = offset + 1;
      }
    },
  };
}

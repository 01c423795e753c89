/** An answer moves its reader on, in ascending order: no records that lie wholly before what it asked for. */
import type { Judge, Rule } from "./rule.js";

export function nonmonotonicPoll(_: Judge, found: (text: string) => void): Rule {
  return {
    name: "nonmonotonic-poll",
    source: "Jepsen Kafka workload: (int-)nonmonotonic-poll, for readers that assign partitions to themselves; KIP-74",
    read(entry) {
      if (entry.f !== "poll") return;
      const { partition, offsets, position, last, batchEpoch, reader } = entry.poll;
      if (batchEpoch >= 0 && last < position) return found(`${partition.text}: ${reader} asked for ${position} and got records up to ${last} only`);
      for (let i = 1; i < offsets.length; i++) {
        const [a, b] = [offsets[i - 1] ?? 0, offsets[i] ?? 0];
        if (b <= a) return found(`${partition.text}: ${reader} got offset ${b} after ${a} in one answer`);
      }
    },
  };
}

/** When all has healed and writing has ended, every reader comes to the end of what it reads. */
import type { FinalLog } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function unseen(_: Judge, found: (text: string) => void): Rule {
  const logs = new Map<number, FinalLog>();
  return {
    name: "unseen",
    source: "Jepsen Kafka workload: unseen",
    read(entry) {
      if (entry.f === "final-log") logs.set(entry.log.partition.number, entry.log);
      else if (entry.f === "final-position") {
        const { reader, partition, position } = entry.at;
        const log = logs.get(partition.number);
        if (log !== undefined && position < log.end) found(`${partition.text}: ${reader} has come to ${position}, the log ends at ${log.end}`);
      }
    },
  };
}

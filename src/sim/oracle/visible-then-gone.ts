/** What a reader has seen stays where it was: the log still reaches there, and still holds it at the end. */
import { type FinalLog, valueText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function visibleThenGone(judge: Judge, found: (text: string) => void): Rule {
  function check(log: FinalLog): void {
    const seen = judge.seen.values(log.partition);
    for (let at = log.start; at < seen.length; at++) {
      const value = seen[at];
      if (value !== undefined && log.values[at - log.start] !== value) return found(`${log.partition.text}: offset ${at} held ${valueText(value)}, and ${valueText(log.values[at - log.start])} at the end; the log is ${log.start}..${log.end}`);
    }
  }
  return {
    name: "visible-then-gone",
    source: "reliability.md P3, P8; KIP-320",
    read(entry) {
      if (entry.f === "out-of-range") {
        const { partition, position, start, reader, epoch } = entry.refused;
        if (start <= position && !judge.terms.mayLose(partition)) found(`${partition.text}: ${reader} has read up to ${position}, and is told in epoch ${epoch} that this is out of range; the log begins at ${start}`);
      } else if (entry.f === "final-log" && !judge.terms.mayLose(entry.log.partition)) check(entry.log);
    },
  };
}

/** A log begins at 0 unless somebody deleted its oldest records or its retention takes them; and not before what a deletion that was acknowledged left. */
import type { Rule, Judge } from "./rule.js";

export function logStart(judge: Judge, found: (text: string) => void): Rule {
  const asked = new Map<number, number>();
  const left = new Map<number, number>();
  const check = (partition: Parameters<Judge["terms"]["hasRetention"]>[0], start: number) => {
    if (!judge.terms.hasRetention(partition) && start > (asked.get(partition.number) ?? 0)) found(`${partition.text} begins at ${start}, but nobody deleted records up to there`);
  };
  return {
    name: "log-start",
    source: "reliability.md P1; Kafka protocol, DeleteRecords",
    read(entry) {
      if (entry.f === "admin" && entry.op.work.kind === "trim") {
        const { work } = entry.op;
        const key = work.partition.number;
        if (entry.type === "invoke") asked.set(key, Math.max(asked.get(key) ?? 0, work.offset));
        else if (entry.type === "ok") {
          if (work.lowWatermark < work.offset) found(`${work.partition.text}: records up to ${work.offset} were deleted, yet the log begins at ${work.lowWatermark}`);
          left.set(key, Math.max(left.get(key) ?? 0, work.lowWatermark));
        }
      } else if (entry.f === "start") check(entry.shown.partition, entry.shown.start);
      else if (entry.f === "poll" && entry.poll.logStart >= 0) check(entry.poll.partition, entry.poll.logStart);
      else if (entry.f === "final-log") {
        const { partition, start } = entry.log;
        check(partition, start);
        const least = left.get(partition.number) ?? 0;
        if (start < least) found(`${partition.text} begins at ${start}, but records up to ${least} were deleted`);
      }
    },
  };
}

/**
 * An acknowledged record is in the log at the end, where the acknowledgement said. With acks=all always; with acks=1 if the leader that answered
 * still leads in the same epoch, for only the next leader may lack it. With acks=0 nothing was promised. Below the log's start records are gone
 * by retention or deletion; that the start has not moved without either is log-start.ts's.
 */
import { type FinalLog, valueOf, valueText, type Write, writeText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function lostWrite(judge: Judge, found: (text: string) => void): Rule {
  const acknowledged = new Map<number, Write[]>();

  function check(log: FinalLog): void {
    if (judge.terms.mayLose(log.partition)) return;
    for (const write of acknowledged.get(log.partition.number) ?? []) {
      if (write.acks === 1 && write.epoch !== log.epoch) {
        if (isGone(write, log) !== null) judge.sometimes("a record of acks=1 was lost with its leader");
        continue;
      }
      const gone = isGone(write, log);
      if (gone !== null) return found(`${log.partition.text}: offset ${gone} holds ${valueText(log.values[gone - log.start])}, not its record of ${writeText(write)}; the log is ${log.start}..${log.end} in epoch ${log.epoch}`);
    }
  }

  return {
    name: "lost-write",
    source: "reliability.md P1; Jepsen Kafka workload",
    read(entry) {
      if (entry.f === "write" && entry.type === "ok" && entry.write.offset >= 0) {
        const { write } = entry;
        const writes = acknowledged.get(write.partition.number);
        if (writes === undefined) acknowledged.set(write.partition.number, [write]);
        else writes.push(write);
      } else if (entry.f === "final-log") check(entry.log);
    },
  };
}

/** The first offset that does not hold its record. */
function isGone(write: Write, log: FinalLog): number | null {
  for (let i = 0; i < write.count; i++) {
    const at = write.offset + i;
    if (at >= log.start && log.values[at - log.start] !== valueOf(write.writer.number, write.index * write.writer.perBatch + i)) return at;
  }
  return null;
}

/** Batches of one idempotent producer lie in the order in which it sent them, none left out before one that is there. */
import { type Write, writeText } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function reordered(judge: Judge, found: (text: string) => void): Rule {
  return {
    name: "reordered",
    source: "reliability.md I1; KIP-98",
    read(entry) {
      if (entry.f === "poll") {
        if (judge.terms.mayLose(entry.poll.partition)) return;
        for (const { write, isNew } of judge.seen.sightings) {
          if (!isNew || write === null || !write.writer.idempotent) continue;
          const place = write.places[0] ?? 0;
          let before = write.before;
          for (let i = 0; before !== null && before.places.length === 0 && i < LOOK_BACK_MAX; i++) before = before.before;
          if (before !== null && (before.places[0] ?? 0) > place) return found(`${write.partition.text}: ${writeText(write)} lies at ${place}, before ${writeText(before)} at ${before.places.join(" and ")}`);
        }
      } else if (entry.f === "final-log") {
        const { partition, start } = entry.log;
        if (judge.terms.mayLose(partition)) return;
        for (const writer of judge.seen.writers.values()) {
          if (!writer.idempotent) continue;
          for (const write of writer.writes) if (write.partition === partition) check(write, start);
        }
      }
    },
  };

  function check(write: Write, start: number): void {
    const place = write.places[0];
    const { before } = write;
    if (place === undefined || before === null) return;
    const earlier = before.places[0];
    if (earlier === undefined) {
      // It may have gone with what was deleted; and with acks=1 with a leader that knew of both.
      if (start === 0 && before.acks === -1) found(`${write.partition.text}: ${writeText(write)} is at ${place}, but the batch before it is nowhere: ${writeText(before)}`);
    } else if (earlier > place) found(`${write.partition.text}: ${writeText(write)} lies at ${place}, before ${writeText(before)} at ${earlier}`);
  }
}

const LOOK_BACK_MAX = 50;

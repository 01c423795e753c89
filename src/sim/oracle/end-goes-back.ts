/**
 * The end of what may be read does not go back for whoever asks after it was told: within a leader's epoch, and by ListOffsets also from one epoch to
 * the next, for a new leader says OFFSET_NOT_AVAILABLE until it knows how far the one before it had got. An old leader may still tell an older end.
 */
import type { Judge, Rule } from "./rule.js";

interface Told {
  readonly atMs: number;
  readonly end: number;
  readonly by: string;
}

export function endGoesBack(judge: Judge, found: (text: string) => void): Rule {
  /** By partition, then by epoch: rising ends. */
  const told = new Map<number, Map<number, Told[]>>();

  return {
    name: "end-goes-back",
    source: "reliability.md P3; KIP-207",
    read(entry) {
      if (entry.f !== "poll" && entry.f !== "end") return;
      const shown = entry.f === "end" ? entry.shown : { ...entry.poll, end: entry.poll.highWatermark, fetched: true };
      const { partition, epoch, end, invokedMs, reader } = shown;
      if (epoch < 0 || end < 0) return;
      let epochs = told.get(partition.number);
      if (epochs === undefined) told.set(partition.number, (epochs = new Map()));
      for (const [then, ends] of epochs) {
        if (then > epoch || (shown.fetched && then !== epoch)) continue;
        const before = newest(ends, invokedMs);
        if (before !== null && before.end > end && !judge.terms.mayLose(partition)) {
          return found(`${partition.text}: ${reader} is told in epoch ${epoch} that it may be read up to ${end}, but ${before.by} was told ${before.end} in epoch ${then} at ${Math.round(before.atMs)} ms, before it asked`);
        }
      }
      const ends = epochs.get(epoch);
      if (ends === undefined) epochs.set(epoch, [{ atMs: entry.atMs, end, by: reader }]);
      else if ((ends.at(-1)?.end ?? -1) < end) ends.push({ atMs: entry.atMs, end, by: reader });
    },
  };
}

function newest(ends: readonly Told[], beforeMs: number): Told | null {
  for (let i = ends.length - 1; i >= 0; i--) {
    const one = ends[i];
    if (one !== undefined && one.atMs < beforeMs) return one;
  }
  return null;
}

/** Compares what clients were told with what is finally in the log: lost, doubled or reordered values are named. Unknown outcomes may be there or not. */

export interface Sent {
  readonly value: string;
  readonly producer: string;
  readonly sequence: number;
  readonly partition: number;
  readonly outcome: "acknowledged" | "unknown";
}

export interface Verdict {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly reordered: readonly string[];
  readonly unexpected: readonly string[];
}

/** @param log values of each partition in the order of offsets */
export function check(sent: readonly Sent[], log: ReadonlyMap<number, readonly string[]>): Verdict {
  const known = new Map(sent.map((one) => [one.value, one]));
  const seen = new Map<string, number>();
  const reordered: string[] = [];
  const unexpected: string[] = [];
  for (const [partition, values] of log) {
    const last = new Map<string, number>();
    for (const value of values) {
      seen.set(value, (seen.get(value) ?? 0) + 1);
      const one = known.get(value);
      if (one === undefined || one.partition !== partition) {
        unexpected.push(value);
        continue;
      }
      if (one.sequence < (last.get(one.producer) ?? -1)) reordered.push(value);
      last.set(one.producer, Math.max(one.sequence, last.get(one.producer) ?? -1));
    }
  }
  return {
    lost: sent.filter((one) => one.outcome === "acknowledged" && !seen.has(one.value)).map((one) => one.value),
    doubled: [...seen].filter(([, count]) => count > 1).map(([value]) => value),
    reordered,
    unexpected,
  };
}

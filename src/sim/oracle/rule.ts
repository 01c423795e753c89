/** What a rule of the oracle is, and what it is given. */
import type { Entry, Partition, Write } from "./history.js";
import type { Seen } from "./seen.js";

/** What the run knows about its topics and faults, as far as it bears on what clients may see. */
export interface Terms {
  /** Some of what was acknowledged may be gone without blame: unclean elections are allowed, or the topic is not durable and too many lost power. */
  mayLose(partition: Partition): boolean;
  /** Old records go by time or size. */
  hasRetention(partition: Partition): boolean;
  /** The producers' memory of the partition's leader may be gone after so long without a write. */
  readonly producerExpiryMs: number;
  /** Committed offsets may be gone after the group was empty for so long. */
  readonly offsetsExpiryMs: number;
}

/** What all rules share. */
export interface Judge {
  readonly terms: Terms;
  /** What readers have seen of each log so far, this entry included. */
  readonly seen: Seen;
  sometimes(point: string): void;
}

/** One property of what clients see. It reads every entry in order; what it returns or hands to `found` is a violation. */
export interface Rule {
  /** Its file's name. */
  readonly name: string;
  /** Where the property comes from. */
  readonly source: string;
  read(entry: Entry): void;
}

export type MakeRule = (judge: Judge, found: (text: string) => void) => Rule;

/** How often a batch may be in the log at most: once if it is idempotent, else as often as it was sent. */
export function copiesMax(write: Write): number {
  return write.writer.idempotent ? 1 : Math.max(1, write.attempts);
}

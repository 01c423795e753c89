/**
 * What a log knows, in one place: its segments, its ends, epochs and producers. Whoever changes it keeps
 * start <= durableEnd <= writtenEnd <= end between any two events (start may run ahead of the first three after DeleteRecords of a prefix).
 */
import { assert } from "../base/assert.js";
import type { Epochs } from "./epochs.js";
import type { LogSettings } from "./partition-log.js";
import type { Producers } from "./producers.js";
import { Tail, type ReadableLog } from "./read-plan.js";
import type { RecoveredLog } from "./recovery.js";
import type { Segment } from "./segment.js";
import type { AbortedTransaction } from "./transactions.js";

export class LogState implements ReadableLog {
  readonly key: string;
  readonly segments: Segment[];
  readonly epochs: Epochs;
  readonly tail = new Tail();
  settings: LogSettings;
  producers: Producers;
  aborted: AbortedTransaction[];
  start: number;
  end: number;
  writtenEnd: number;
  durableEnd: number;
  /** The epoch file lacks something. */
  epochsDirty: boolean;
  /** Something changed since the log was opened, so that a clean stop has files to write. */
  touched: boolean;
  /** Accepted since producers and indexes were saved. */
  unsavedBytes = 0;
  truncating = false;
  closed = false;
  /** Closed for good: the folder is moved away, and another log may live under its name. */
  abandoned = false;

  constructor(key: string, settings: LogSettings, recovered: RecoveredLog) {
    this.key = key;
    this.settings = settings;
    this.segments = recovered.segments;
    this.epochs = recovered.epochs;
    this.producers = recovered.producers;
    this.aborted = recovered.aborted;
    this.start = recovered.start;
    this.end = this.writtenEnd = this.durableEnd = recovered.end;
    this.epochsDirty = recovered.epochsChanged;
    this.touched = !recovered.report.clean || recovered.epochsChanged;
    if (this.epochs.truncateStart(this.start)) this.epochsDirty = true;
  }

  get active(): Segment {
    const last = this.segments.at(-1);
    assert(last !== undefined, "a log has a segment");
    return last;
  }

  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get indexIntervalBytes(): number {
    return this.settings.indexIntervalBytes;
  }

  /** After a cut: all that is left was written and synced. */
  cutAt(end: number): void {
    this.end = this.writtenEnd = this.durableEnd = end;
    this.tail.clear();
  }

  check(): void {
    assert(this.start <= this.end, "the start does not pass the end");
    assert(this.durableEnd <= this.writtenEnd, "what is durable was written");
    assert(this.writtenEnd <= this.end, "what is written was accepted");
  }
}

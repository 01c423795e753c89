/**
 * The judge of what clients see. Every entry of the history goes to `seen`, which keeps what readers saw of each log, and then to each rule; the first
 * violation is reported with its rule's name. It trusts nothing but what went over the clients' connections.
 */
import { badBytes } from "./bad-bytes.js";
import { commitUnread } from "./commit-unread.js";
import { committedOffset } from "./committed-offset.js";
import { deletedData } from "./deleted-data.js";
import { duplicate } from "./duplicate.js";
import { endGoesBack } from "./end-goes-back.js";
import { generationBack } from "./generation-back.js";
import { groupOwner } from "./group-owner.js";
import { type Entry, History } from "./history.js";
import { inconsistentOffsets } from "./inconsistent-offsets.js";
import { logStart } from "./log-start.js";
import { lostWrite } from "./lost-write.js";
import { metadataBack } from "./metadata-back.js";
import { nonmonotonicPoll } from "./nonmonotonic-poll.js";
import { oldGenerationCommit } from "./old-generation-commit.js";
import { pollSkip } from "./poll-skip.js";
import { refusedWritePresent } from "./refused-write-present.js";
import { reordered } from "./reordered.js";
import type { Judge, MakeRule, Rule, Terms } from "./rule.js";
import { Seen } from "./seen.js";
import { sequenceForgotten } from "./sequence-forgotten.js";
import { topicGone } from "./topic-gone.js";
import { topicIdReused } from "./topic-id-reused.js";
import { unseen } from "./unseen.js";
import { visibleThenGone } from "./visible-then-gone.js";

/** The more telling ones first: one fault may break several. */
export const RULES: readonly MakeRule[] = [
  badBytes,
  deletedData,
  duplicate,
  reordered,
  refusedWritePresent,
  inconsistentOffsets,
  pollSkip,
  nonmonotonicPoll,
  lostWrite,
  visibleThenGone,
  logStart,
  endGoesBack,
  sequenceForgotten,
  unseen,
  groupOwner,
  generationBack,
  oldGenerationCommit,
  committedOffset,
  commitUnread,
  topicGone,
  topicIdReused,
  metadataBack,
];

export interface OracleOptions {
  readonly terms: Terms;
  readonly violate: (rule: string, text: string) => void;
  readonly sometimes?: (point: string) => void;
  /** Whether entries are kept, to be written as lines; true if left out. */
  readonly keep?: boolean;
}

export class Oracle {
  readonly history = new History();
  readonly seen = new Seen();
  readonly rules: readonly Rule[];
  entries = 0;
  readonly #keep: boolean;

  constructor(options: OracleOptions) {
    const judge: Judge = { terms: options.terms, seen: this.seen, sometimes: options.sometimes ?? (() => undefined) };
    this.rules = RULES.map((make) => {
      const rule: Rule = make(judge, (text) => options.violate(rule.name, text));
      return rule;
    });
    this.#keep = options.keep ?? true;
  }

  add(entry: Entry): void {
    this.entries++;
    if (this.#keep) this.history.entries.push(entry);
    this.seen.note(entry);
    for (const rule of this.rules) rule.read(entry);
  }
}

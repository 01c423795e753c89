/**
 * The log in memory: what came after its base. A snapshot covers everything up to its own index, which is at or after the base, so that followers a
 * little behind still get entries. Who the members are follows from snapshot and entries.
 */
import { assert } from "../../base/assert.js";
import { decodeMembership } from "../members.js";
import { NOBODY, ORIGIN, type Entry, type Index, type LogPoint, type Membership, type Term } from "../types.js";

export class Entries {
  #base: LogPoint;
  #list: Entry[] = [];
  /** Memberships by the index that brought them, ascending; the first is the snapshot's. */
  #members: { readonly index: Index; readonly members: Membership }[];

  /** @param known the membership as of an index at or after the base: entries up to there do not change it */
  constructor(base: LogPoint = ORIGIN, known: { readonly index: Index; readonly members: Membership } = { index: base.index, members: NOBODY }) {
    this.#base = base;
    this.#members = [known];
  }

  get base(): LogPoint {
    return this.#base;
  }

  get last(): LogPoint {
    const entry = this.#list.at(-1);
    return entry === undefined ? this.#base : { index: entry.index, term: entry.term };
  }

  /** In force as soon as it stands in the log, committed or not. */
  get members(): Membership {
    return this.#members.at(-1)?.members ?? NOBODY;
  }

  get membersIndex(): Index {
    return this.#members.at(-1)?.index ?? 0;
  }

  /** The membership as an entry at `index` left it. */
  membersAt(index: Index): Membership {
    return this.#members.findLast((one) => one.index <= index)?.members ?? NOBODY;
  }

  /** Null where the log does not reach or was compacted: a term that is not known is never taken for 0. */
  termAt(index: Index): Term | null {
    if (index === this.#base.index) return this.#base.term;
    return this.#list[index - this.#base.index - 1]?.term ?? null;
  }

  entry(index: Index): Entry | null {
    return this.#list[index - this.#base.index - 1] ?? null;
  }

  /** Entries from `from` to below `end`, as many as fit into `maxBytes`, one at least. */
  slice(from: Index, end: Index, maxBytes = Infinity): readonly Entry[] {
    assert(from > this.#base.index, "what was compacted is not there to be read");
    const out: Entry[] = [];
    let bytes = 0;
    for (let i = from; i < end; i++) {
      const entry = this.entry(i);
      if (entry === null) break;
      bytes += entry.payload.length + 32;
      if (bytes > maxBytes && out.length > 0) break;
      out.push(entry);
    }
    return out;
  }

  /** The last index at or before `from` whose term is `term` at most: where logs that differ after it may agree. Stops at the base. */
  lastWithin(from: Index, term: Term): Index {
    let index = Math.min(from, this.last.index);
    while (index > this.#base.index && (this.termAt(index) ?? 0) > term) index--;
    return index;
  }

  append(entry: Entry): void {
    const { last } = this;
    assert(entry.index === last.index + 1, `entry ${entry.index} goes on from ${last.index}`);
    assert(entry.term >= last.term, "terms never fall along a log");
    this.#list.push(entry);
    if (entry.kind === "members" && entry.index > this.membersIndex) this.#members.push({ index: entry.index, members: decodeMembership(entry.payload) });
  }

  truncate(from: Index): void {
    assert(from > this.#base.index, "what was compacted is never cut");
    this.#list.length = Math.max(0, from - this.#base.index - 1);
    while (this.#members.length > 1 && this.membersIndex >= from) this.#members.pop();
  }

  /** Drops entries up to here; a snapshot covers them. */
  compact(to: LogPoint): void {
    assert(to.index >= this.#base.index, "a base only rises");
    assert(this.termAt(to.index) === to.term, "a snapshot agrees with the log that it stands for");
    const members = this.membersAt(to.index);
    this.#list = this.#list.slice(to.index - this.#base.index);
    this.#base = to;
    const later = this.#members.filter((one) => one.index > to.index);
    this.#members = this.#members.some((one) => one.index <= to.index) ? [{ index: to.index, members }, ...later] : later;
  }

  /** Starts again at a leader's snapshot. */
  reset(to: LogPoint, members: Membership): void {
    this.#list = [];
    this.#base = to;
    this.#members = [{ index: to.index, members }];
  }
}

/** Is a's end at least as complete as b's? Raft §5.4.1. */
export function isAsComplete(a: LogPoint, b: LogPoint): boolean {
  return a.term !== b.term ? a.term > b.term : a.index >= b.index;
}

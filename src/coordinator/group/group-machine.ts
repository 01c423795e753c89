/**
 * All groups of one partition of `__consumer_offsets`: finds the group, lets the rules decide, and carries their effects out. Everything here is
 * synchronous, so each group's events are handled one at a time, in the order in which they came.
 *
 * A decision rests on what the log has: if the group has a record that is queued and not yet appended, the append is made first.
 */
import { assert, unreachable } from "../../base/assert.js";
import type { Uuid } from "../../base/ids.js";
import type { ErrorName } from "../../protocol/errors.js";
import { ProtocolError } from "../../protocol/schema.js";
import type { World } from "../../world/world.js";
import { Deadlines } from "../deadlines.js";
import type { Appender, Machine } from "../shard.js";
import { checkCommit, checkOffsetDelete, expiredOffsets, type CommitAsk } from "./commit.js";
import { decodeRecord, groupRecord, offsetRecord, type KeyValue, type OffsetValue } from "./group-records.js";
import { checkGroup, groupFromValue, isVacant, joinRefusal, newGroup, syncRefusal, type Answer, type Continuation, type Effect, type Group, type GroupLimits, type GroupValue, type JoinAnswer, type SyncAnswer, type Turn, type Waiter, type Written } from "./group.js";
import { join, type JoinAsk } from "./join.js";
import { heartbeat, leave, onLoaded, onWake, type HeartbeatAsk } from "./membership.js";
import { committed, eachOffset, endTransaction, isBlank, isOpen, newOffsetBook, put, putOpen, type Committed, type OffsetBook } from "./offsets.js";
import { groupError, onWritten, sync, type SyncAsk } from "./sync.js";

export interface Entry {
  group: Group;
  readonly book: OffsetBook;
  queuedGroup: number; // writes queued, not yet appended, that change more than offsets' values
  queuedOffsets: number;
}

export interface CommitItem {
  readonly topic: string;
  readonly partition: number;
  readonly value: OffsetValue;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Tombstones of one write, so that a batch keeps to its size. */
const TOMBSTONES_MAX = 2_000;
/** Requests that wait for an answer in one partition. */
const WAITERS_MAX = 100_000;

export class GroupMachine implements Machine {
  readonly groups = new Map<string, Entry>();
  readonly #openIn = new Map<bigint, Set<string>>(); // groups with commits of an open transaction, by producer id
  readonly #waiters = new Map<Waiter, (answer: Answer) => void>();
  readonly #ends = new Set<() => void>(); // for those who wait for a commit
  readonly #deadlines: Deadlines;
  #nextWaiter = 1;
  #log: Appender | null = null;
  #skipped = 0;

  constructor(readonly world: World, readonly limits: GroupLimits) {
    this.#deadlines = new Deadlines(world.clock);
  }

  /** Called back when the reign ends, until `done` is called. */
  #untilEnd(end: () => void): () => void {
    this.#ends.add(end);
    return () => this.#ends.delete(end);
  }

  // ---- requests

  joinGroup(groupId: string, ask: Omit<JoinAsk, "waiter">, reply: (answer: JoinAnswer) => void): void {
    let entry = this.#settled(groupId);
    if (entry === null) {
      if (ask.memberId !== "") return reply(joinRefusal("UNKNOWN_MEMBER_ID", ask.memberId));
      entry = this.#make(groupId);
    }
    const waiter = this.#wait((answer) => answer.api === "join" && reply(answer));
    if (waiter === null) return reply(joinRefusal("COORDINATOR_LOAD_IN_PROGRESS", ask.memberId));
    this.#turn(entry, (group, turn) => join(group, { ...ask, waiter }, turn));
  }

  syncGroup(groupId: string, ask: Omit<SyncAsk, "waiter">, reply: (answer: SyncAnswer) => void): void {
    const entry = this.#settled(groupId);
    if (entry === null) return reply(syncRefusal("UNKNOWN_MEMBER_ID"));
    const waiter = this.#wait((answer) => answer.api === "sync" && reply(answer));
    if (waiter === null) return reply(syncRefusal("COORDINATOR_LOAD_IN_PROGRESS"));
    this.#turn(entry, (group, turn) => sync(group, { ...ask, waiter }, turn));
  }

  heartbeat(groupId: string, ask: HeartbeatAsk): ErrorName {
    const entry = this.#settled(groupId);
    return entry === null ? "UNKNOWN_MEMBER_ID" : this.#turn(entry, (group, turn) => heartbeat(group, ask, turn));
  }

  leaveGroup(groupId: string, ask: { readonly memberId: string; readonly instanceId: string | null }): ErrorName {
    const entry = this.#settled(groupId);
    return entry === null ? "UNKNOWN_MEMBER_ID" : this.#turn(entry, (group, turn) => leave(group, ask, turn));
  }

  /** `unknown` is the error for a member of a group that does not exist, which differs by version. */
  commitOffsets(groupId: string, ask: CommitAsk & { readonly unknown: ErrorName }, items: readonly CommitItem[], reply: (error: ErrorName) => void): void {
    const waiting = this.groups.get(groupId);
    if (waiting !== undefined && waiting.queuedGroup > 0) this.#writer.flush(); // values of other commits may stay queued: they decide nothing
    let entry = this.groups.get(groupId);
    if (entry === undefined) {
      if (ask.generation >= 0 || ask.memberId !== "") return reply(ask.generation < 0 ? "UNKNOWN_MEMBER_ID" : ask.unknown);
      if (items.length === 0) return reply("NONE");
      entry = this.#make(groupId);
    }
    const error = this.#decide(entry, (group, turn) => checkCommit(group, ask, turn));
    if (error !== "NONE" || items.length === 0) {
      this.#dropIfVacant(entry);
      return reply(error);
    }
    const records = items.map((item) => offsetRecord(groupId, item.topic, item.partition, item.value));
    const into = entry;
    this.#write(into, "offsets", records, {
      reply: (refusal) => reply(refusal === null ? "NONE" : commitError(refusal)),
      appended: (base) => items.forEach((item, i) => put(into.book.topics, item.topic, item.partition, { ...item.value, at: base + i })),
    });
  }

  deleteGroup(groupId: string, reply: (error: ErrorName) => void): void {
    const entry = this.#settled(groupId);
    if (entry === null) return reply("GROUP_ID_NOT_FOUND");
    if (entry.group.state !== "Empty") return reply("NON_EMPTY_GROUP");
    this.#erase(entry, [...eachOffset(entry.book)], true, (refusal) => reply(refusal === null ? "NONE" : groupError(refusal)));
  }

  /** Errors by topic first; what may go is deleted together. */
  deleteOffsets(groupId: string, items: readonly TopicPartition[], reply: (error: ErrorName, each: readonly ErrorName[]) => void): void {
    const entry = this.#settled(groupId);
    if (entry === null) return reply("GROUP_ID_NOT_FOUND", []);
    const { group, book } = entry;
    if (group.state !== "Empty" && group.protocolType !== "consumer") return reply("NON_EMPTY_GROUP", []);
    const each = items.map((item) => checkOffsetDelete(group, item.topic));
    const gone = items.filter((item, i) => each[i] === "NONE" && committed(book, item.topic, item.partition) !== null);
    this.#erase(entry, gone, false, (refusal) => (refusal === null ? reply("NONE", each) : reply(groupError(refusal), [])));
  }

  // ---- reads: of what is applied; the caller waits until that is committed before it tells anybody

  find(groupId: string): Entry | null {
    return this.groups.get(groupId) ?? null;
  }

  readOffset(groupId: string, topic: string, partition: number): { readonly value: Committed | null; readonly open: boolean } {
    const book = this.groups.get(groupId)?.book;
    if (book === undefined) return { value: null, open: false };
    return { value: committed(book, topic, partition), open: book.open.size > 0 && isOpen(book, topic, partition) };
  }

  // ---- housekeeping

  /**
   * Tombstones for what has lain long enough in this group, and for the group itself when nothing is left of it.
   * @returns true when there may be more: a turn takes a limited number
   */
  expire(groupId: string, options: { readonly wallMs: number; readonly retentionMs: number }): boolean {
    const entry = this.#settled(groupId);
    if (entry === null) return false;
    const expired = expiredOffsets(entry.group, entry.book, { ...options, max: TOMBSTONES_MAX });
    const remain = expired.length < countOffsets(entry.book) || entry.book.open.size > 0;
    const { group } = entry;
    const over = !remain && group.state === "Empty" && group.pending.size === 0;
    if (expired.length === 0 && !over) return false;
    this.#erase(entry, expired, over, () => undefined);
    return expired.length === TOMBSTONES_MAX;
  }

  /** A deleted topic's offsets go: a topic that is made again under the name must not inherit them. */
  forgetTopics(deleted: ReadonlyMap<Uuid, string>): void {
    for (const entry of [...this.groups.values()]) {
      const gone: TopicPartition[] = [];
      for (const [id, topic] of deleted) {
        for (const [partition, value] of entry.book.topics.get(topic) ?? []) if (value.topicId === id || value.topicId === null) gone.push({ topic, partition });
      }
      if (gone.length > 0) this.#erase(entry, gone, false, () => undefined);
    }
  }

  inspect(): { readonly groups: number; readonly waiters: number; readonly deadlines: number; readonly skipped: number } {
    return { groups: this.groups.size, waiters: this.#waiters.size, deadlines: this.#deadlines.count, skipped: this.#skipped };
  }

  // ---- the log's side

  replay(record: { readonly offset: number; readonly key: Uint8Array; readonly value: Uint8Array | null }, producerId: bigint | null): void {
    let read;
    try {
      read = decodeRecord(record.key, record.value, record.offset);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#skipped++; // somebody produced it here; the groups are not to suffer
      return;
    }
    if (read.kind === "other") return;
    const entry = this.groups.get(read.group) ?? this.#make(read.group);
    if (read.kind === "group") {
      entry.group = read.value === null ? newGroup(read.group, -1) : groupFromValue(read.group, read.value);
    } else if (producerId === null) {
      put(entry.book.topics, read.topic, read.partition, read.value);
    } else if (read.value !== null) {
      putOpen(entry.book, producerId, read.topic, read.partition, read.value);
      const open = this.#openIn.get(producerId);
      if (open === undefined) this.#openIn.set(producerId, new Set([read.group]));
      else open.add(read.group);
    }
    if (read.value === null) this.#dropIfVacant(entry);
  }

  replayMarker(producerId: bigint, result: "commit" | "abort"): void {
    for (const groupId of this.#openIn.get(producerId) ?? []) {
      const entry = this.groups.get(groupId);
      if (entry === undefined) continue;
      endTransaction(entry.book, producerId, result);
      this.#dropIfVacant(entry);
    }
    this.#openIn.delete(producerId);
  }

  onLoaded(log: Appender): void {
    this.#log = log;
    if (this.#skipped > 0) this.world.logger.warn({ records: this.#skipped }, "records in the offsets topic that nobody can read were skipped");
    for (const entry of [...this.groups.values()]) if (entry.group.members.size > 0) this.#turn(entry, onLoaded);
  }

  onClosed(): void {
    this.#deadlines.close();
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const reply of waiters) {
      reply(joinRefusal("NOT_COORDINATOR", ""));
      reply(syncRefusal("NOT_COORDINATOR"));
    }
    const ends = [...this.#ends];
    this.#ends.clear();
    for (const end of ends) end();
  }

  // ---- inside

  get #writer(): Appender {
    assert(this.#log !== null, "nothing is asked of a partition that is not loaded");
    return this.#log;
  }

  #make(groupId: string): Entry {
    const entry: Entry = { group: newGroup(groupId, this.#log === null ? -1 : this.world.clock.wallMs()), book: newOffsetBook(), queuedGroup: 0, queuedOffsets: 0 };
    this.groups.set(groupId, entry);
    return entry;
  }

  /** The group with nothing queued. */
  #settled(groupId: string): Entry | null {
    const entry = this.groups.get(groupId);
    if (entry === undefined) return null;
    if (entry.queuedGroup + entry.queuedOffsets === 0) return entry;
    this.#writer.flush();
    return this.groups.get(groupId) ?? null;
  }

  #dropIfVacant(entry: Entry): void {
    if (!isVacant(entry.group) || !isBlank(entry.book) || entry.queuedGroup + entry.queuedOffsets > 0) return;
    if (this.groups.get(entry.group.id) === entry) this.groups.delete(entry.group.id);
  }

  #wait(reply: (answer: Answer) => void): Waiter | null {
    if (this.#waiters.size >= WAITERS_MAX) return null;
    const waiter = this.#nextWaiter++;
    this.#waiters.set(waiter, reply);
    return waiter;
  }

  #turn<Result>(entry: Entry, decide: (group: Group, turn: Turn) => Result): Result {
    const result = this.#decide(entry, decide);
    this.#dropIfVacant(entry);
    return result;
  }

  #decide<Result>(entry: Entry, decide: (group: Group, turn: Turn) => Result): Result {
    const turn: Turn = { nowMs: this.world.clock.nowMs(), wallMs: this.world.clock.wallMs(), limits: this.limits, effects: [] };
    const result = decide(entry.group, turn);
    for (const effect of turn.effects) this.#perform(entry, effect);
    checkGroup(entry.group);
    return result;
  }

  #perform(entry: Entry, effect: Effect): void {
    switch (effect.do) {
      case "answer": {
        const reply = this.#waiters.get(effect.to);
        if (reply === undefined) return; // answered already: the write was late
        this.#waiters.delete(effect.to);
        if (this.#writer.leading) return reply(effect.answer);
        return reply(effect.answer.api === "join" ? joinRefusal("NOT_COORDINATOR", "") : syncRefusal("NOT_COORDINATOR"));
      }
      case "wake": {
        const { id } = entry.group;
        this.#deadlines.at(effect.atMs, () => {
          if (!this.#writer.leading) return;
          const woken = this.#settled(id);
          if (woken !== null) this.#turn(woken, (group, turn) => onWake(group, effect.memberId, turn));
        });
        return;
      }
      case "write":
        return this.#writeGroup(entry, effect.value, effect.then);
      default:
        return unreachable(effect);
    }
  }

  #writeGroup(entry: Entry, value: GroupValue, then: Continuation): void {
    const tell = (written: Written) => void this.#turn(entry, (group, turn) => onWritten(group, then, written, turn));
    entry.queuedGroup++;
    this.#writer.write({
      records: [groupRecord(entry.group.id, value)],
      refused: (error) => {
        entry.queuedGroup--;
        tell({ outcome: "refused", error });
      },
      appended: () => entry.queuedGroup--,
      late: () => tell({ outcome: "late" }),
      committed: () => tell({ outcome: "committed" }),
    });
  }

  /** Writes, applies once appended, and replies once: null when committed, else why not. */
  #write(entry: Entry, kind: "offsets" | "group", records: readonly KeyValue[], on: { readonly reply: (refusal: ErrorName | null) => void; readonly appended: (base: number) => void }): void {
    let answered = false;
    const forget = this.#untilEnd(() => answer("NOT_LEADER_OR_FOLLOWER"));
    const answer = (refusal: ErrorName | null) => {
      if (answered) return;
      answered = true;
      forget();
      on.reply(refusal);
    };
    const unqueue = () => (kind === "offsets" ? entry.queuedOffsets-- : entry.queuedGroup--);
    if (kind === "offsets") entry.queuedOffsets++;
    else entry.queuedGroup++;
    this.#writer.write({
      records,
      refused: (error) => {
        unqueue();
        this.#dropIfVacant(entry);
        answer(error);
      },
      appended: (base) => {
        unqueue();
        on.appended(base);
        this.#dropIfVacant(entry);
      },
      late: () => answer("REQUEST_TIMED_OUT"),
      committed: () => answer(null),
    });
  }

  /** Tombstones for offsets, and for the group too if it is over; in several writes where they are many. */
  #erase(entry: Entry, gone: readonly TopicPartition[], whole: boolean, reply: (refusal: ErrorName | null) => void): void {
    const { id } = entry.group;
    if (gone.length === 0 && !whole) return reply(null);
    let first: ErrorName | null = null;
    for (let from = 0; ; from += TOMBSTONES_MAX) {
      const some = gone.slice(from, from + TOMBSTONES_MAX);
      const last = from + TOMBSTONES_MAX >= gone.length;
      const records = some.map((item) => offsetRecord(id, item.topic, item.partition, null));
      if (last && whole) records.push(groupRecord(id, null));
      this.#write(entry, "group", records, {
        reply: (refusal) => {
          first ??= refusal;
          if (last) reply(first);
        },
        appended: () => {
          for (const item of some) put(entry.book.topics, item.topic, item.partition, null);
          if (last && whole && this.groups.get(id) === entry) this.groups.delete(id);
        },
      });
      if (last) return;
    }
  }
}

function countOffsets(book: OffsetBook): number {
  let count = 0;
  for (const partitions of book.topics.values()) count += partitions.size;
  return count;
}

/** What a committing client is told of a log that refused its offsets. */
function commitError(error: ErrorName): ErrorName {
  const told = groupError(error);
  return told === "UNKNOWN_SERVER_ERROR" ? "INVALID_COMMIT_OFFSET_SIZE" : told;
}

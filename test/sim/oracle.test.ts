import { describe, expect, test } from "vitest";
import { type AdminWork, type Commit, type Entry, FOREIGN, type Partition, type Poll, valueOf, type Write, type Writer } from "../../src/sim/oracle/history.js";
import { Oracle, RULES } from "../../src/sim/oracle/oracle.js";
import { outcomeOf, outcomeOfAll } from "../../src/sim/oracle/outcomes.js";
import type { Terms } from "../../src/sim/oracle/rule.js";
import { errorCode } from "../../src/protocol/errors.js";

type Done = "ok" | "fail" | "info";

/** Tells a history in few words; time moves on by a millisecond with each. */
class Tale {
  readonly violations: string[] = [];
  readonly points: string[] = [];
  readonly oracle: Oracle;
  nowMs = 0;
  readonly p: Partition;
  readonly q: Partition;
  #writers = 0;

  constructor(terms: Partial<Terms> = {}) {
    this.oracle = new Oracle({
      terms: { mayLose: () => false, hasRetention: () => false, producerExpiryMs: 86_400_000, offsetsExpiryMs: 86_400_000, ...terms },
      violate: (rule) => void this.violations.push(rule),
      sometimes: (point) => void this.points.push(point),
    });
    this.p = this.oracle.seen.partition("t", "id-t", 0);
    this.q = this.oracle.seen.partition("t", "id-t", 1);
  }

  add(entry: Entry): void {
    this.oracle.add(entry);
  }

  tick(): number {
    return ++this.nowMs;
  }

  writer(options: Partial<Writer> = {}): Writer {
    return { number: ++this.#writers, client: `w${this.#writers}`, idempotent: true, perBatch: 1, writes: [], ...options };
  }

  begin(writer: Writer, options: { readonly acks?: 0 | 1 | -1; readonly partition?: Partition; readonly count?: number; readonly attempts?: number; readonly epoch?: number } = {}): Write {
    const partition = options.partition ?? this.p;
    const before = writer.writes.filter((one) => one.partition === partition).at(-1) ?? null;
    const write: Write = { writer, index: writer.writes.length, partition, count: options.count ?? 1, acks: options.acks ?? -1, invokedMs: this.tick(), before, attempts: options.attempts ?? 1, unknowns: 0, epoch: options.epoch ?? 1, sentMs: this.nowMs, outcome: "open", endedMs: this.nowMs, why: "", offset: -1, places: [] };
    writer.writes.push(write);
    this.add({ f: "write", type: "invoke", atMs: this.nowMs, write });
    return write;
  }

  end(write: Write, type: Done, offset = -1): Write {
    write.outcome = type;
    write.endedMs = this.tick();
    write.offset = offset;
    this.add({ f: "write", type, atMs: this.nowMs, write });
    return write;
  }

  write(writer: Writer, offset: number, options: Parameters<Tale["begin"]>[1] = {}): Write {
    return this.end(this.begin(writer, options), "ok", offset);
  }

  /** Values from `position` on. */
  poll(position: number, values: readonly number[], options: Partial<Poll> = {}): void {
    const offsets = values.map((_, i) => position + i);
    const last = values.length === 0 ? -1 : position + values.length - 1;
    const poll: Poll = { reader: "r", partition: this.p, position, epoch: 1, invokedMs: this.tick(), offsets, values, last, batchEpoch: values.length === 0 ? -1 : 1, highWatermark: Math.max(last + 1, position), logStart: 0, damage: null, ...options };
    this.add({ f: "poll", atMs: this.tick(), poll });
  }

  final(values: readonly number[], options: { readonly start?: number; readonly epoch?: number; readonly end?: number } = {}): void {
    const start = options.start ?? 0;
    this.add({ f: "final-log", atMs: this.tick(), log: { partition: this.p, epoch: options.epoch ?? 1, start, end: options.end ?? start + values.length, values } });
  }

  ends(end: number, options: { readonly epoch?: number; readonly fetched?: boolean; readonly invokedMs?: number } = {}): void {
    const invokedMs = options.invokedMs ?? this.tick();
    this.add({ f: "end", atMs: this.tick(), shown: { reader: "r", partition: this.p, epoch: options.epoch ?? 1, invokedMs, end, fetched: options.fetched ?? false } });
  }

  assigned(name: string, generation: number, partitions: readonly Partition[], options: { readonly joinedMs?: number; readonly instance?: string } = {}): void {
    const invokedMs = this.tick();
    this.add({ f: "assigned", atMs: this.tick(), assigned: { member: { group: "g", name }, memberId: `id of ${name}`, instance: options.instance ?? null, generation, joinedMs: options.joinedMs ?? invokedMs, invokedMs, partitions } });
  }

  commits(offset: number, generation: number, name = "m"): Commit {
    const commit: Commit = { member: { group: "g", name }, generation, partition: this.p, offset, invokedMs: this.tick(), outcome: "open", endedMs: 0, why: "" };
    this.add({ f: "commit", type: "invoke", atMs: this.nowMs, commit });
    return commit;
  }

  committed(commit: Commit, type: Done): void {
    commit.outcome = type;
    commit.endedMs = this.tick();
    this.add({ f: "commit", type, atMs: this.nowMs, commit });
  }

  reads(offset: number, invokedMs = this.tick()): void {
    this.add({ f: "committed", atMs: this.tick(), shown: { member: { group: "g", name: "m" }, partition: this.p, invokedMs, offset } });
  }

  memberPolled(from: number, to: number): void {
    this.add({ f: "member-polled", atMs: this.tick(), member: { group: "g", name: "m" }, partition: this.p, from, to });
  }

  admin(work: AdminWork, type: Done = "ok"): void {
    const op = { client: "a", work, invokedMs: this.tick(), outcome: type, endedMs: this.nowMs, why: "" };
    this.add({ f: "admin", type: "invoke", atMs: this.nowMs, op });
    this.add({ f: "admin", type, atMs: this.tick(), op });
  }

  metadata(topics: readonly { readonly name: string; readonly id: string; readonly epochs?: readonly number[] }[], options: { readonly unknown?: readonly string[]; readonly broker?: string; readonly final?: boolean; readonly invokedMs?: number } = {}): void {
    const invokedMs = options.invokedMs ?? this.tick();
    const shown = topics.map(({ name, id, epochs }) => ({ name, id, partitions: (epochs ?? [1]).map((epoch, index) => ({ index, leader: 1, epoch })) }));
    this.add({ f: "metadata", atMs: this.tick(), shown: { client: "c", broker: options.broker ?? "n1#1", invokedMs, topics: shown, unknown: options.unknown ?? [], final: options.final ?? false } });
  }
}

const v = (writer: Writer, counter: number) => valueOf(writer.number, counter);

/** Histories by rule: `breaks` are found by that rule, among others perhaps; `holds` by none at all. */
const TALES: { readonly [rule: string]: { readonly breaks: readonly ((t: Tale) => void)[]; readonly holds: readonly ((t: Tale) => void)[]; readonly excused?: readonly [Partial<Terms>, (t: Tale) => void][] } } = {
  "lost-write": {
    breaks: [
      (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.write(w, 1);
        t.final([v(w, 0)]);
      },
      (t) => {
        const w = t.writer({ perBatch: 3 });
        t.write(w, 0, { count: 3 });
        t.final([v(w, 0), v(w, 1)]);
      },
      (t) => {
        const w = t.writer({ idempotent: false });
        t.write(w, 0, { acks: 1, epoch: 4 });
        t.final([], { epoch: 4 });
      },
    ],
    holds: [
      (t) => {
        const w = t.writer({ perBatch: 2 });
        t.write(w, 0, { count: 2 });
        t.end(t.begin(w), "info");
        t.poll(0, [v(w, 0), v(w, 1)]);
        t.final([v(w, 0), v(w, 1)]);
      },
      (t) => {
        const w = t.writer({ idempotent: false });
        t.write(w, 0, { acks: 1, epoch: 4 }); // only a newer leader may lack it
        t.end(t.begin(w, { acks: 0 }), "info");
        t.final([], { epoch: 5 });
        expect(t.points).toEqual(["a record of acks=1 was lost with its leader"]);
      },
    ],
    excused: [
      [{ mayLose: () => true }, (t) => {
        t.write(t.writer(), 0);
        t.final([]);
      }],
      [{ hasRetention: () => true }, (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.write(w, 1);
        t.final([v(w, 1)], { start: 1 });
      }],
    ],
  },
  "log-start": {
    breaks: [
      (t) => t.final([], { start: 5 }),
      (t) => t.add({ f: "start", atMs: t.tick(), shown: { reader: "r", partition: t.p, invokedMs: t.nowMs, epoch: 1, start: 1 } }),
      (t) => {
        t.admin({ kind: "trim", partition: t.p, offset: 3, lowWatermark: 3 });
        t.final([], { start: 2 });
      },
      (t) => t.admin({ kind: "trim", partition: t.p, offset: 3, lowWatermark: 2 }),
    ],
    holds: [
      (t) => {
        t.admin({ kind: "trim", partition: t.p, offset: 3, lowWatermark: 3 });
        t.admin({ kind: "trim", partition: t.p, offset: 6, lowWatermark: -1 }, "info");
        t.final([], { start: 6 });
      },
    ],
    excused: [[{ hasRetention: () => true }, (t) => t.final([], { start: 5 })]],
  },
  duplicate: {
    breaks: [
      (t) => {
        const w = t.writer();
        t.write(w, 0, { attempts: 3 });
        t.poll(0, [v(w, 0), v(w, 0)]);
      },
      (t) => {
        const w = t.writer({ idempotent: false });
        t.end(t.begin(w, { attempts: 2 }), "info");
        t.poll(0, [v(w, 0), v(w, 0), v(w, 0)]);
      },
    ],
    holds: [
      (t) => {
        const w = t.writer({ idempotent: false });
        t.write(w, 1, { attempts: 2 });
        t.poll(0, [v(w, 0), v(w, 0)]);
        t.poll(0, [v(w, 0), v(w, 0)]);
        t.final([v(w, 0), v(w, 0)]);
      },
    ],
  },
  "inconsistent-offsets": {
    breaks: [
      (t) => {
        const [a, b] = [t.writer(), t.writer()];
        t.end(t.begin(a), "info");
        t.end(t.begin(b), "info");
        t.poll(0, [v(a, 0)]);
        t.poll(0, [v(b, 0)]);
      },
      (t) => {
        const w = t.writer();
        t.write(w, 1);
        const other = t.writer();
        t.end(t.begin(other), "info");
        t.poll(0, [v(w, 0), v(other, 0)]);
      },
      (t) => {
        const w = t.writer();
        const write = t.begin(w);
        t.poll(0, [v(w, 0)]);
        t.end(write, "ok", 7); // told after it was seen
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.poll(0, [v(w, 0)]);
        t.poll(0, [v(w, 0)], { reader: "another" });
      },
    ],
  },
  reordered: {
    breaks: [
      (t) => {
        const w = t.writer();
        t.end(t.begin(w), "info");
        t.end(t.begin(w), "info");
        t.poll(0, [v(w, 1)]);
        t.poll(1, [v(w, 0)]);
        t.final([v(w, 1), v(w, 0)]);
      },
      (t) => {
        const w = t.writer();
        t.end(t.begin(w), "info");
        t.end(t.begin(w), "info");
        t.poll(0, [v(w, 1)]); // the batch before it is nowhere
        t.final([v(w, 1)]);
      },
      (t) => {
        const w = t.writer();
        for (let i = 0; i < 3; i++) t.end(t.begin(w), "info");
        t.poll(0, [v(w, 1), v(w, 0), v(w, 2)]);
        t.final([v(w, 1), v(w, 0), v(w, 2)]);
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        for (let i = 0; i < 4; i++) t.end(t.begin(w, { partition: i % 2 === 0 ? t.p : t.q }), "info");
        t.poll(0, [v(w, 0), v(w, 2)]);
        t.poll(0, [v(w, 1), v(w, 3)], { partition: t.q });
        t.final([v(w, 0), v(w, 2)]);
      },
      (t) => {
        const w = t.writer({ idempotent: false });
        t.write(w, 1);
        t.write(w, 0);
        t.poll(0, [v(w, 1), v(w, 0)]);
        t.final([v(w, 1), v(w, 0)]);
      },
    ],
  },
  "refused-write-present": {
    breaks: [
      (t) => {
        const w = t.writer();
        t.end(t.begin(w), "fail");
        t.poll(0, [v(w, 0)]);
      },
      (t) => {
        const w = t.writer();
        const write = t.begin(w);
        t.poll(0, [v(w, 0)]);
        t.end(write, "fail");
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        t.end(t.begin(w), "fail");
        t.end(t.begin(t.writer()), "info");
        t.poll(0, [valueOf(2, 0)]);
      },
    ],
  },
  "poll-skip": {
    breaks: [
      (t) => {
        const w = t.writer();
        for (let i = 0; i < 3; i++) t.write(w, i);
        t.poll(0, [v(w, 0), v(w, 2)], { offsets: [0, 2], last: 2 });
      },
      (t) => {
        const w = t.writer();
        for (let i = 0; i < 3; i++) t.write(w, i);
        t.poll(1, [v(w, 2)], { offsets: [2], last: 2 });
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        for (let i = 0; i < 3; i++) t.write(w, i);
        t.poll(1, [v(w, 1), v(w, 2)]);
        t.poll(3, []);
      },
    ],
  },
  "nonmonotonic-poll": {
    breaks: [(t) => t.poll(5, [], { last: 3, batchEpoch: 1 }), (t) => {
      const w = t.writer({ perBatch: 2 });
      t.end(t.begin(w, { count: 2 }), "info");
      t.poll(0, [v(w, 1), v(w, 0)], { offsets: [1, 0], last: 1 });
    }],
    holds: [(t) => t.poll(5, [])],
  },
  "visible-then-gone": {
    breaks: [
      (t) => t.add({ f: "out-of-range", atMs: t.tick(), refused: { reader: "r", partition: t.p, epoch: 2, invokedMs: t.nowMs, position: 9, start: 0 } }),
      (t) => {
        const w = t.writer();
        t.end(t.begin(w), "info");
        t.poll(0, [v(w, 0)]);
        t.final([]);
      },
    ],
    holds: [
      (t) => {
        t.admin({ kind: "trim", partition: t.p, offset: 12, lowWatermark: 12 });
        t.add({ f: "out-of-range", atMs: t.tick(), refused: { reader: "r", partition: t.p, epoch: 2, invokedMs: t.nowMs, position: 9, start: 12 } });
        t.final([], { start: 12 });
      },
    ],
  },
  "end-goes-back": {
    breaks: [
      (t) => {
        t.ends(10);
        t.ends(9);
      },
      (t) => {
        t.ends(10, { fetched: true });
        t.ends(9, { fetched: true });
      },
      (t) => {
        t.ends(10, { epoch: 1, fetched: true });
        t.ends(9, { epoch: 2 }); // OFFSET_NOT_AVAILABLE it should have said
      },
    ],
    holds: [
      (t) => {
        t.ends(10, { epoch: 2 });
        t.ends(9, { epoch: 1 }); // an old leader
        t.ends(8, { epoch: 3, fetched: true }); // a new one that does not know yet
        t.ends(10, { epoch: 2, invokedMs: t.nowMs });
        const invokedMs = t.tick();
        t.ends(12, { epoch: 2 });
        t.ends(11, { epoch: 2, invokedMs }); // asked before the other was told
      },
    ],
  },
  unseen: {
    breaks: [
      (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.final([v(w, 0)]);
        t.add({ f: "final-position", atMs: t.tick(), at: { reader: "r", partition: t.p, position: 0 } });
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.final([v(w, 0)]);
        t.add({ f: "final-position", atMs: t.tick(), at: { reader: "r", partition: t.p, position: 1 } });
      },
    ],
  },
  "bad-bytes": {
    breaks: [
      (t) => t.poll(0, [FOREIGN]),
      (t) => t.poll(0, [valueOf(77, 0)]), // nobody wrote it
      (t) => t.poll(0, [], { damage: "a checksum" }),
      (t) => {
        const w = t.writer();
        t.write(w, 0, { partition: t.q });
        t.poll(0, [v(w, 0)]);
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        t.write(w, 0, { partition: t.q });
        t.poll(0, [v(w, 0)], { partition: t.q });
      },
    ],
  },
  "deleted-data": {
    breaks: [
      (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.poll(0, [v(w, 0)], { partition: t.oracle.seen.partition("t", "another id", 0) });
      },
    ],
    holds: [
      (t) => {
        const w = t.writer();
        const partition = t.oracle.seen.partition("t", "another id", 0);
        t.write(w, 0, { partition });
        t.poll(0, [v(w, 0)], { partition });
      },
    ],
  },
  "sequence-forgotten": {
    breaks: [
      (t) => {
        const w = t.writer();
        t.write(w, 0);
        t.add({ f: "sequence-broken", atMs: t.tick(), write: t.begin(w) });
      },
      (t) => t.add({ f: "sequence-broken", atMs: t.tick(), write: t.begin(t.writer()) }),
    ],
    holds: [
      (t) => {
        const w = t.writer();
        t.end(t.begin(w), "info");
        t.add({ f: "sequence-broken", atMs: t.tick(), write: t.begin(w) });
        const one = t.writer();
        t.write(one, 0, { acks: 1 });
        t.add({ f: "sequence-broken", atMs: t.tick(), write: t.begin(one, { acks: 1 }) });
      },
    ],
    excused: [[{ producerExpiryMs: 2 }, (t) => {
      const w = t.writer();
      t.write(w, 0);
      t.nowMs += 100;
      t.add({ f: "sequence-broken", atMs: t.tick(), write: t.begin(w) });
    }]],
  },
  "group-owner": {
    breaks: [
      (t) => {
        t.assigned("m1", 3, [t.p]);
        t.assigned("m2", 3, [t.p, t.q]);
      },
    ],
    holds: [
      (t) => {
        t.assigned("m1", 3, [t.p]);
        t.assigned("m2", 3, [t.q]);
        t.assigned("m1", 3, [t.p]);
        t.assigned("m2", 4, [t.p, t.q]);
        t.assigned("m3", 5, [t.p], { instance: "i" });
        t.assigned("m4", 5, [t.p], { instance: "i" }); // came back
      },
    ],
  },
  "generation-back": {
    breaks: [
      (t) => {
        t.memberPolled(0, 5);
        t.assigned("m1", 3, []);
        t.committed(t.commits(1, 3), "ok");
        t.assigned("m2", 2, []);
      },
    ],
    holds: [
      (t) => {
        t.memberPolled(0, 5);
        const joinedMs = t.tick();
        t.assigned("m1", 3, []);
        t.committed(t.commits(1, 3), "ok");
        t.assigned("m2", 2, [], { joinedMs });
        t.assigned("m2", 3, []);
        t.assigned("m2", 4, []);
      },
      (t) => {
        t.assigned("m1", 3, []); // an empty group without offsets is forgotten
        t.assigned("m1", 1, []);
      },
    ],
  },
  "old-generation-commit": {
    breaks: [
      (t) => {
        t.memberPolled(0, 5);
        t.assigned("m1", 3, []);
        t.assigned("m2", 4, []);
        t.committed(t.commits(1, 3), "ok");
      },
    ],
    holds: [
      (t) => {
        t.memberPolled(0, 5);
        t.assigned("m1", 3, []);
        const commit = t.commits(1, 3);
        t.assigned("m2", 4, []);
        t.committed(commit, "ok"); // it was asked for before
        t.committed(t.commits(2, 3), "fail");
        t.committed(t.commits(2, 4), "ok");
      },
    ],
  },
  "committed-offset": {
    breaks: [
      (t) => {
        t.memberPolled(0, 9);
        t.committed(t.commits(5, 1), "ok");
        t.reads(-1);
      },
      (t) => {
        t.memberPolled(0, 9);
        t.committed(t.commits(5, 1), "ok");
        t.committed(t.commits(6, 1), "ok");
        t.reads(5);
      },
      (t) => {
        t.memberPolled(0, 9);
        t.committed(t.commits(5, 1), "fail");
        t.reads(5);
      },
      (t) => {
        t.memberPolled(0, 9);
        t.committed(t.commits(4, 1), "info");
        t.assigned("m2", 2, []);
        t.committed(t.commits(5, 2), "ok"); // the old generation's can come no more
        t.reads(4);
      },
      (t) => t.reads(0),
    ],
    holds: [
      (t) => {
        t.memberPolled(0, 9);
        t.reads(-1);
        t.committed(t.commits(5, 1), "ok");
        t.reads(5);
        t.committed(t.commits(4, 1), "ok"); // lower, for somebody committed lower
        t.reads(4);
        const unknown = t.commits(8, 1);
        t.committed(unknown, "info");
        t.reads(4);
        t.reads(8);
        const under = t.commits(9, 1);
        t.reads(9);
        const invokedMs = t.tick();
        t.committed(under, "ok");
        t.reads(4, invokedMs); // asked before it was acknowledged
        t.reads(8); // late
      },
    ],
    excused: [[{ offsetsExpiryMs: 10 }, (t) => {
      t.memberPolled(0, 9);
      t.committed(t.commits(5, 1), "ok");
      t.nowMs += 100;
      t.reads(-1);
    }]],
  },
  "commit-unread": {
    breaks: [
      (t) => {
        t.memberPolled(0, 5);
        t.commits(6, 1);
      },
      (t) => {
        t.memberPolled(0, 5);
        t.memberPolled(6, 7); // a record of nobody's
      },
    ],
    holds: [
      (t) => {
        t.memberPolled(0, 5);
        t.memberPolled(3, 7);
        t.commits(7, 1);
        t.commits(2, 1);
      },
    ],
  },
  "topic-gone": {
    breaks: [
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.metadata([{ name: "x", id: "1" }]);
        t.metadata([], { unknown: ["x"] });
      },
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.metadata([], { unknown: ["x"], final: true });
      },
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.admin({ kind: "grow", topic: "x", topicId: "1", partitions: 2 });
        t.metadata([{ name: "x", id: "1" }], { final: true });
      },
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.admin({ kind: "delete", topic: "x", topicId: "1" });
        t.metadata([{ name: "x", id: "1" }], { final: true });
      },
    ],
    holds: [
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.metadata([], { unknown: ["x"] }); // not yet
        t.metadata([{ name: "x", id: "1" }]);
        t.metadata([], { unknown: ["x"], broker: "n2#1" });
        t.admin({ kind: "delete", topic: "x", topicId: "1" }, "info");
        t.metadata([], { unknown: ["x"] });
        t.admin({ kind: "create", topic: "x", topicId: "2", partitions: 2 });
        t.metadata([{ name: "x", id: "2", epochs: [1, 1] }], { final: true });
      },
    ],
  },
  "topic-id-reused": {
    breaks: [
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.admin({ kind: "delete", topic: "x", topicId: "1" });
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
      },
      (t) => t.metadata([{ name: "x", id: "1" }, { name: "y", id: "1" }]),
    ],
    holds: [
      (t) => {
        t.admin({ kind: "create", topic: "x", topicId: "1", partitions: 1 });
        t.admin({ kind: "delete", topic: "x", topicId: "1" });
        t.admin({ kind: "create", topic: "x", topicId: "2", partitions: 1 });
        t.metadata([{ name: "x", id: "2" }, { name: "y", id: "3" }]);
      },
    ],
  },
  "metadata-back": {
    breaks: [
      (t) => {
        t.metadata([{ name: "x", id: "1", epochs: [3, 4] }]);
        t.metadata([{ name: "x", id: "1", epochs: [3, 3] }]);
      },
      (t) => {
        t.metadata([{ name: "x", id: "1" }]);
        t.metadata([], { unknown: ["x"] });
        t.metadata([{ name: "x", id: "1" }]);
      },
      (t) => {
        t.metadata([{ name: "x", id: "1" }]);
        t.metadata([{ name: "x", id: "2" }]);
        t.metadata([{ name: "x", id: "1" }]);
      },
    ],
    holds: [
      (t) => {
        const invokedMs = t.tick();
        t.metadata([{ name: "x", id: "1", epochs: [3] }]);
        t.metadata([{ name: "x", id: "1", epochs: [2] }], { invokedMs }); // both were under way
        t.metadata([{ name: "x", id: "1", epochs: [2] }], { broker: "n2#1" });
        t.metadata([{ name: "x", id: "1", epochs: [2] }], { broker: "n1#2" });
        t.metadata([], { unknown: ["x"] });
        t.metadata([{ name: "x", id: "2", epochs: [0] }]);
      },
    ],
  },
};

describe("each rule finds what breaks it, and nothing else", () => {
  const names = new Tale().oracle.rules.map(({ name }) => name);

  test("every rule has its histories", () => {
    expect(Object.keys(TALES).sort()).toEqual([...names].sort());
    expect(RULES.length).toBe(names.length);
  });

  for (const [rule, { breaks, holds, excused }] of Object.entries(TALES)) {
    breaks.forEach((tell, i) => {
      test(`${rule} is found to be broken (${i + 1})`, () => {
        const tale = new Tale();
        tell(tale);
        expect(tale.violations).toContain(rule);
      });
    });
    holds.forEach((tell, i) => {
      test(`${rule} holds (${i + 1})`, () => {
        const tale = new Tale();
        tell(tale);
        expect(tale.violations).toEqual([]);
      });
    });
    excused?.forEach(([terms, tell], i) => {
      test(`${rule}: what the terms of a run excuse is no violation, and else it is (${i + 1})`, () => {
        const excusing = new Tale(terms);
        tell(excusing);
        expect(excusing.violations).toEqual([]);
        const strict = new Tale();
        tell(strict);
        expect(strict.violations.length).toBeGreaterThan(0);
      });
    });
  }
});

describe("outcomes", () => {
  test("a definite refusal fails; whatever a broker may say of what it has appended is unknown", () => {
    const of = (subject: "produce" | "commit" | "admin", name: Parameters<typeof errorCode>[0]) => outcomeOf(subject, errorCode(name));
    expect(of("produce", "NONE")).toBe("ok");
    expect(of("produce", "NOT_ENOUGH_REPLICAS")).toBe("fail");
    expect(of("produce", "OUT_OF_ORDER_SEQUENCE_NUMBER")).toBe("fail");
    for (const name of ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "REQUEST_TIMED_OUT", "NOT_LEADER_OR_FOLLOWER", "KAFKA_STORAGE_ERROR", "UNKNOWN_SERVER_ERROR"] as const) expect(of("produce", name)).toBe("info");
    expect(of("commit", "ILLEGAL_GENERATION")).toBe("fail");
    expect(of("commit", "NOT_COORDINATOR")).toBe("info");
    expect(of("admin", "TOPIC_ALREADY_EXISTS")).toBe("fail");
    expect(of("admin", "REQUEST_TIMED_OUT")).toBe("info");
  });

  test("an operation that was tried several times is refused only if every try was", () => {
    expect(outcomeOfAll({ attempts: 3, unknowns: 0 })).toBe("fail");
    expect(outcomeOfAll({ attempts: 3, unknowns: 1 })).toBe("info");
  });
});

test("a history is written as one line of JSON an entry, with what was known at its time", () => {
  const tale = new Tale();
  const writer = tale.writer();
  tale.write(writer, 3);
  tale.poll(3, [v(writer, 0)]);
  const lines = [...tale.oracle.history.lines()].map((line) => JSON.parse(line) as { readonly f: string; readonly type?: string; readonly offset?: number; readonly values?: readonly string[] });
  expect(lines.map(({ f, type }) => `${f} ${type ?? ""}`)).toEqual(["write invoke", "write ok", "poll "]);
  expect(lines[0]?.offset).toBeUndefined();
  expect(lines[1]?.offset).toBe(3);
  expect(lines[2]?.values).toEqual(["1.0"]);
});

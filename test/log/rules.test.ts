/** The pure parts: producers, epochs, retention, indexes, lane, scheduler, pools. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BufferPool } from "../../src/base/buffer-pool.js";
import { Coalesced } from "../../src/log/coalesced.js";
import { Epochs } from "../../src/log/epochs.js";
import { asideName, isStray, parseFolderName } from "../../src/log/names.js";
import { OffsetIndex } from "../../src/log/offset-index.js";
import { decodeSnapshot, encodeBatches, encodeSnapshot, restoreBatches } from "../../src/log/producer-snapshot.js";
import { Producers, addSequence, firstSequence } from "../../src/log/producers.js";
import { expiredSegments } from "../../src/log/retention.js";
import { FileSyncScheduler, type SyncTarget } from "../../src/log/sync-scheduler.js";
import { TimeIndex } from "../../src/log/time-index.js";
import { readBatchHeader, type BatchHeader } from "../../src/records/batch.js";
import { batch, turns } from "./world.js";

const MAX = 0x7fffffff;

function sent(sequence: number, count: number, epoch: number, at: number, more: Partial<BatchHeader> = {}): BatchHeader {
  const header = readBatchHeader(batch({ count: 1 }));
  return { ...header, producerId: 5n, producerEpoch: epoch, baseSequence: sequence, baseOffset: at, lastOffset: at + count - 1, lastOffsetDelta: count - 1, recordCount: count, ...more };
}

/** Appends what the rules let in; tells what they said of each. */
function told(batches: readonly (readonly [sequence: number, count: number, epoch: number])[]): string[] {
  const producers = new Producers();
  let end = 0;
  return batches.map(([sequence, count, epoch]) => {
    const header = sent(sequence, count, epoch, end);
    const verdict = producers.judge(header, "client");
    if (verdict.kind === "append") {
      producers.apply(header, null, 0);
      end += count;
    }
    return verdict.kind === "refused" ? verdict.error : verdict.kind === "duplicate" ? `duplicate of ${verdict.base}-${verdict.last}` : "append";
  });
}

describe("idempotence (record-format.md §7)", () => {
  test.each<[string, (readonly [number, number, number])[], string[]]>([
    ["a new producer may begin anywhere", [[17, 1, 3]], ["append"]],
    ["sequences go on", [[0, 2, 0], [2, 3, 0], [5, 1, 0]], ["append", "append", "append"]],
    ["a gap is refused, and the next right one is not", [[0, 1, 0], [2, 1, 0], [1, 1, 0]], ["append", "OUT_OF_ORDER_SEQUENCE_NUMBER", "append"]],
    ["a retry gets the first answer", [[0, 2, 0], [2, 2, 0], [0, 2, 0]], ["append", "append", "duplicate of 0-1"]],
    ["five are remembered, the sixth is not", [[0, 1, 0], [1, 1, 0], [2, 1, 0], [3, 1, 0], [4, 1, 0], [5, 1, 0], [1, 1, 0], [0, 1, 0]], ["append", "append", "append", "append", "append", "append", "duplicate of 1-1", "OUT_OF_ORDER_SEQUENCE_NUMBER"]],
    ["half of a batch is no retry", [[0, 4, 0], [0, 2, 0]], ["append", "OUT_OF_ORDER_SEQUENCE_NUMBER"]],
    ["an older epoch is refused", [[0, 1, 2], [1, 1, 1]], ["append", "INVALID_PRODUCER_EPOCH"]],
    ["a newer epoch begins at 0", [[0, 1, 0], [1, 1, 1], [0, 1, 1], [1, 1, 1]], ["append", "OUT_OF_ORDER_SEQUENCE_NUMBER", "append", "append"]],
    ["a newer epoch forgets the batches of the old", [[0, 1, 0], [0, 1, 1], [0, 1, 0]], ["append", "append", "INVALID_PRODUCER_EPOCH"]],
    ["after 2147483647 comes 0", [[MAX, 1, 0], [0, 1, 0]], ["append", "append"]],
    ["a batch may wrap inside", [[MAX - 1, 4, 0], [2, 1, 0], [MAX - 1, 4, 0], [1, 1, 0]], ["append", "append", "duplicate of 0-3", "OUT_OF_ORDER_SEQUENCE_NUMBER"]],
  ])("%s", (_name, batches, expected) => expect(told(batches)).toEqual(expected));

  test("sequences count on and back again", () => {
    expect([addSequence(MAX, 1), addSequence(MAX - 1, 3), addSequence(0, 5)]).toEqual([0, 1, 5]);
    fc.assert(fc.property(fc.nat(MAX), fc.nat(1000), (first, delta) => {
      expect(firstSequence({ lastSequence: addSequence(first, delta), offsetDelta: delta, lastOffset: 0, timestampMs: 0 })).toBe(first);
    }));
  });

  test("transactional batches need an open transaction, others must not come into one", () => {
    const producers = new Producers();
    expect(producers.judge(sent(0, 1, 0, 0, { transactional: true }), "client")).toMatchObject({ error: "INVALID_TXN_STATE" });
    producers.apply(sent(0, 1, 0, 0, { transactional: true }), null, 0); // as a follower takes it
    expect(producers.transactions.first).toBe(0);
    expect(producers.judge(sent(1, 1, 0, 1, { transactional: true }), "client").kind).toBe("append");
    expect(producers.judge(sent(1, 1, 0, 1), "client")).toMatchObject({ error: "INVALID_TXN_STATE" });
    const aborted = producers.apply(sent(-1, 1, 0, 1, { control: true, transactional: true }), { commit: false, coordinatorEpoch: 3 }, 0);
    expect(aborted).toEqual({ producerId: 5n, firstOffset: 0, lastOffset: 1, lastStable: 2 });
    expect([producers.transactions.first, producers.get(5n)?.coordinatorEpoch]).toEqual([null, 3]);
    expect(producers.apply(sent(-1, 1, 0, 2, { control: true, transactional: true }), { commit: false, coordinatorEpoch: 3 }, 0)).toBeNull(); // an empty one
  });

  test("what a coordinator writes has no sequence and is not judged", () => {
    const producers = new Producers();
    expect(producers.judge(sent(-1, 1, 0, 0), "coordinator").kind).toBe("append");
    producers.apply(sent(-1, 1, 0, 0), null, 0);
    expect(producers.judge(sent(0, 1, 0, 1), "client").kind).toBe("append");
  });

  test("producers expire after disuse, not while a transaction is open", () => {
    const producers = new Producers();
    producers.apply(sent(0, 1, 0, 0), null, 1000);
    producers.apply(sent(0, 1, 0, 1, { producerId: 6n, transactional: true }), null, 1000);
    expect([producers.expire(1999, 1000), producers.expire(2000, 1000), producers.size]).toEqual([0, 1, 1]);
  });

  test("snapshots bring back all five batches, and no byte of them may be wrong", () => {
    const producers = new Producers();
    for (let i = 0; i < 7; i++) producers.apply(sent(i * 2, 2, 1, i * 2), null, 50);
    const snapshot = encodeSnapshot(producers);
    const batches = encodeBatches(producers);
    const back = decodeSnapshot(snapshot, 50);
    expect(back !== null && restoreBatches(back, batches)).toBe(true);
    expect([...(back?.entries() ?? [])]).toEqual([...producers.entries()]);
    for (let at = 0; at < snapshot.length; at++) {
      const changed = Buffer.from(snapshot);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(decodeSnapshot(changed, 50)).toBeNull();
      expect(decodeSnapshot(snapshot.subarray(0, at), 50)).toBeNull();
    }
    for (let at = 0; at < batches.length; at++) {
      const changed = Buffer.from(batches);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      const target = decodeSnapshot(snapshot, 50);
      expect(target === null || restoreBatches(target, changed)).toBe(false);
    }
  });
});

describe("epochs (KIP-101, KIP-279)", () => {
  const epochs = () => new Epochs([{ epoch: 2, start: 0 }, { epoch: 4, start: 10 }, { epoch: 5, start: 30 }]);

  test("the end of an epoch is where the next one begins, of the newest the log's end, of an unknown later one unknown", () => {
    expect([1, 2, 3, 4, 5, 6, -1].map((one) => epochs().endOf(one, 40))).toEqual([
      { epoch: 1, end: 0 }, { epoch: 2, end: 10 }, { epoch: 2, end: 10 }, { epoch: 4, end: 30 }, { epoch: 5, end: 40 }, { epoch: -1, end: -1 }, { epoch: -1, end: -1 },
    ]);
  });

  test("a reign without a batch makes room for the next", () => {
    const table = epochs();
    expect(table.assign(7, 50)).toBe(true);
    expect(table.assign(8, 50)).toBe(true);
    expect(table.entries.slice(2)).toEqual([{ epoch: 5, start: 30 }, { epoch: 8, start: 50 }]);
    expect(table.assign(8, 60)).toBe(false);
    expect(() => table.assign(7, 70)).toThrow(/does not come after/);
  });

  test("cut at the end and at the start", () => {
    const table = epochs();
    expect([table.truncateEnd(31), table.truncateEnd(30), table.last]).toEqual([false, true, 4]);
    expect([table.truncateStart(0), table.truncateStart(15), table.entries]).toEqual([false, true, [{ epoch: 4, start: 15 }]]);
  });

  test("text goes out and comes back; a cut or foreign text does not", () => {
    const text = epochs().encode();
    expect(text.toString()).toBe("0\n3\n2 0\n4 10\n5 30\n");
    expect(Epochs.decode(text)?.entries).toEqual(epochs().entries);
    for (let at = 0; at < text.length; at++) expect(Epochs.decode(text.subarray(0, at))).toBeNull();
    expect(Epochs.decode(Buffer.from("1\n0\n"))).toBeNull();
  });
});

describe("retention", () => {
  const segments = [0, 1, 2, 3].map((i) => ({ base: i * 10, next: i * 10 + 10, bytes: 100, maxTimestampMs: i * 1000 }));
  const rule = { retentionMs: -1, retentionBytes: -1, start: 0, nowMs: 5000, upTo: 40 };

  test("by time, by size and by start; below the high watermark only", () => {
    expect(expiredSegments(segments, rule)).toBe(0);
    expect(expiredSegments(segments, { ...rule, retentionMs: 3500 })).toBe(2);
    expect(expiredSegments(segments, { ...rule, retentionMs: 4000 })).toBe(1);
    expect(expiredSegments(segments, { ...rule, retentionMs: 3500, upTo: 15 })).toBe(1);
    expect(expiredSegments(segments, { ...rule, retentionMs: 0 })).toBe(4);
    expect(expiredSegments(segments, { ...rule, retentionBytes: 300 })).toBe(1);
    expect(expiredSegments(segments, { ...rule, retentionBytes: 250 })).toBe(1);
    expect(expiredSegments(segments, { ...rule, retentionBytes: 0 })).toBe(3);
    expect(expiredSegments(segments, { ...rule, start: 20 })).toBe(2);
    expect(expiredSegments(segments, { ...rule, start: 19 })).toBe(1);
  });
});

describe("indexes", () => {
  test("find what a plain search finds, and come back from bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 500 })), { maxLength: 60 }), (steps) => {
        const index = new OffsetIndex(1000);
        const entries: { offset: number; position: number }[] = [];
        let offset = 1000;
        let position = 0;
        for (const [count, bytes] of steps) {
          offset += count;
          position += bytes;
          index.append(offset, position);
          entries.push({ offset, position });
        }
        const back = OffsetIndex.decode(1000, Buffer.concat([index.encode(), Buffer.alloc(24)])); // preallocated, as Kafka leaves it after a crash
        expect(back.count).toBe(entries.length);
        for (let wanted = 998; wanted < offset + 3; wanted++) expect(back.positionBefore(wanted)).toBe(entries.findLast((one) => one.offset <= wanted)?.position ?? 0);
        for (let wanted = 0; wanted < position + 3; wanted += 7) expect(back.batchBefore(wanted)).toBe(entries.findLast((one) => one.position <= wanted)?.position ?? 0);
        const cut = Math.floor(entries.length / 2);
        back.truncate({ offset: entries[cut]?.offset ?? offset, position });
        expect(back.count).toBeLessThanOrEqual(entries.filter((one) => one.offset < (entries[cut]?.offset ?? offset)).length);
      }),
    );
  });

  test("a time index says where no later record lies before", () => {
    const index = new TimeIndex(100);
    index.append(1000, 105);
    index.append(900, 108); // not larger: nothing
    index.append(2000, 110);
    expect(index.count).toBe(2);
    expect([999, 1000, 1001, 2000, 2001].map((one) => index.offsetBefore(one))).toEqual([100, 100, 105, 105, 110]);
    index.truncate(110);
    expect(index.last).toEqual({ timestampMs: 1000, offset: 105 });
    expect(TimeIndex.decode(100, index.encode(0)).last).toEqual(index.last);
  });
});

describe("the sync scheduler", () => {
  test("merges requests, keeps one sync of a log in flight and bounds them all", async () => {
    const running = new Map<string, () => void>();
    const begun: string[] = [];
    const target = (name: string): SyncTarget => ({
      beginSync: () => {
        expect(running.has(name)).toBe(false);
        begun.push(name);
        return new Promise<void>((resolve) => void running.set(name, () => resolve()));
      },
    });
    const scheduler = new FileSyncScheduler({ parallel: 2, own: (promise) => void promise });
    const [a, b, c] = [target("a"), target("b"), target("c")];
    for (const one of [a, b, c, a, a, c]) scheduler.request(one);
    expect([begun, scheduler.inFlight]).toEqual([["a", "b"], 2]);
    const end = async (name: string) => {
      const finish = running.get(name);
      running.delete(name);
      finish?.();
      await turns(1);
    };
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]); // a's next one waits for a
    await end("a");
    expect(begun).toEqual(["a", "b", "c", "a"]);
    await end("c");
    await end("a");
    expect([begun.length, scheduler.inFlight]).toEqual([4, 0]);
  });
});

test("requests for the same work share the run that begins after them", async () => {
  let runs = 0;
  const ends: (() => void)[] = [];
  const work = new Coalesced(() => {
    runs++;
    return new Promise<void>((resolve) => void ends.push(() => resolve()));
  });
  const first = work.run();
  const second = work.run();
  const third = work.run();
  expect([runs, second === third]).toEqual([1, true]);
  ends[0]?.();
  await first;
  await turns(1);
  expect(runs).toBe(2);
  ends[1]?.();
  await third;
});

test("read buffers are used again, up to a limit", () => {
  const pool = new BufferPool({ keepMaxBytes: 10_000, largestBytes: 1 << 20 });
  const one = pool.take(5000);
  expect(one.length).toBe(8192);
  pool.give(one);
  expect(pool.take(8192)).toBe(one);
  pool.give(one);
  const two = pool.take(1);
  pool.give(two);
  expect(pool.take(1)).not.toBe(two); // no room was left
  expect([4096, 4097, 1 << 20].map((bytes) => pool.take(bytes).length)).toEqual([4096, 8192, 1 << 20]);
  expect(() => pool.give(one)).not.toThrow();
  expect(() => pool.give(one)).toThrow("comes back once");
});

test("folders have Kafka's names", () => {
  expect(parseFolderName("a.b-c_1-12")).toEqual({ topic: "a.b-c_1", partition: 12 });
  expect(parseFolderName("nothing")).toBeNull();
  const aside = asideName(`${"x".repeat(249)}-0`, "0123456789abcdef0123456789abcdef", "stray");
  expect([aside.length, isStray(aside), parseFolderName(aside)]).toEqual([255, true, null]);
});

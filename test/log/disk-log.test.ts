import { describe, expect, test } from "vitest";
import { epoch, offset } from "../../src/base/ids.js";
import { LogError } from "../../src/log/partition-log.js";
import { readBatchHeader } from "../../src/records/batch.js";
import { MemoryDisk } from "./memory-disk.js";
import { Incarnation, NOW, append, batch, headersOf, openLog, readAll, recordsOf, synced, turns, until, written } from "./world.js";

async function fresh(settings = {}) {
  const disk = new MemoryDisk();
  const life = new Incarnation(disk);
  const directory = await life.open();
  const log = await openLog(directory, settings);
  return { disk, life, directory, log };
}

describe("appending", () => {
  test("offsets are given at once, written at the end of the tick, durable after a sync", async () => {
    const { log } = await fresh();
    expect(append(log, { count: 3 })).toBe(0);
    expect(append(log, { count: 2 })).toBe(3);
    expect([log.end, log.writtenEnd, log.durableEnd]).toEqual([5, 0, 0]);
    await turns(1);
    expect([log.end, log.writtenEnd, log.durableEnd]).toEqual([5, 5, 0]);
    await synced(log);
    expect(log.durableEnd).toBe(5);
  });

  test("the batches of one tick leave in one write", async () => {
    const { log, disk } = await fresh();
    append(log);
    append(log);
    append(log);
    await written(log);
    expect(headersOf(disk.file("data/t-0/00000000000000000000.log")).map((one) => one.base)).toEqual([0, 1, 2]);
  });

  test("nothing is written to a file while its sync is in flight, and durableEnd counts only what the sync began with", async () => {
    const { log, disk } = await fresh();
    disk.syncTurns = () => 5;
    append(log);
    log.requestSync();
    await until(() => log.writtenEnd === 1);
    append(log);
    append(log);
    await turns(3);
    expect([log.end, log.writtenEnd, log.durableEnd]).toEqual([3, 1, 0]); // the lane waits
    expect(log.inspect().laneBytes).toBeGreaterThan(0);
    await until(() => log.durableEnd > 0);
    expect(log.durableEnd).toBe(1);
    await until(() => log.writtenEnd === 3);
    expect(log.durableEnd).toBe(1); // nobody asked for another sync
    await synced(log);
    expect(disk.violations).toEqual([]);
  });

  test("a sync asked for in the tick of the append covers it", async () => {
    const { log } = await fresh();
    append(log);
    log.requestSync();
    await until(() => log.durableEnd === 1);
  });

  test("the listener is told at most once a tick", async () => {
    const { log } = await fresh();
    let told = 0;
    log.onProgress(() => told++);
    for (let i = 0; i < 10; i++) append(log);
    await turns(1);
    expect(told).toBe(1);
  });

  test("a batch that fits into no segment is refused", async () => {
    const { log } = await fresh({ segmentBytes: 200 });
    const result = log.appendAsLeader(batch({ valueBytes: 300 }), { epoch: epoch(0), nowMs: NOW, origin: "client" });
    expect(result).toMatchObject({ ok: false, error: "RECORD_LIST_TOO_LARGE" });
    expect(log.end).toBe(0);
  });

  test("a large group leaves in writes of at most 256 KiB and a batch larger than that counts once it is whole", async () => {
    const { log } = await fresh({ segmentBytes: 8 << 20 });
    append(log, { valueBytes: 600, count: 1000 });
    await turns(1);
    expect(log.writtenEnd).toBe(0);
    await written(log);
    expect(recordsOf(readAll(log)).length).toBe(1000);
  });
});

describe("following", () => {
  test("takes batches as they are and gives the buffer back at once", async () => {
    const { log: leader } = await fresh();
    for (let i = 0; i < 5; i++) append(leader, { count: 2 }, 3);
    await written(leader);
    const bytes = readAll(leader);
    const { log, disk } = await fresh();
    disk.syncTurns = () => 3;
    const sent = Uint8Array.from(bytes);
    expect(log.appendAsFollower(sent, { fetchEpoch: epoch(3), nowMs: NOW })).toBe(10);
    sent.fill(0xee);
    await written(log);
    expect(readAll(log).equals(bytes)).toBe(true);
    expect(log.lastEpoch).toBe(3);
    log.requestSync();
    await turns(1);
    for (let i = 0; i < 3; i++) append(leader, {}, 4);
    await written(leader);
    const more = Uint8Array.from(readAll(leader, 10));
    log.appendAsFollower(more, { fetchEpoch: epoch(4), nowMs: NOW }); // its sync is in flight
    more.fill(0xee);
    await synced(log);
    expect(readAll(log).equals(readAll(leader))).toBe(true);
    expect(disk.violations).toEqual([]);
  });

  test("stops before an incomplete tail and drops batches of a later epoch", async () => {
    const { log: leader } = await fresh();
    append(leader, {}, 1);
    append(leader, {}, 2);
    append(leader, {}, 3);
    await written(leader);
    const bytes = readAll(leader);
    const { log } = await fresh();
    expect(log.appendAsFollower(bytes.subarray(0, bytes.length - 1), { fetchEpoch: epoch(1), nowMs: NOW })).toBe(1);
    expect(log.appendAsFollower(readAll(leader, 1).subarray(0, -5), { fetchEpoch: epoch(3), nowMs: NOW })).toBe(2);
  });

  test("refuses a broken checksum and offsets that do not go on, and takes nothing then", async () => {
    const { log: leader } = await fresh();
    append(leader);
    append(leader);
    await written(leader);
    const bytes = readAll(leader);
    const { log } = await fresh();
    const broken = Buffer.from(bytes);
    broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
    const options = { fetchEpoch: epoch(1), nowMs: NOW };
    expect(() => log.appendAsFollower(broken, options)).toThrow(/corrupt-batch/);
    expect(() => log.appendAsFollower(readAll(leader, 1), options)).toThrow(/not-contiguous/);
    expect(log.end).toBe(0);
    expect(log.appendAsFollower(bytes, options)).toBe(2);
    expect(() => log.appendAsFollower(bytes, options)).toThrow(/not-contiguous/);
  });
});

describe("reading", () => {
  test("every offset and size gives whole batches, the first with `from`, through tail, index and segments alike", async () => {
    const { log, directory } = await fresh({ segmentBytes: 2000, indexIntervalBytes: 200 });
    for (let i = 0; i < 150; i++) append(log, { count: 1 + (i % 3), valueBytes: 10 + ((i * 7) % 90) });
    await written(log);
    const whole = readAll(log);
    const all = headersOf(whole);
    expect(all.at(-1)?.last).toBe(Number(log.end) - 1);
    expect(log.inspect().segments).toBeGreaterThan(5);
    for (let from = 0; from < log.end; from++) {
      for (const maxBytes of [0, 100, 500, 3000, 1 << 20]) {
        for (const upTo of [Number(log.end), Math.min(Number(log.end), from + 1 + (from % 17))]) {
          const plan = log.plan(offset(from), { maxBytes, upTo: offset(upTo), wholeFirstBatch: true });
          const lent = log.readNow(plan);
          const found = headersOf(Buffer.concat(lent.parts));
          lent.release();
          const first = all.findIndex((one) => one.last >= from);
          expect(found).toEqual(all.slice(first, first + found.length));
          expect(plan.next).toBe((found.at(-1)?.last ?? -2) + 1);
          expect(plan.ranges.reduce((sum, range) => sum + range.bytes, 0)).toBe(plan.bytes);
          if (found.length > 1) expect(plan.bytes).toBeLessThanOrEqual(maxBytes);
          for (const one of found) expect(one.base).toBeLessThan(upTo);
          const following = all[first + found.length]; // nothing that fits was left out
          if (following !== undefined && following.base < upTo) {
            const size = batch({ count: following.last - following.base + 1, valueBytes: 10 + (((first + found.length) * 7) % 90) }).length;
            expect(plan.bytes + size).toBeGreaterThan(maxBytes);
          }
        }
      }
    }
    expect(directory.inspect().openFiles).toBeLessThan(2048);
  });

  test("none at the end, none when the first batch is too large and need not come whole, an error outside", async () => {
    const { log } = await fresh();
    append(log, { valueBytes: 500 });
    await written(log);
    const at = { maxBytes: 100, upTo: offset(1), wholeFirstBatch: false };
    expect(log.plan(offset(0), at)).toEqual({ ranges: [], bytes: 0, next: 0 });
    expect(log.plan(offset(1), { ...at, wholeFirstBatch: true })).toEqual({ ranges: [], bytes: 0, next: 1 });
    expect(() => log.plan(offset(2), at)).toThrow(LogError);
  });

  test("a plan for cold data is carried out through the thread pool, also when few files may be open", async () => {
    const disk = new MemoryDisk();
    const directory = await new Incarnation(disk).open({ openFilesMax: 2 });
    const log = await openLog(directory, { segmentBytes: 500 });
    for (let i = 0; i < 40; i++) append(log);
    await synced(log);
    const plan = log.plan(offset(0), { maxBytes: 1 << 20, upTo: log.end, wholeFirstBatch: true });
    expect(plan.ranges.length).toBeGreaterThan(5);
    const lent = await log.read(plan);
    expect(headersOf(Buffer.concat(lent.parts)).length).toBe(40);
    lent.release();
    expect(directory.inspect().openFiles).toBeLessThanOrEqual(3);
  });

  test("finds records by time and the largest timestamp, across segments", async () => {
    const { log } = await fresh({ segmentBytes: 600, indexIntervalBytes: 100 });
    const times = [5, 3, 9, 9, 20, 15, 40, 30, 41, 7].map((one) => one * 1000);
    for (const time of times) append(log, { count: 2, timestamp: time, valueBytes: 100 });
    await written(log);
    for (let wanted = 0; wanted <= 42_000; wanted += 250) {
      for (const upTo of [Number(log.end), 13]) {
        const records = times.flatMap((time, i) => [{ offset: i * 2, timestampMs: time }, { offset: i * 2 + 1, timestampMs: time + 1 }]).filter((one) => one.offset < upTo);
        const hit = await log.findTimestamp(wanted, offset(upTo));
        const expected = records.find((one) => one.timestampMs >= wanted);
        expect(hit === null ? undefined : { offset: hit.offset, timestampMs: hit.timestampMs }, `${wanted} below ${upTo}`).toEqual(expected);
      }
    }
    expect(await log.findMaxTimestamp(log.end)).toEqual({ timestampMs: 41_001, offset: 17, epoch: 1 });
    expect(await log.findMaxTimestamp(offset(14))).toEqual({ timestampMs: 40_001, offset: 13, epoch: 1 });
    expect(await log.findMaxTimestamp(offset(0))).toBeNull();
  });
});

describe("rolling", () => {
  test("by size, time and index size; the old segment is synced before the new one is written", async () => {
    const { log, disk } = await fresh({ segmentBytes: 1000, indexIntervalBytes: 100 });
    for (let i = 0; i < 30; i++) append(log, { valueBytes: 50 });
    await written(log);
    const segments = log.inspect().segments;
    expect(segments).toBeGreaterThan(2);
    const names = disk.names("data/t-0").filter((name) => name.endsWith(".log"));
    expect(names.length).toBe(segments);
    expect(log.durableEnd).toBeGreaterThanOrEqual(Number.parseInt(names.at(-1) ?? "", 10));
    const byTime = (await fresh({ segmentMs: 1000 })).log;
    append(byTime, { timestamp: NOW });
    append(byTime, { timestamp: NOW + 1000 });
    append(byTime, { timestamp: NOW + 1001 });
    expect(byTime.inspect().segments).toBe(2);
    const byIndex = (await fresh({ segmentIndexBytes: 40, indexIntervalBytes: 0 })).log;
    for (let i = 0; i < 12; i++) append(byIndex, { timestamp: NOW + i });
    expect(byIndex.inspect().segments).toBeGreaterThan(3);
    expect(disk.violations).toEqual([]);
  });

  test("an old segment that nobody appends to is rolled by maintenance", async () => {
    const { log } = await fresh({ segmentMs: 1000 });
    append(log);
    await log.maintain({ nowMs: NOW + 1001, upTo: offset(0) });
    expect(log.inspect().segments).toBe(2);
    await log.maintain({ nowMs: NOW + 5000, upTo: offset(0) });
    expect(log.inspect().segments).toBe(2);
  });
});

describe("cutting", () => {
  test("truncation keeps whole batches below, forgets epochs and producers above, and goes on from there", async () => {
    for (let to = 0; to <= 40; to++) {
      const { log, disk } = await fresh({ segmentBytes: 700, indexIntervalBytes: 150 });
      for (let i = 0; i < 20; i++) append(log, { count: 2, producer: { id: 9n, epoch: 0, sequence: i * 2 } }, 1 + Math.floor(i / 4));
      await synced(log);
      const before = readAll(log);
      await log.truncateTo(offset(to));
      const end = to - (to % 2);
      expect([log.end, log.writtenEnd, log.durableEnd]).toEqual([end, end, end]);
      expect(headersOf(readAll(log)).length).toBe(end / 2);
      expect(before.subarray(0, readAll(log).length).equals(readAll(log))).toBe(true);
      expect(log.inspect().epochs.every((one) => one.start < Math.max(to, 1))).toBe(true);
      const again = log.appendAsLeader(batch({ count: 2, producer: { id: 9n, epoch: 0, sequence: end } }), { epoch: epoch(9), nowMs: NOW, origin: "client" });
      expect(again).toMatchObject({ ok: true, duplicate: false, base: end });
      await synced(log);
      expect(headersOf(readAll(log)).at(-1)).toEqual({ base: end, last: end + 1, epoch: 9 });
      expect(disk.violations).toEqual([]);
    }
  });

  test("epochs above are forgotten also when nothing is cut (KAFKA-10706)", async () => {
    const { log } = await fresh();
    append(log, {}, 1);
    await synced(log);
    log.beginEpoch(epoch(5));
    expect(log.lastEpoch).toBe(5);
    await log.truncateTo(offset(1));
    expect(log.lastEpoch).toBe(1);
    expect(log.endOfEpoch(epoch(5))).toEqual({ epoch: -1, end: -1 });
  });

  test("a reset log is empty and starts elsewhere, also after a restart", async () => {
    const { log, disk, life, directory } = await fresh({ segmentBytes: 500 });
    for (let i = 0; i < 20; i++) append(log);
    await synced(log);
    await log.resetTo(offset(1000));
    expect([log.start, log.end, log.durableEnd]).toEqual([1000, 1000, 1000]);
    expect(append(log, {}, 7)).toBe(1000);
    await synced(log);
    await log.close();
    await directory.close(5n);
    life.kill();
    const next = await openLog(await new Incarnation(disk).open());
    expect([next.start, next.end, next.lastEpoch]).toEqual([1000, 1001, 7]);
    expect(next.recovery.clean).toBe(true);
  });

  test("a raised start is durable, refuses reads below, and lets whole segments go later", async () => {
    const { log, disk, life } = await fresh({ segmentBytes: 500 });
    for (let i = 0; i < 20; i++) append(log, {}, 1 + Math.floor(i / 10));
    await synced(log);
    await turns(20);
    const files = disk.names("data/t-0").filter((name) => name.endsWith(".log")).length;
    await log.raiseStart(offset(12));
    expect(log.start).toBe(12);
    expect(() => log.plan(offset(11), { maxBytes: 100, upTo: log.end, wholeFirstBatch: true })).toThrow(/offset-out-of-range/);
    expect(log.inspect().epochs).toEqual([{ epoch: 2, start: 12 }]);
    expect(disk.names("data/t-0").filter((name) => name.endsWith(".log")).length).toBe(files);
    life.kill();
    const second = new Incarnation(disk);
    const next = await openLog(await second.open());
    expect([next.start, next.end]).toEqual([12, 20]);
    expect(disk.names("data/t-0").filter((name) => name.endsWith(".log")).length).toBeLessThan(files);
    await expect(next.raiseStart(offset(21))).rejects.toThrow(/offset-out-of-range/);
  });

  test("retention removes old segments below the high watermark, files go after the delay", async () => {
    const { log, disk, life } = await fresh({ segmentBytes: 500, retentionMs: 1000, fileDeleteDelayMs: 100 });
    for (let i = 0; i < 20; i++) append(log, { timestamp: NOW + i * 100 });
    await synced(log);
    await turns(20);
    await log.maintain({ nowMs: NOW + 2000, upTo: offset(8) });
    expect(Number(log.start)).toBeLessThanOrEqual(8);
    expect(Number(log.start)).toBeGreaterThan(0);
    const files = disk.names("data/t-0").length;
    await life.pass(101);
    expect(disk.names("data/t-0").length).toBeLessThan(files);
    await log.maintain({ nowMs: NOW + 100_000, upTo: log.end });
    expect([log.start, log.end]).toEqual([20, 20]);
    expect(append(log)).toBe(20);
    await synced(log);
    expect(recordsOf(readAll(log)).map((one) => one.offset)).toEqual([20]);
  });
});

describe("idempotence", () => {
  const sent = (sequence: number, count = 1, reign = 0) => batch({ count, producer: { id: 77n, epoch: reign, sequence } });
  const as = { epoch: epoch(1), nowMs: NOW, origin: "client" as const };

  test("a retry of any of the last five batches gets its first answer, also after a clean restart and after a crash", async () => {
    const { log, disk, life, directory } = await fresh();
    for (let i = 0; i < 7; i++) log.appendAsLeader(sent(i * 2, 2), as);
    await synced(log);
    const check = (one: typeof log) => {
      for (let i = 2; i < 7; i++) expect(one.appendAsLeader(sent(i * 2, 2), as)).toMatchObject({ ok: true, duplicate: true, base: i * 2, last: i * 2 + 1 });
      expect(one.appendAsLeader(sent(2, 2), as)).toMatchObject({ ok: false, error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    };
    check(log);
    await log.close();
    await directory.close(1n);
    life.kill();
    const second = new Incarnation(disk);
    const again = await openLog(await second.open());
    expect(again.recovery.clean).toBe(true);
    check(again);
    second.kill();
    check(await openLog(await new Incarnation(disk).open()));
  });

  test("a refused batch leaves nothing behind", async () => {
    const { log } = await fresh();
    log.appendAsLeader(sent(0), as);
    expect(log.appendAsLeader(sent(5), as)).toMatchObject({ ok: false, error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    expect(log.end).toBe(1);
    expect(readBatchHeader(sent(0)).producerId).toBe(77n);
  });
});

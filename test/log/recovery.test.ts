import { describe, expect, test } from "vitest";
import { epoch, offset } from "../../src/base/ids.js";
import type { DiskLogDirectory } from "../../src/log/log-directory.js";
import type { LogSettings, PartitionLog } from "../../src/log/partition-log.js";
import { MemoryDisk } from "./memory-disk.js";
import { Incarnation, NOW, append, batch, drawsFrom, headersOf, openLog, readAll, synced, turns, until, written } from "./world.js";

const LOG = "data/t-0/00000000000000000000.log";

async function prepared(count: number, settings: Partial<LogSettings> = {}) {
  const disk = new MemoryDisk();
  const life = new Incarnation(disk);
  const directory = await life.open();
  const log = await openLog(directory, settings);
  for (let i = 0; i < count; i++) append(log, { count: 2, fill: String.fromCharCode(97 + (i % 26)) });
  await synced(log);
  return { disk, life, directory, log, bytes: readAll(log) };
}

async function reopened(disk: MemoryDisk, settings: Partial<LogSettings> = {}, durable = true): Promise<{ readonly log: PartitionLog; readonly life: Incarnation; readonly directory: DiskLogDirectory }> {
  const life = new Incarnation(disk);
  const directory = await life.open();
  return { log: await openLog(directory, settings, { durable }), life, directory };
}

describe("a torn tail and damage", () => {
  test("a last batch that is cut short at any byte is cut off", async () => {
    const { disk, life, bytes } = await prepared(4);
    life.kill();
    const last = bytes.length - (bytes.length / 4);
    for (let length = last; length < bytes.length; length++) {
      disk.damage(LOG, () => Buffer.from(bytes.subarray(0, length)));
      const { log, life: next } = await reopened(disk);
      expect(log.end).toBe(6);
      expect(log.recovery).toEqual({ clean: false, cutBytes: length - last, lostBelowDurable: false, damagedAt: null });
      expect(disk.file(LOG).length).toBe(last);
      next.kill();
    }
  });

  test("a last batch with any byte wrong is cut off, or is as it was where the checksum does not look", async () => {
    const { disk, life, bytes } = await prepared(3);
    life.kill();
    const last = (bytes.length / 3) * 2;
    for (let at = last; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x40;
      disk.damage(LOG, () => changed);
      const { log, life: next } = await reopened(disk);
      const inEpoch = at >= last + 12 && at < last + 16;
      if (inEpoch) expect(log.end).toBe(6);
      else expect([Number(log.end), log.recovery.damagedAt], `byte ${at - last}`).toEqual([4, null]);
      next.kill();
    }
  });

  test("a bad batch before a good one is damage: kept aside, reported, also by the next incarnation", async () => {
    const { disk, life, bytes } = await prepared(4);
    life.kill();
    const size = bytes.length / 4;
    const changed = Buffer.from(bytes);
    changed[size + 70] = (changed[size + 70] ?? 0) ^ 1;
    disk.damage(LOG, () => changed);
    const { log, life: second } = await reopened(disk);
    expect(log.end).toBe(2);
    expect(log.recovery).toMatchObject({ damagedAt: 2, lostBelowDurable: true });
    expect(disk.file("data/t-0/00000000000000000002.damaged").equals(changed.subarray(size))).toBe(true);
    second.kill();
    const { log: third, life: last } = await reopened(disk);
    expect(third.recovery.lostBelowDurable).toBe(true); // nobody has taken notice yet
    append(third);
    await synced(third);
    last.kill();
    expect((await reopened(disk)).log.recovery.lostBelowDurable).toBe(false);
  });

  test("damage in an older segment sets the later ones aside whole", async () => {
    const { disk, life } = await prepared(20, { segmentBytes: 500 });
    life.kill();
    const [first, ...later] = disk.names("data/t-0").filter((name) => name.endsWith(".log"));
    disk.damage(`data/t-0/${first}`, (content) => content.subarray(0, content.length - 3));
    const { log } = await reopened(disk, { segmentBytes: 500 });
    expect(log.recovery.damagedAt).toBe(Number(log.end));
    expect(log.inspect().segments).toBe(1);
    expect(disk.names("data/t-0").filter((name) => name.endsWith(".log.damaged")).length).toBe(later.length - (disk.names("data/t-0").includes(`${later.at(-1)}.damaged`) ? 0 : 1));
  });

  test("a last batch that a checkpoint knew as durable is damage although nothing follows", async () => {
    const { disk, life, directory, bytes } = await prepared(3);
    await directory.checkpoint();
    life.kill();
    disk.damage(LOG, () => Buffer.from(bytes.subarray(0, bytes.length - 10)));
    const { log } = await reopened(disk);
    expect(log.recovery).toMatchObject({ damagedAt: 4, lostBelowDurable: true });
    expect(disk.names("data/t-0")).toContain("00000000000000000004.damaged");
  });

  test("only what follows the checkpoint is read: damage far below is not recovery's to find", async () => {
    const { disk, life, directory, log } = await prepared(0, { segmentBytes: 8 << 20 });
    for (let i = 0; i < 300; i++) append(log, { valueBytes: 500, count: 10 });
    await synced(log);
    await directory.checkpoint(); // saves a snapshot
    append(log);
    await synced(log);
    await directory.checkpoint();
    life.kill();
    disk.damage(LOG, (content) => {
      content[10_000] = (content[10_000] ?? 0) ^ 1;
      return content;
    });
    const { log: next } = await reopened(disk, { segmentBytes: 8 << 20 });
    expect([next.end, next.recovery.damagedAt]).toEqual([3001, null]);
  });
});

describe("restarts", () => {
  test("a clean stop is seen once, with the broker epoch, and opens without a scan", async () => {
    const { disk, life, directory, log } = await prepared(10, { segmentBytes: 500 });
    log.beginEpoch(epoch(4));
    append(log, {}, 4);
    await log.close();
    await directory.close(42n);
    life.kill();
    const second = await reopened(disk, { segmentBytes: 500 });
    expect([second.directory.cleanShutdown, second.directory.previousBrokerEpoch, second.log.recovery.clean]).toEqual([true, 42n, true]);
    expect([second.log.end, second.log.durableEnd, second.log.lastEpoch]).toEqual([21, 21, 4]);
    expect(disk.names("data")).not.toContain(".kafka_cleanshutdown");
    second.life.kill();
    const third = await reopened(disk, { segmentBytes: 500 });
    expect([third.directory.cleanShutdown, third.log.recovery.clean, third.log.end]).toEqual([false, false, 21]);
  });

  test("a clean stop that lies is found out", async () => {
    const { disk, life, directory, log } = await prepared(5);
    await log.close();
    await directory.close(1n);
    life.kill();
    disk.damage(LOG, (content) => content.subarray(0, content.length - 1));
    const { log: next } = await reopened(disk);
    expect(next.recovery).toMatchObject({ clean: false, lostBelowDurable: true, damagedAt: 8 });
  });

  test("a lax topic keeps its place after a kill, and not after the host went down", async () => {
    const { disk, life } = await prepared(2);
    life.kill();
    const second = await reopened(disk, {}, false);
    expect(second.log.recovery.lostBelowDurable).toBe(false);
    second.life.kill();
    disk.powerLoss(drawsFrom(1));
    expect((await reopened(disk, {}, false)).log.recovery.lostBelowDurable).toBe(true);
  });

  test("a folder that vanished is a loss", async () => {
    const { disk, life, directory } = await prepared(2);
    await directory.checkpoint();
    life.kill();
    disk.folder("data").entries.delete("t-0");
    expect((await reopened(disk)).log.recovery.lostBelowDurable).toBe(true);
  });

  test("a failed sync ends the node; the next start discards what the checkpoint does not know, and says so until it is heard", async () => {
    const { disk, life, directory, log } = await prepared(3);
    await directory.checkpoint();
    append(log);
    await synced(log);
    append(log);
    disk.failSyncs = true;
    log.requestSync();
    await until(() => life.halted !== null);
    expect(life.halted).toMatch(/fdatasync failed/);
    expect(log.durableEnd).toBe(7);
    disk.failSyncs = false;
    const second = await reopened(disk);
    expect([second.log.end, second.log.recovery.lostBelowDurable]).toEqual([6, true]);
    second.life.kill();
    const third = await reopened(disk);
    expect([third.log.end, third.log.recovery.lostBelowDurable]).toEqual([6, true]);
    append(third.log);
    await synced(third.log);
    third.life.kill();
    const fourth = await reopened(disk);
    expect([fourth.log.end, fourth.log.recovery.lostBelowDurable]).toEqual([7, false]);
  });
});

/** What was accepted, and how far it must have survived. */
class Model {
  batches: { readonly base: number; readonly last: number; readonly bytes: Buffer }[] = [];
  start = 0;
  /** Next sequence of each producer; whoever is not in it begins with a new epoch. */
  sequences = new Map<bigint, number>();
  producerEpoch = 0;
  mayBeLost = false;

  bytesBetween(from: number, end: number): Buffer {
    return Buffer.concat(this.batches.filter((one) => one.last >= from && one.last < end).map((one) => one.bytes));
  }

  cut(end: number): void {
    this.batches = this.batches.filter((one) => one.last < end);
    this.sequences.clear();
    this.producerEpoch++;
  }
}

const CRASHY: Partial<LogSettings> = { segmentBytes: 900, indexIntervalBytes: 150, fileDeleteDelayMs: 10 };

describe("crashes", () => {
  test.each(Array.from({ length: Number(process.env["KONTIKI_LOG_SEEDS"] ?? 60) }, (_, i) => i + 1))("what was durable is there, the log is a prefix of what was accepted, and derived files are as the log says, seed %i", async (seed) => {
    const draw = drawsFrom(seed);
    const disk = new MemoryDisk();
    disk.syncTurns = draw;
    const model = new Model();
    let durable = 0;
    let kept = 0; // as long as the power stays on
    for (let life = 0; life < 4; life++) {
      const incarnation = new Incarnation(disk);
      if (life > 0 && draw(3) === 0) {
        await crashWhileOpening(disk, draw);
        kept = durable;
        model.mayBeLost = true; // it may have found damage, and died before it could tell
      }
      const directory = await incarnation.open();
      const log = await openLog(directory, CRASHY);
      checkRecovered(log, model, kept);
      model.cut(Number(log.end));
      const reached = await live(incarnation, directory, log, model, draw);
      expect(incarnation.failures).toEqual([]);
      expect(disk.violations).toEqual([]);
      const end = draw(4);
      if (end === 0) {
        await log.close();
        await directory.close(1n);
        durable = kept = Number(log.end);
        incarnation.kill();
        await compareRebuilt(disk, model);
        continue;
      }
      durable = reached();
      const writtenEnd = Number(log.writtenEnd);
      incarnation.kill();
      kept = end === 1 ? writtenEnd : durable;
      if (end !== 1) disk.powerLoss(draw);
    }
  });
});

function checkRecovered(log: PartitionLog, model: Model, durable: number): void {
  expect(Number(log.end)).toBeGreaterThanOrEqual(durable);
  expect(log.durableEnd).toBe(log.end);
  expect(log.recovery.damagedAt ?? durable).toBeGreaterThanOrEqual(durable);
  if (log.recovery.damagedAt === null && !model.mayBeLost) expect(log.recovery.lostBelowDurable).toBe(false);
  model.mayBeLost ||= log.recovery.damagedAt !== null; // and until something was synced again
  expect(Number(log.start)).toBe(model.start);
  expect(headersOf(readAll(log))).toEqual(headersOf(model.bytesBetween(model.start, Number(log.end))));
  expect(readAll(log).equals(model.bytesBetween(model.start, Number(log.end)))).toBe(true);
}

async function crashWhileOpening(disk: MemoryDisk, draw: (end: number) => number): Promise<void> {
  const victim = new Incarnation(disk);
  void victim
    .open()
    .then((directory) => openLog(directory, CRASHY))
    .catch(() => undefined);
  await turns(draw(60));
  victim.kill();
  disk.powerLoss(draw);
}

/** Random work. @returns how to ask, at the moment of the crash, how far the log had promised */
async function live(life: Incarnation, directory: DiskLogDirectory, log: PartitionLog, model: Model, draw: (end: number) => number): Promise<() => number> {
  let reign = Math.max(1, Number(log.lastEpoch)) + draw(2);
  for (let step = 0; step < 60; step++) {
    const what = draw(20);
    if (what < 11) {
      const id = BigInt(draw(3));
      const count = 1 + draw(3);
      const sequence = model.sequences.get(id) ?? 0;
      const producer = id === 0n ? {} : { producer: { id, epoch: model.producerEpoch, sequence } };
      const bytes = batch({ count, valueBytes: draw(120), fill: String.fromCharCode(97 + draw(26)), timestamp: NOW + draw(1000), ...producer });
      const result = log.appendAsLeader(bytes, { epoch: epoch(reign), nowMs: NOW, origin: "client" });
      if (!result.ok) throw new Error(result.message);
      expect(result.duplicate).toBe(false);
      model.batches.push({ base: result.base, last: result.last, bytes: Buffer.from(bytes) });
      model.sequences.set(id, sequence + count);
    } else if (what < 14) log.requestSync();
    else if (what < 17) await turns(draw(6));
    else if (what === 17) await directory.checkpoint();
    else if (what === 18 && draw(4) === 0) {
      const to = model.start + draw(Number(log.end) - model.start + 1);
      await log.truncateTo(offset(to));
      model.cut(Number(log.end));
      reign++;
    } else if (what === 19 && draw(4) === 0) {
      const to = model.start + draw(Number(log.end) - model.start + 1);
      await log.raiseStart(offset(to));
      model.start = to;
    } else if (draw(3) === 0) {
      reign++;
      log.beginEpoch(epoch(reign));
    }
    if (draw(10) === 0) await life.pass(20);
  }
  return () => Number(log.durableEnd);
}

/** Opens the same log without any derived file, and stops it cleanly again: the files must come out the same. */
async function compareRebuilt(disk: MemoryDisk, model: Model): Promise<void> {
  const bare = new MemoryDisk();
  const wanted = new Map<string, Buffer>();
  for (const name of disk.names("data/t-0")) {
    const content = disk.file(`data/t-0/${name}`);
    if (/\.log$|metadata$/.test(name)) bare.put(`data/t-0/${name}`, content);
    else if (/index$|leader-epoch/.test(name)) wanted.set(name, content);
  }
  bare.put("data/log-start-offset-checkpoint", disk.names("data").includes("log-start-offset-checkpoint") ? disk.file("data/log-start-offset-checkpoint") : Buffer.from("0\n0\n"));
  const life = new Incarnation(bare);
  const directory = await life.open();
  const log = await openLog(directory, CRASHY);
  await log.close();
  await directory.close(1n);
  expect(Number(log.start)).toBe(model.start);
  for (const [name, content] of wanted) {
    if (/index$/.test(name) && !bare.names("data/t-0").includes(name.replace(/\..*$/, ".log"))) continue; // below the start, waiting to be removed
    if (name.startsWith("leader-epoch") && model.start > 0) continue; // the first reign's batches are gone with the start
    if (name.startsWith("leader-epoch")) {
      // A reign that was noted and left no batch is known to the file alone.
      const rebuilt = bare.file(`data/t-0/${name}`).toString().split("\n").slice(2);
      for (const line of rebuilt) expect(content.toString().split("\n")).toContain(line);
    } else {
      expect(content.toString("hex"), name).toBe(bare.file(`data/t-0/${name}`).toString("hex"));
    }
  }
}

test("a following log is recovered like a leading one", async () => {
  const leader = (await prepared(12, { segmentBytes: 600 })).log;
  const disk = new MemoryDisk();
  const life = new Incarnation(disk);
  const log = await openLog(await life.open(), { segmentBytes: 600 });
  log.appendAsFollower(readAll(leader), { fetchEpoch: epoch(1), nowMs: NOW });
  await written(log);
  await synced(log);
  life.kill();
  disk.powerLoss(drawsFrom(3));
  const { log: next } = await reopened(disk, { segmentBytes: 600 });
  expect(headersOf(readAll(next)).length).toBe(12);
});

import { describe, expect, test } from "vitest";
import { epoch, nodeId, offset, uuid } from "../../src/base/ids.js";
import { LogDirectoryRefused } from "../../src/log/directory-start.js";
import { hostMaking } from "../host/making.js";
import { openLogDirectory } from "../../src/log/log-directory.js";
import { MemoryDisk } from "./memory-disk.js";
import { Incarnation, NOW, SETTINGS, TOPIC_ID, append, batch, openLog, readAll, synced, turns } from "./world.js";

const OTHER_ID = uuid("5-coZmVdSKiaOL20CqTqqA");

describe("whose directory it is", () => {
  test("one process at a time", async () => {
    const disk = new MemoryDisk();
    await new Incarnation(disk).open();
    await expect(new Incarnation(disk).open()).rejects.toThrow(/in use by another process/);
  });

  test("its id stays; another cluster or node is refused with both ids", async () => {
    const disk = new MemoryDisk();
    const first = new Incarnation(disk);
    const directory = await first.open({ clusterId: null });
    await directory.adoptCluster("cluster-a");
    first.kill();
    const second = new Incarnation(disk);
    const again = await second.open({ clusterId: "cluster-a" });
    expect(again.directoryId).toBe(directory.directoryId);
    await expect(again.adoptCluster("cluster-b")).rejects.toThrow(/cluster-a.*cluster-b/);
    second.kill();
    await expect(new Incarnation(disk).open({ clusterId: "cluster-b" })).rejects.toThrow(/cluster-a.*cluster-b/);
    await expect(new Incarnation(disk).open({ clusterId: "cluster-a", nodeId: nodeId(7) })).rejects.toThrow(LogDirectoryRefused);
    expect(disk.file("data/meta.properties").toString()).toMatch(/^version=1\ncluster.id=cluster-a\nnode.id=1\ndirectory.id=/);
  });
});

describe("folders", () => {
  test("are found with their topic ids; a folder of another id is set aside, never erased", async () => {
    const disk = new MemoryDisk();
    const life = new Incarnation(disk);
    const directory = await life.open();
    const log = await openLog(directory, {}, { topic: "a.b-c", partition: 3 });
    append(log, { fill: "x" });
    await synced(log);
    expect(await directory.found()).toEqual([{ topic: "a.b-c", partition: 3, topicId: TOPIC_ID }]);
    life.kill();
    const next = new Incarnation(disk);
    const reopened = await next.open();
    const other = await reopened.openLog({ topic: "a.b-c", partition: 3, topicId: OTHER_ID, settings: SETTINGS, durable: true });
    expect([other.end, other.topicId, other.recovery.lostBelowDurable]).toEqual([0, OTHER_ID, false]);
    const { strays } = await reopened.usage();
    expect(strays.length).toBe(1);
    expect(disk.file(`data/${strays[0]?.name}/00000000000000000000.log`).includes("xxxx")).toBe(true);
    expect(await reopened.found()).toEqual([{ topic: "a.b-c", partition: 3, topicId: OTHER_ID }]);
  });

  test("deletion moves the folder at once and removes it later; a crash between is cleaned up", async () => {
    const disk = new MemoryDisk();
    const life = new Incarnation(disk);
    const directory = await life.open();
    const log = await openLog(directory);
    append(log);
    log.requestSync();
    await directory.deleteLog(log);
    expect(() => append(log)).toThrow(/closed/);
    expect(disk.names("data").filter((name) => name.endsWith("-delete")).length).toBe(1);
    expect(await directory.found()).toEqual([]);
    const again = await openLog(directory, { fileDeleteDelayMs: 5 });
    expect(again.end).toBe(0);
    await directory.deleteLog(again);
    await life.pass(6);
    expect(disk.names("data").filter((name) => name.endsWith("-delete")).length).toBe(0);
    await directory.deleteLog(await openLog(directory));
    life.kill();
    const next = await new Incarnation(disk).open();
    expect(await next.found()).toEqual([]);
    expect(disk.names("data").filter((name) => name.endsWith("-delete")).length).toBe(0);
  });

  test("segments that were waiting to go take no file of the next log of that name with them", async () => {
    const life = new Incarnation(new MemoryDisk());
    const directory = await life.open();
    const log = await openLog(directory, { segmentBytes: 300 });
    for (let i = 0; i < 10; i++) append(log);
    await synced(log);
    await turns(20);
    await log.raiseStart(offset(9));
    await directory.deleteLog(log);
    const next = await openLog(directory);
    append(next);
    await synced(next);
    await life.pass(SETTINGS.fileDeleteDelayMs);
    expect(life.disk.file("data/t-0/00000000000000000000.log").length).toBeGreaterThan(0);
    expect(readAll(next).length).toBeGreaterThan(0);
  });

  test("a log is deleted while it waits for its sync", async () => {
    const disk = new MemoryDisk();
    const life = new Incarnation(disk);
    const directory = await life.open();
    const log = await openLog(directory);
    disk.syncTurns = () => 50;
    append(log);
    log.requestSync();
    await turns(2);
    append(log);
    const cut = log.truncateTo(offset(0)).catch((error: unknown) => String(error));
    const maintained = log.maintain({ nowMs: NOW, upTo: offset(0) });
    const closed = log.close();
    await turns(2);
    await directory.deleteLog(log);
    expect(await cut).toMatch(/closed/);
    await Promise.all([maintained, closed]);
    expect(life.failures).toEqual([]);
  });

  test("a log that was closed is opened again", async () => {
    const directory = await new Incarnation(new MemoryDisk()).open();
    const log = await openLog(directory);
    append(log);
    await log.close();
    const again = await openLog(directory);
    expect([again.end, again.recovery.clean]).toEqual([1, true]);
    await expect(async () => openLog(directory)).rejects.toThrow(/open already/);
  });

  test("a log that cannot be written halts the node", async () => {
    const disk = new MemoryDisk();
    const life = new Incarnation(disk);
    const log = await openLog(await life.open());
    disk.full = true;
    append(log);
    await turns(3);
    expect(life.halted).toMatch(/could not be written/);
  });

  test("what metadata does not know is set aside, open or not", async () => {
    const disk = new MemoryDisk();
    const directory = await new Incarnation(disk).open();
    await openLog(directory);
    await directory.setAside("t", 0);
    await directory.setAside("t", 1); // nothing there
    expect((await directory.usage()).strays.length).toBe(1);
    expect((await openLog(directory)).end).toBe(0);
  });

  test("the topic id is durable before the first append", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const disk = new MemoryDisk();
      const life = new Incarnation(disk);
      append(await openLog(await life.open()));
      life.kill();
      disk.powerLoss((end) => seed % end);
      expect(disk.file("data/t-0/partition.metadata").toString()).toBe(`version: 0\ntopic_id: ${TOPIC_ID}`);
    }
  });
});

describe("checkpoints", () => {
  test("are written after syncs now and then, by one timer that an idle directory does not have", async () => {
    const disk = new MemoryDisk();
    const life = new Incarnation(disk);
    const directory = await life.open({ checkpointMs: 1000 });
    const log = await openLog(directory);
    const other = await openLog(directory, {}, { partition: 1 });
    append(log);
    append(other);
    await synced(log);
    await synced(other);
    expect(life.timers.filter((timer) => timer.live).length).toBe(1);
    await life.pass(1000);
    await turns(20);
    expect(disk.file("data/recovery-point-offset-checkpoint").toString()).toBe("0\n2\nt 0 1\nt 1 1\n");
    expect(life.timers.filter((timer) => timer.live)).toEqual([]);
  });

  test("high watermarks are kept as a hint", async () => {
    const directory = await new Incarnation(new MemoryDisk()).open();
    expect(await directory.readHighWatermarks()).toEqual(new Map());
    await directory.writeHighWatermarks(new Map([["t-0", 5], ["a-b-1", 7]]));
    expect(await directory.readHighWatermarks()).toEqual(new Map([["t-0", 5], ["a-b-1", 7]]));
  });

  test("flush.messages and flush.ms add syncs that nobody asked for", async () => {
    const life = new Incarnation(new MemoryDisk());
    const directory = await life.open();
    const byCount = await openLog(directory, { flushMessages: 3 });
    append(byCount, { count: 2 });
    await turns(10);
    expect(byCount.durableEnd).toBe(0);
    append(byCount);
    await turns(10);
    expect(byCount.durableEnd).toBe(3);
    const byTime = await openLog(directory, { flushMs: 50 }, { partition: 1 });
    append(byTime);
    await turns(10);
    expect(byTime.durableEnd).toBe(0);
    await life.pass(50);
    expect(byTime.durableEnd).toBe(1);
  });
});

describe("on a real disk", () => {
  test("logs are written, closed, and opened again; few files stay open for many logs", async () => {
    const making = await hostMaking();
    try {
      const world = await making.world({ disk: "one" });
      const directory = await openLogDirectory(world, { path: "logs", nodeId: nodeId(1), clusterId: "c", openFilesMax: 10 });
      const logs = await Promise.all(Array.from({ length: 40 }, (_, partition) => openLog(directory, { segmentBytes: 4000 }, { partition })));
      for (let round = 0; round < 20; round++) {
        for (const log of logs.slice(0, 20)) append(log, { count: 2, valueBytes: 200 });
        await world.clock.yield();
      }
      await Promise.all(logs.slice(0, 20).map((log) => new Promise<void>((resolve) => {
        log.requestSync();
        log.onProgress(() => (log.durableEnd === log.end ? resolve() : log.requestSync()));
        if (log.durableEnd === log.end) resolve();
      })));
      const bytes = logs.map((log) => readAll(log));
      expect(directory.inspect().openFiles).toBeLessThanOrEqual(21);
      const plan = (logs[5] as (typeof logs)[number]).plan(offset(0), { maxBytes: 1 << 20, upTo: offset(40), wholeFirstBatch: true });
      const lent = await (logs[5] as (typeof logs)[number]).read(plan);
      expect(Buffer.concat(lent.parts).equals(bytes[5] as Buffer)).toBe(true);
      lent.release();
      await Promise.all(logs.map((log) => log.close()));
      await directory.close(3n);
      world.halt("stopped");

      const next = await making.world({ disk: "one" });
      const again = await openLogDirectory(next, { path: "logs", nodeId: nodeId(1), clusterId: "c" });
      expect([again.cleanShutdown, again.previousBrokerEpoch, (await again.found()).length]).toEqual([true, 3n, 40]);
      const reopened = await Promise.all(Array.from({ length: 40 }, (_, partition) => openLog(again, { segmentBytes: 4000 }, { partition })));
      expect(reopened.every((log, i) => log.recovery.clean && readAll(log).equals(bytes[i] as Buffer))).toBe(true);
      next.halt("killed");

      const last = await making.world({ disk: "one" });
      const unclean = await openLogDirectory(last, { path: "logs", nodeId: nodeId(1), clusterId: "c" });
      const log = await openLog(unclean, { segmentBytes: 4000 }, { partition: 7 });
      expect([log.recovery.clean, log.recovery.cutBytes, readAll(log).equals(bytes[7] as Buffer)]).toEqual([false, 0, true]);
      expect(log.appendAsLeader(batch(), { epoch: epoch(2), nowMs: NOW, origin: "client" })).toMatchObject({ ok: true, base: 40 });
    } finally {
      await making.end();
    }
  }, 60_000);
});

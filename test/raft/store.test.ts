import { describe, expect, test } from "vitest";
import { uuid } from "../../src/base/ids.js";
import { adoptCluster, openDisk } from "../../src/raft/joining.js";
import { RaftStore, VoteLost, writeFirstVote, type Write } from "../../src/raft/store.js";
import type { Entry, Snapshot } from "../../src/raft/types.js";
import { member } from "./cluster.js";
import { MemoryDisk, PowerLost, storeWorld } from "./memory-disk.js";

const FOLDER = "q/log";
const MEMBERS = { voters: [member(1)], learners: [] };
const entry = (index: number, term = 1, bytes = 20): Entry => ({ index, term, kind: "data", payload: Buffer.from(`${index}@${term} `.padEnd(bytes, "x")) });
const entries = (from: number, to: number, term = 1): Entry[] => Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));
const append = (...list: Entry[]): Write => ({ do: "append", entries: list });
const save = (term: number, votedFor: string | null = null): Write => ({ do: "save", state: { term, votedFor } });

async function open(disk: MemoryDisk, segmentBytes = 200, used = true) {
  const world = storeWorld(disk);
  if (used && disk.names.size === 0) await writeFirstVote(world, FOLDER, { term: 0, votedFor: null });
  return RaftStore.open(world, { folder: FOLDER, segmentBytes, used });
}

async function filled(list: readonly Entry[] = entries(1, 12), segmentBytes = 200): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { store } = await open(disk, segmentBytes);
  await store.write([save(1, "1/a")]);
  for (const one of list) await store.write([append(one)]);
  return disk;
}

async function held(disk: MemoryDisk): Promise<{ readonly text: string; readonly damaged: boolean }> {
  const { restored } = await open(disk);
  const { base, last } = restored.log;
  const texts = restored.log.slice(base.index + 1, last.index + 1).map((one) => Buffer.from(one.payload).toString().trim().split(" ")[0]);
  return { text: texts.join(" "), damaged: restored.damaged };
}

const texts = (from: number, to: number) => entries(from, to).map((one) => `${one.index}@1`).join(" ");
const logFiles = (disk: MemoryDisk) => [...disk.names.keys()].filter((name) => name.endsWith(".log")).sort();

describe("the log on disk", () => {
  test("comes back over several files, with term and vote", async () => {
    const disk = await filled();
    expect(logFiles(disk).length).toBeGreaterThan(2);
    const { restored } = await open(disk);
    expect(restored.hard).toEqual({ term: 1, votedFor: "1/a" });
    expect(await held(disk)).toEqual({ text: texts(1, 12), damaged: false });
  });

  test("is cut across files, and goes on from there", async () => {
    const disk = await filled();
    const { store } = await open(disk);
    await store.write([save(2), { do: "truncate", from: 3, term: 1 }, append(entry(3, 2), entry(4, 2))]);
    expect(await held(disk)).toEqual({ text: "1@1 2@1 3@2 4@2", damaged: false });
    await store.write([{ do: "truncate", from: 1, term: 0 }, append(entry(1, 2))]);
    expect(await held(disk)).toEqual({ text: "1@2", damaged: false });
  });

  test("drops files that a snapshot covers", async () => {
    const disk = await filled();
    const { store } = await open(disk);
    expect(await store.snapshots.write({ index: 9, term: 1 }, MEMBERS, [Buffer.from("state")].values())).toMatchObject({ index: 9 });
    await store.write([{ do: "compact", to: { index: 9, term: 1 } }]);
    const { restored } = await open(disk);
    expect(restored.log.base.index).toBeGreaterThan(3);
    expect(restored.log.last.index).toBe(12);
    expect(restored.snapshot).toMatchObject({ index: 9, term: 1, members: MEMBERS });
  });

  test("a torn tail at any byte is cut, and what was marked durable tells it from damage", async () => {
    const disk = await filled(entries(1, 4), 10_000);
    const [file] = logFiles(disk) as [string];
    const whole = disk.content(file);
    const four = whole.length - 49; // records are 29 bytes and 20 of payload
    for (let end = four + 1; end < whole.length; end++) {
      const torn = disk.afterPowerLoss("everything");
      torn.replace(file, whole.subarray(0, end));
      torn.names.delete(`${FOLDER}/durable`);
      expect(await held(torn), `cut at ${end}`).toEqual({ text: texts(1, 3), damaged: false });
      const acknowledged = disk.afterPowerLoss("everything");
      acknowledged.replace(file, whole.subarray(0, end));
      expect(await held(acknowledged), `cut at ${end}, acknowledged`).toEqual({ text: texts(1, 3), damaged: true });
    }
  });

  test("a bad byte anywhere before the last record is damage; nothing is thrown away, and it stays damage until repaired", async () => {
    const disk = await filled(entries(1, 4), 10_000);
    const [file] = logFiles(disk) as [string];
    const whole = disk.content(file);
    for (let at = 0; at < whole.length; at++) {
      const hurt = disk.afterPowerLoss("everything");
      hurt.names.delete(`${FOLDER}/durable`);
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      hurt.replace(file, bytes);
      const inLast = at >= whole.length - 49;
      const found = await held(hurt);
      expect(found.damaged, `byte ${at}`).toBe(!inLast);
      expect(texts(1, 4).startsWith(found.text), `byte ${at}: what is kept is a beginning`).toBe(true);
      if (inLast) continue;
      expect([...hurt.names.keys()].some((name) => name.endsWith(".damaged")), `byte ${at}: set aside`).toBe(true);
      expect((await held(hurt)).damaged, `byte ${at}: still`).toBe(true);
      const { store } = await open(hurt);
      await store.repaired();
      expect((await held(hurt)).damaged, `byte ${at}: repaired`).toBe(false);
    }
  });

  test("a file that is missing, or swapped with another, is damage", async () => {
    const disk = await filled();
    const files = logFiles(disk) as [string, string, string];
    const missing = disk.afterPowerLoss("everything");
    missing.names.delete(files[1]);
    expect((await held(missing)).damaged).toBe(true);
    const swapped = disk.afterPowerLoss("everything");
    swapped.replace(files[1], disk.content(files[2]));
    swapped.replace(files[2], disk.content(files[1]));
    expect((await held(swapped)).damaged).toBe(true);
  });

  test("power lost at any step of writing, cutting and rolling leaves all that was durable, and never looks like damage", async () => {
    const script: Write[][] = [[save(1, "1/a")], [append(...entries(1, 5))], [append(...entries(6, 9))], [save(2), { do: "truncate", from: 4, term: 1 }, append(entry(4, 2), entry(5, 2))], [append(entry(6, 2))], [save(3), { do: "truncate", from: 2, term: 1 }, append(entry(2, 3))]];
    for (const keep of ["nothing", "names", "everything", "half", "lengths"] as const) {
      for (let failAt = 0; ; failAt++) {
        const disk = new MemoryDisk();
        const { store } = await open(disk);
        disk.failAt = disk.steps + failAt;
        let done = 0;
        try {
          for (const writes of script) {
            await store.write(writes);
            done++;
          }
        } catch (error) {
          expect(error).toBeInstanceOf(PowerLost);
        }
        await Promise.resolve();
        const next = disk.afterPowerLoss(keep);
        const { restored } = await open(next);
        const at = `${keep}, step ${failAt}, ${done} groups done`;
        expect(restored.damaged, at).toBe(false);
        expect(restored.hard.term, at).toBeGreaterThanOrEqual([0, 1, 1, 1, 2, 2, 3][done] ?? 0);
        const { last } = restored.log;
        const least = [0, 0, 5, 3, 5, 1, 2][done] ?? 0; // while a group that cuts is under way, what it cuts may be gone
        expect(last.index, at).toBeGreaterThanOrEqual(least);
        if (done === script.length) break;
        expect(failAt).toBeLessThan(500);
      }
    }
  });

  test("power lost at any step of recovery changes nothing", async () => {
    const disk = await filled(entries(1, 8));
    const files = logFiles(disk);
    const middle = files[1] as string;
    const bytes = Buffer.from(disk.content(middle));
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    disk.replace(middle, bytes);
    const expected = await held(disk.afterPowerLoss("everything"));
    expect(expected.damaged).toBe(true);
    for (let failAt = 1; failAt < 200; failAt++) {
      const first = disk.afterPowerLoss("everything");
      first.failAt = failAt;
      const finished = await open(first).then(() => true, () => false);
      expect(await held(first.afterPowerLoss("nothing")), `step ${failAt}`).toEqual(expected);
      expect(await held(first.afterPowerLoss("everything")), `step ${failAt}`).toEqual(expected);
      if (finished) return;
    }
    expect.unreachable("recovery takes fewer steps");
  });
});

describe("term and vote", () => {
  test("a damaged or missing record is told, not taken for an old one", async () => {
    const disk = await filled();
    const bytes = Buffer.from(disk.content(`${FOLDER}/vote`));
    bytes[8] = (bytes[8] ?? 0) ^ 1;
    disk.replace(`${FOLDER}/vote`, bytes);
    await expect(open(disk)).rejects.toBeInstanceOf(VoteLost);
    disk.names.delete(`${FOLDER}/vote`);
    await expect(open(disk)).rejects.toBeInstanceOf(VoteLost);
  });
});

describe("snapshots", () => {
  async function donor(): Promise<{ readonly bytes: Uint8Array; readonly snapshot: Snapshot }> {
    const { store } = await open(await filled(entries(1, 30)), 200);
    const snapshot = (await store.snapshots.write({ index: 30, term: 1 }, MEMBERS, [Buffer.from("one"), Buffer.alloc(0), Buffer.from("three")].values())) as Snapshot;
    return { snapshot, bytes: (await store.snapshots.readChunk(snapshot, 0, snapshot.bytes)) as Uint8Array };
  }

  test("travel whole: the blocks come out as they went in", async () => {
    const { bytes, snapshot } = await donor();
    const { store } = await open(await filled(entries(1, 3)));
    for (let at = 0; at < bytes.length; at += 10) expect(store.snapshots.storeChunk(at, bytes.subarray(at, at + 10))).toBe(true);
    const installed = (await store.snapshots.install(snapshot, bytes.length)) as Snapshot;
    expect(installed).toEqual(snapshot);
    const blocks: string[] = [];
    for await (const block of store.snapshots.blocks(installed)) blocks.push(Buffer.from(block).toString());
    expect(blocks).toEqual(["one", "", "three"]);
  });

  test("with any byte changed, or cut anywhere, one is not installed, and on disk never taken for an empty state", async () => {
    const { bytes, snapshot } = await donor();
    for (let at = 0; at < bytes.length; at++) {
      const { store } = await open(await filled(entries(1, 3)));
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ 4;
      store.snapshots.storeChunk(0, bad);
      expect(await store.snapshots.install(snapshot, bytes.length), `byte ${at}`).toBeNull();
      store.snapshots.storeChunk(0, bytes.subarray(0, at));
      expect(await store.snapshots.install(snapshot, at), `cut at ${at}`).toBeNull();
    }
    const disk = await filled(entries(1, 3));
    const { store } = await open(disk);
    store.snapshots.storeChunk(0, bytes);
    await store.snapshots.install(snapshot, bytes.length);
    await store.write([{ do: "reset", to: snapshot }, append(...entries(31, 33))]);
    const name = [...disk.names.keys()].find((one) => one.endsWith(".snapshot")) as string;
    const bad = Buffer.from(bytes);
    bad[40] = (bad[40] ?? 0) ^ 1;
    disk.replace(name, bad);
    const { restored } = await open(disk);
    expect(restored).toMatchObject({ damaged: true, snapshot: null });
    expect(restored.log.last.index).toBe(0);
    expect([...disk.names.keys()].filter((one) => one.endsWith(".damaged")).length, "log and snapshot are kept for people").toBe(2);
  });

  test("power lost at any step of an installation leaves the old log or the snapshot", async () => {
    const { bytes, snapshot } = await donor();
    for (const keep of ["nothing", "names", "everything"] as const) {
      for (let failAt = 0; ; failAt++) {
        expect(failAt).toBeLessThan(500);
        const disk = await filled(entries(1, 12));
        const { store } = await open(disk);
        disk.failAt = disk.steps + failAt;
        let finished = false;
        try {
          store.snapshots.storeChunk(0, bytes);
          await store.snapshots.install(snapshot, bytes.length);
          await store.write([{ do: "reset", to: snapshot }, append(...entries(31, 33))]);
          finished = true;
        } catch (error) {
          expect(error).toBeInstanceOf(PowerLost);
        }
        const { restored } = await open(disk.afterPowerLoss(keep));
        const { base, last } = restored.log;
        expect(restored.damaged, `${keep}, step ${failAt}`).toBe(false);
        if (restored.snapshot === null) expect([base.index, last.index], `${keep}, step ${failAt}`).toEqual([0, 12]);
        else expect(base.index === 30 && last.index >= 30, `${keep}, step ${failAt}: ${base.index} to ${last.index}`).toBe(true);
        if (finished) break;
      }
    }
  });

  test("a full disk costs the snapshot, not the node", async () => {
    const disk = await filled();
    const { store } = await open(disk);
    disk.full = true;
    expect(await store.snapshots.write({ index: 9, term: 1 }, MEMBERS, [Buffer.from("state")].values())).toBeNull();
    expect(store.snapshots.storeChunk(0, Buffer.from("x"))).toBe(false);
    disk.full = false;
    await store.write([append(entry(13))]);
    expect((await held(disk)).text).toBe(texts(1, 13));
  });
});

describe("whose disk it is", () => {
  const place = { directory: "q", nodeId: member(1).id, segmentBytes: 1000 };

  test("power lost at any step of founding leaves an empty disk or a founded one", async () => {
    for (let failAt = 0; ; failAt++) {
      expect(failAt).toBeLessThan(200);
      const disk = new MemoryDisk();
      const world = storeWorld(disk);
      const { identity } = await openDisk(world, place);
      disk.failAt = disk.steps + failAt;
      const finished = await adoptCluster(world, place, identity, "cluster", MEMBERS).then(() => true, () => false);
      for (const keep of ["nothing", "everything"] as const) {
        const next = disk.afterPowerLoss(keep);
        next.rename = (from, to) => { // of folders, as setting a log aside does
          const moved = [...next.names].filter(([name]) => name === from || name.startsWith(`${from}/`));
          for (const [name, inode] of moved) {
            next.names.delete(name);
            next.names.set(to + name.slice(from.length), inode);
          }
          next.folders.delete(from);
          return Promise.resolve();
        };
        const opened = await openDisk(storeWorld(next), place);
        if (finished) expect(opened.identity.clusterId).toBe("cluster");
        if (opened.identity.clusterId === "") expect(opened.store).toBeNull();
        else expect(opened.store !== null && opened.restored.log.last).toEqual({ index: 1, term: 1 });
        expect(opened.identity.directoryId).toBe(uuid(identity.directoryId));
      }
      if (finished) break;
    }
  });
});

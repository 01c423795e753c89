import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import type { HostWorld } from "../../src/host/world.js";
import { DiskFault } from "../../src/world/disk.js";
import { Nodes } from "./nodes.js";

describe("a quorum on the host World", { timeout: 30_000 }, () => {
  let nodes: Nodes | null = null;
  afterEach(async () => {
    await nodes?.end();
    nodes = null;
  });

  test("one node founds at once, commits, and finds it all again", async () => {
    nodes = await Nodes.start(1);
    const [node] = nodes.nodes;
    await nodes.commit("a");
    const { clusterId, directoryId } = node!.quorum.status();
    await nodes.stop(node!);
    await nodes.restart(node!);
    await nodes.commit("b");
    expect(node!.machine.texts).toEqual(["a", "b"]);
    expect(node!.quorum.status()).toMatchObject({ clusterId, directoryId, role: "leader", standing: "voter" });
  });

  test("three nodes found, commit, lose their leader by kill and by close, and come back from disk", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const first = await nodes.until("a leader", () => nodes!.leader());
    expect(new Set(nodes.nodes.map((node) => node.quorum.status().clusterId)).size).toBe(1);

    nodes.kill(first);
    await nodes.commit("b");
    const second = await nodes.until("another leader", () => nodes!.leader());
    await nodes.restart(first);
    await nodes.commit("c");
    await nodes.stop(second);
    await nodes.commit("d");
    await nodes.restart(second);
    await nodes.commit("e");
    for (const node of nodes.nodes) nodes.kill(node);
    for (const node of nodes.nodes) await nodes.restart(node);
    await nodes.commit("f");
    for (const node of nodes.nodes) expect(node.machine.texts).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(nodes.halts.filter((halt) => halt.cause !== undefined)).toEqual([]);
  });

  test("inspect tells roles, indexes and queues, which are empty at rest", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    for (const node of nodes.nodes) {
      const rest = await nodes.until("it is at rest", () => {
        const seen = node.quorum.inspect();
        return seen.queuedWrites === 0 && seen.heldPromises === 0 && seen.durableIndex === seen.lastIndex && seen.commitIndex === seen.lastIndex && seen.openStreams === 4 ? seen : null;
      });
      expect(rest).toMatchObject({ role: node === nodes.leader() ? "leader" : "follower", standing: "voter", pendingReads: 0, pendingChanges: 0, queuedEvents: 0, queuedDeliveries: 0, stalled: false, repairing: false });
      expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
    }
  });

  test("reads are confirmed by the leader alone", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const leader = await nodes.until("a leader", () => nodes!.leader());
    for (const node of nodes.nodes) {
      const read = await node.quorum.readIndex();
      expect(read.ok).toBe(node === leader);
      if (read.ok) expect(read.index).toBeGreaterThanOrEqual(3);
    }
  });

  test("a follower that is far behind gets a snapshot by chunks, and restarts from it", async () => {
    nodes = await Nodes.start(3, { snapshotEntries: 20, segmentBytes: 2000 });
    await nodes.commit("start");
    const behind = nodes.nodes.find((node) => node !== nodes!.leader())!;
    nodes.kill(behind);
    for (let i = 0; i < 100; i++) await nodes.commit(`${i} ${"x".repeat(100)}`);
    await nodes.until("the log is cut", () => nodes!.leader()!.quorum.status().logStart > 20);
    await nodes.restart(behind, { snapshotEntries: 20, segmentBytes: 2000 });
    await nodes.commit("end");
    expect(behind.machine.restores).toBeGreaterThan(0);
    expect(behind.machine.texts.length).toBe(102);
    expect(behind.machine.texts).toEqual(nodes.leader()!.machine.texts);
    nodes.kill(behind);
    await nodes.restart(behind, { snapshotEntries: 20, segmentBytes: 2000 });
    await nodes.commit("again");
    expect(behind.machine.texts.length).toBe(103);
    expect(nodes.halts.filter((halt) => halt.cause !== undefined)).toEqual([]);
  });

  test("a wiped voter comes back as a learner, says so, and votes again by itself once it has been in step", async () => {
    const returnAfterMs = 1_000;
    nodes = await Nodes.start(3, { returnAfterMs });
    await nodes.commit("a");
    const wiped = nodes.nodes.find((node) => node !== nodes!.leader())!;
    const before = wiped.quorum.status().directoryId;
    nodes.kill(wiped);
    fs.rmSync(nodes.folder(wiped), { recursive: true });
    await nodes.restart(wiped, { returnAfterMs });
    await nodes.commit("b");
    const leader = await nodes.until("a leader", () => nodes!.leader());
    await nodes.until("it is a learner", () => wiped.quorum.status().standing === "learner");
    expect(leader.quorum.status().notes.join()).toContain(`node ${wiped.id} came back on another disk (${wiped.quorum.status().directoryId}, before ${before}): it follows as a learner`);
    expect(wiped.machine.texts).toEqual(["a", "b"]);
    await nodes.until("it is a voter", () => wiped.quorum.status().standing === "voter");
    await nodes.until("that is committed", () => leader.quorum.status().learners.length === 0);
    expect(leader.quorum.status().voters.map((one) => one.directoryId).sort()).toEqual(nodes.nodes.map((node) => node.quorum.status().directoryId).sort());
    expect(leader.quorum.status().notes).toEqual([]);
    const other = nodes.nodes.find((node) => node !== leader && node !== wiped)!;
    nodes.kill(other); // its vote counts now
    await nodes.commit("c");
    expect(nodes.halts.filter((halt) => halt.cause !== undefined)).toEqual([]);
  });

  test("a damaged vote makes a new member of the disk", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const hurt = nodes.nodes.find((node) => node !== nodes!.leader())!;
    const before = hurt.quorum.status().directoryId;
    nodes.kill(hurt);
    const file = path.join(nodes.folder(hurt), "quorum/log/vote");
    const bytes = fs.readFileSync(file);
    bytes[6]! ^= 1;
    fs.writeFileSync(file, bytes);
    await nodes.restart(hurt);
    await nodes.commit("b");
    await nodes.until("it is a learner", () => hurt.quorum.status().standing === "learner");
    expect(hurt.quorum.status().directoryId).not.toBe(before);
    expect(hurt.machine.texts).toEqual(["a", "b"]);
  });

  test("a disk of another node is refused with both ids", async () => {
    nodes = await Nodes.start(1);
    await nodes.commit("a");
    const [one] = nodes.nodes;
    await nodes.stop(one!);
    const meta = path.join(nodes.folder(one!), "quorum/meta.properties");
    fs.writeFileSync(meta, fs.readFileSync(meta, "utf8").replace("node.id=1", "node.id=7"));
    await expect(nodes.restart(one!)).rejects.toThrow("belongs to node 7, and this is node 1");
  });

  test("a node of another cluster is refused with both ids, and disturbs nobody", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const other = await Nodes.start(1);
    try {
      await other.commit("x");
      const theirs = other.nodes[0]!.quorum.status().clusterId;
      await other.stop(other.nodes[0]!);
      const stranger = nodes.nodes[0]!;
      nodes.kill(stranger);
      fs.rmSync(nodes.folder(stranger), { recursive: true });
      fs.cpSync(other.folder(other.nodes[0]!), nodes.folder(stranger), { recursive: true });
      await nodes.restart(stranger);
      const ours = nodes.nodes[1]!.quorum.status().clusterId;
      const line = await nodes.until("it is refused", () => nodes!.lines.find((one) => one.includes("a node of another cluster was refused")));
      expect(line).toContain(ours);
      expect(line).toContain(theirs);
      nodes.kill(stranger);
      await nodes.commit("b");
      expect(nodes.nodes[1]!.machine.texts).toEqual(["a", "b"]);
    } finally {
      await other.end();
    }
  });

  test("C16: a follower whose log is damaged says so, fetches what it lost, and is whole again", async () => {
    nodes = await Nodes.start(3);
    for (const text of ["a", "b", "c", "d"]) await nodes.commit(text);
    const hurt = nodes.nodes.find((node) => node !== nodes!.leader())!;
    await nodes.stop(hurt);
    const folder = path.join(nodes.folder(hurt), "quorum/log");
    const file = path.join(folder, fs.readdirSync(folder).find((name) => name.endsWith(".log"))!);
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 60]! ^= 1;
    fs.writeFileSync(file, bytes);
    await nodes.restart(hurt);
    await nodes.until("it is whole again", () => nodes!.lines.some((line) => line.includes("whole again")));
    await nodes.commit("e");
    expect(hurt.machine.texts).toEqual(["a", "b", "c", "d", "e"]);
    expect(nodes.lines.some((line) => line.includes("is damaged"))).toBe(true);
    expect(fs.existsSync(`${file}.damaged`)).toBe(true);
    expect(hurt.quorum.status().repairing).toBe(false);
  });

  test("C18: a failed sync ends the node, and the others go on", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const leader = await nodes.until("a leader", () => nodes!.leader());
    let fails = false;
    await nodes.stop(leader);
    await nodes.restart(leader, {}, (world) => withSync(world, (sync) => (fails ? Promise.reject(new DiskFault("failed", "disk", "EIO")) : sync())));
    await nodes.commit("b");
    fails = true;
    await nodes.until("c is proposed", () => nodes!.leader()?.quorum.propose(Buffer.from("c")).ok);
    await nodes.until("it has halted", () => nodes!.halts.some((halt) => halt.cause instanceof DiskFault));
    nodes.kill(leader);
    fails = false;
    await nodes.commit("d");
  });

  test("C13: a leader whose disk hangs gives way, and what it was asked meanwhile is never acknowledged by it", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const stalled = nodes.nodes[0]!;
    let hangs = false;
    await nodes.stop(stalled);
    await nodes.restart(stalled, {}, (world) => withSync(world, (sync) => (hangs ? new Promise<void>(() => undefined) : sync())));
    await nodes.commit("b");
    await nodes.until("it leads", () => {
      const leader = nodes!.leader();
      if (leader !== null && leader !== stalled) void leader.quorum.transferLeadership(nodeId(1));
      return leader === stalled;
    });
    hangs = true;
    expect(stalled.quorum.propose(Buffer.from("c")).ok).toBe(true);
    await nodes.until("it gives way", () => stalled.quorum.status().role !== "leader");
    const next = await nodes.until("another leads", () => {
      const leader = nodes!.leader();
      return leader === stalled ? null : leader;
    });
    expect(next.quorum.propose(Buffer.from("d")).ok).toBe(true);
    await nodes.until("d is committed", () => next.machine.texts.includes("d"));
    nodes.kill(stalled);
  });
});

/** Every sync of every file of this World goes through `how`. */
function withSync(world: HostWorld, how: (sync: () => Promise<void>) => Promise<void>): void {
  const { disk } = world;
  const open = disk.open.bind(disk);
  disk.open = (...args) => {
    const file = open(...args);
    const sync = file.sync.bind(file);
    file.sync = () => how(sync);
    return file;
  };
}

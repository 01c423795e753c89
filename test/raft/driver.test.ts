import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
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

  test("a wiped voter comes back as a learner, and replaces the voter that it was when told to", async () => {
    nodes = await Nodes.start(3);
    await nodes.commit("a");
    const wiped = nodes.nodes.find((node) => node !== nodes!.leader())!;
    nodes.kill(wiped);
    fs.rmSync(nodes.folder(wiped), { recursive: true });
    await nodes.restart(wiped);
    await nodes.commit("b");
    const leader = await nodes.until("a leader", () => nodes!.leader());
    await nodes.until("it is a learner", () => wiped.quorum.status().standing === "learner");
    expect(leader.quorum.status().notes.join()).toContain(`node ${wiped.id} came back on another disk`);
    const replaced = await nodes.until("it has caught up", () => (leader.quorum.status().learners[0]?.lastCaughtUpMs ?? -1) > 0).then(() => leader.quorum.changeVoters({ kind: "replace", id: leader.quorum.status().learners[0]!.id }));
    expect(replaced).toMatchObject({ ok: true });
    await nodes.until("it is a voter", () => wiped.quorum.status().standing === "voter");
    expect(leader.quorum.status().voters.length).toBe(3);
    await nodes.commit("c");
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

  test("a disk of another node, and a node of another cluster, are refused with both ids", async () => {
    nodes = await Nodes.start(1);
    await nodes.commit("a");
    const other = await Nodes.start(1);
    try {
      await other.commit("x");
      const [one] = nodes.nodes;
      const [two] = other.nodes;
      await nodes.stop(one!);
      const meta = path.join(nodes.folder(one!), "quorum/meta.properties");
      fs.writeFileSync(meta, fs.readFileSync(meta, "utf8").replace("node.id=1", "node.id=7"));
      await expect(nodes.restart(one!)).rejects.toThrow("belongs to node 7, and this is node 1");
      await two!.quorum.close();
    } finally {
      await other.end();
    }
  });
});

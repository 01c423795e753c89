import { afterEach, describe, expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import { sessionToken } from "../../src/metadata/session-token.js";
import { REPLICA_SOFTWARE, tokenAsVersion } from "../../src/replication/replica-handshake.js";
import { HandCluster } from "./brokers.js";

let cluster: HandCluster;
afterEach(() => cluster.end());

const RF3 = { replicas: [1, 2, 3], settings: { "min.insync.replicas": "2" } };

describe("three brokers over TCP", () => {
  test("an acknowledged batch is on the disk of every in-sync replica, and readers see it", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    for (let i = 0; i < 20; i++) {
      const outcome = await cluster.produce(1, id, [`a${i}`, `b${i}`]);
      expect(outcome).toMatchObject({ error: "NONE", baseOffset: 2 * i });
      for (const broker of [1, 2, 3]) expect(cluster.state(broker).durableEnd).toBeGreaterThanOrEqual(2 * i + 2);
    }
    expect((await cluster.consume(1, id)).length).toBe(40);
    await cluster.until(() => cluster.state(2).highWatermark === 40 && cluster.state(3).highWatermark === 40, "followers learn the high watermark");
  });

  test("a dead leader's successor has everything acknowledged; the dead one comes back, follows, and joins the ISR", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    for (let i = 0; i < 10; i++) expect((await cluster.produce(1, id, [`v${i}`])).error).toBe("NONE");
    cluster.kill(1);
    cluster.fence(1);
    expect(cluster.partition(id).leader).toBe(2);
    await cluster.until(() => cluster.state(2).role === "leader", "2 leads");
    expect((await cluster.produce(2, id, ["after"])).error).toBe("NONE");
    expect(await cluster.consume(2, id)).toEqual([...Array.from({ length: 10 }, (_, i) => `v${i}`), "after"]);
    await cluster.start(1);
    await cluster.until(() => cluster.partition(id).isr.length === 3, "1 is back in the ISR");
    expect(cluster.state(1).end).toBe(11);
    cluster.elect(id, 1);
    await cluster.until(() => cluster.state(1).role === "leader", "1 leads again");
    expect((await cluster.produce(1, id, ["again"])).error).toBe("NONE");
  });

  test("C6: a deposed leader cuts what was never acknowledged, by epoch, and takes no watermark before", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    expect((await cluster.produce(1, id, ["kept"])).error).toBe("NONE");
    // 1 is cut off from the feed and, as the others follow somebody else now, from its followers.
    const old = cluster.broker(1);
    old.coordination.hears = false;
    cluster.fence(1);
    await cluster.until(() => cluster.state(2).role === "leader" && cluster.state(3).epoch === 1, "2 leads");
    const stale = cluster.produce(1, id, ["unacknowledged 1", "unacknowledged 2"]);
    for (let i = 0; i < 3; i++) expect((await cluster.produce(2, id, [`new ${i}`])).error).toBe("NONE");
    await cluster.until(() => cluster.state(1).durableEnd === 3, "the old leader has its own tail");
    expect(cluster.state(1).highWatermark).toBe(1);
    old.coordination.hears = true;
    cluster.write([{ kind: "broker-changed", id: old.id, epoch: old.coordination.brokerEpoch ?? 0n, fenced: false, stopping: false }, { kind: "partitions-changed", topicId: id, rows: [{ ...cluster.partition(id), directories: null, unclean: false, partitionEpoch: cluster.partition(id).partitionEpoch + 1 }] }]);
    expect((await stale).error).toBe("NOT_LEADER_OR_FOLLOWER");
    await cluster.until(() => cluster.partition(id).isr.length === 3, "1 joined again");
    cluster.elect(id, 1);
    await cluster.until(() => cluster.state(1).role === "leader" && cluster.state(1).highWatermark === 4, "1 leads");
    expect(await cluster.consume(1, id)).toEqual(["kept", "new 0", "new 1", "new 2"]);
  });

  test("below min.insync.replicas nothing is written with acks=all, and what waits is not acknowledged", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader" && cluster.state(2).role === "follower" && cluster.state(3).role === "follower", "roles");
    expect((await cluster.produce(1, id, ["a"])).error).toBe("NONE");
    cluster.kill(2);
    cluster.kill(3);
    const waiting = cluster.produce(1, id, ["b"], { timeoutMs: 300 });
    cluster.fence(2);
    cluster.fence(3);
    expect((await waiting).error).toBe("REQUEST_TIMED_OUT");
    expect((await cluster.produce(1, id, ["c"])).error).toBe("NOT_ENOUGH_REPLICAS");
    expect((await cluster.produce(1, id, ["d"], { acks: 1 })).error).toBe("NONE");
    expect(await cluster.consume(1, id)).toEqual(["a"]);
    await cluster.start(2);
    await cluster.until(() => cluster.partition(id).isr.length === 2, "2 joins");
    await cluster.until(() => cluster.state(1).highWatermark === 3, "the watermark moves on");
  });

  test("an answer of the controller that is lost does not let the watermark pass the member that joined", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    cluster.onAlterIsr = (outcomes) => Promise.resolve(outcomes.map(() => ({ ok: false, error: "REQUEST_TIMED_OUT" }) as const));
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    expect((await cluster.produce(1, id, ["a"])).error).toBe("NONE");
    cluster.kill(3);
    cluster.fence(3);
    expect((await cluster.produce(1, id, ["b"])).error).toBe("NONE");
    await cluster.start(3);
    await cluster.until(() => cluster.partition(id).isr.length === 3, "3 joins");
    expect((await cluster.produce(1, id, ["c"])).error).toBe("NONE");
    expect(cluster.state(3).durableEnd).toBe(3);
  });

  test("who has everything but is fenced joins with the news that it is not any more", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    expect((await cluster.produce(1, id, ["a"])).error).toBe("NONE");
    cluster.kill(3);
    cluster.fence(3);
    expect((await cluster.produce(1, id, ["b"])).error).toBe("NONE");
    await cluster.start(3, { fenced: true });
    await cluster.until(() => cluster.state(3).durableEnd === 2 && cluster.state(3).highWatermark === 2, "3 has everything");
    expect(cluster.partition(id).isr).toEqual([1, 2]);
    cluster.unfence(3);
    await cluster.until(() => cluster.partition(id).isr.length === 3, "3 joins");
  });

  test("C24: a topic made again under its name holds nothing of the old one; a replica that was away sets the old folder aside", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const old = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    expect((await cluster.produce(1, old, ["old"])).error).toBe("NONE");
    cluster.kill(3);
    cluster.fence(3);
    cluster.write([{ kind: "topic-deleted", topicId: old }]);
    await cluster.until(() => cluster.broker(1).manager.inspect().partitions.length === 0 && cluster.broker(2).manager.inspect().partitions.length === 0, "deleted");
    const { directoryId } = cluster.broker(1).directory;
    await cluster.start(3);
    await cluster.until(() => cluster.broker(3).manager.inspect().partitions.length === 0, "3 knows nothing of it");
    const { manager } = cluster.broker(3);
    let strays = 0;
    await cluster.until(() => {
      void manager.describeDirectory().then((found) => (strays = found.strays.length));
      return strays > 0;
    }, "3 sets it aside");
    expect(strays).toBe(1);
    const fresh = cluster.topic("t", RF3);
    await cluster.until(() => [1, 2, 3].every((broker) => cluster.state(broker).epoch === 0), "made again");
    expect((await cluster.produce(1, fresh, ["new"])).error).toBe("NONE");
    expect(await cluster.consume(1, fresh)).toEqual(["new"]);
    expect(cluster.state(3).end).toBe(1);
    expect(directoryId).not.toBe("");
  });

  test("a replica far behind catches up over many fetches, and one below the leader's start begins there", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    cluster.kill(3);
    cluster.fence(3);
    const value = "x".repeat(100_000);
    for (let i = 0; i < 30; i++) expect((await cluster.produce(1, id, [value])).error).toBe("NONE");
    const cut = await cluster.broker(1).manager.deleteRecords({ topicId: id, partition: 0 }, { before: 10n, timeoutMs: 5_000 });
    expect(cut).toEqual({ error: "NONE", lowWatermark: 10n });
    expect(cluster.state(2).start).toBe(10);
    await cluster.start(3);
    await cluster.until(() => cluster.partition(id).isr.length === 3, "3 joins");
    expect(cluster.state(3)).toMatchObject({ start: 10, end: 30 });
  });

  test("a client that claims to be a replica is refused", async () => {
    cluster = await HandCluster.make([1, 2]);
    const id = cluster.topic("t", { replicas: [1, 2] });
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    const { fetches } = cluster.broker(1);
    const connection = { listener: "PLAINTEXT", softwareName: "apache-kafka-java", softwareVersion: "4.3.1", onClose: () => () => undefined };
    const request = { clusterId: null, replicaId: -1, replicaState: { replicaId: 2, replicaEpoch: cluster.broker(2).coordination.brokerEpoch ?? 0n }, maxWaitMs: 0, minBytes: 0, maxBytes: 1000, isolationLevel: 0, sessionId: 0, sessionEpoch: -1, topics: [{ topic: "", topicId: id, partitions: [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: 0n, lastFetchedEpoch: -1, logStartOffset: 0n, partitionMaxBytes: 1000, replicaDirectoryId: id, highWatermark: 0n }] }], forgottenTopicsData: [], rackId: "" };
    const answer = await fetches.fetch(request, { version: 17, clientId: "evil", connection });
    expect(answer.body.errorCode).toBe(31);
  });

  test("lax topics: acknowledged means written on every in-sync replica; turning durable waits for the disk", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", { ...RF3, settings: { ...RF3.settings, "kontiki.acks.durable": "false" } });
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    for (let i = 0; i < 20; i++) expect((await cluster.produce(1, id, [`v${i}`])).error).toBe("NONE");
    cluster.write([{ kind: "config-changed", type: "topic", name: "t", changes: [{ name: "kontiki.acks.durable", value: "true" }] }]);
    for (let i = 20; i < 30; i++) expect((await cluster.produce(1, id, [`v${i}`])).error).toBe("NONE");
    expect(cluster.state(2).durableEnd).toBe(30);
  });

  test("a follower learns of the high watermark soon, though nothing more is written and its fetch might wait long", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    cluster.settings.set("replica.fetch.wait.max.ms", 60_000);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    for (let i = 1; i <= 5; i++) {
      expect((await cluster.produce(1, id, ["a"])).error).toBe("NONE");
      await cluster.until(() => cluster.state(2).highWatermark === i && cluster.state(3).highWatermark === i, "both know it");
    }
  });

  test("a partition whose sync hangs on a follower holds no other one up, and is told when it is over", async () => {
    cluster = await HandCluster.make([1, 2]);
    const settings = { "min.insync.replicas": "2" };
    const slow = cluster.topic("slow", { replicas: [1, 2], settings });
    const fast = cluster.topic("fast", { replicas: [1, 2], settings });
    await cluster.until(() => cluster.state(1, "slow").role === "leader" && cluster.state(1, "fast").role === "leader", "leads");
    for (const id of [slow, fast]) expect((await cluster.produce(1, id, ["first"])).error).toBe("NONE");
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    cluster.onSync = (broker, path) => (broker === 2 && path.includes("slow-0") ? held : null);
    let acknowledged = false;
    const waiting = cluster.produce(1, slow, ["second"], { timeoutMs: 60_000 }).then((outcome) => {
      acknowledged = true;
      return outcome;
    });
    for (let i = 0; i < 20; i++) {
      const both = await Promise.all([cluster.produce(1, fast, [`v${i}`]), cluster.produce(1, fast, [`w${i}`])]);
      expect(both.map((outcome) => outcome.error)).toEqual(["NONE", "NONE"]);
    }
    const more = cluster.produce(1, slow, ["third"], { timeoutMs: 60_000 });
    expect(acknowledged).toBe(false);
    expect(cluster.state(2, "slow")).toMatchObject({ durableEnd: 1, end: 2 }); // what comes after it is not even sent
    release();
    expect((await waiting).error).toBe("NONE");
    expect((await more).error).toBe("NONE");
    expect(cluster.state(2, "slow")).toMatchObject({ durableEnd: 3, end: 3 });
  });

  test("what was sent to a follower is not sent again before it names its next offset", async () => {
    cluster = await HandCluster.make([1, 2]);
    const id = cluster.topic("t", { replicas: [1, 2], partitions: 2 });
    await cluster.until(() => cluster.state(1).role === "leader", "leads");
    cluster.kill(2); // we speak in its name
    expect((await cluster.produce(1, id, ["a"], { acks: 1 })).error).toBe("NONE");
    const { fetches, coordination } = cluster.broker(1);
    const known = coordination.image.broker(nodeId(2));
    const token = sessionToken(coordination.image, nodeId(2), nodeId(1));
    if (known === null || token === null) throw new Error("2 is registered");
    const connection = { listener: "PLAINTEXT", softwareName: REPLICA_SOFTWARE, softwareVersion: tokenAsVersion(token), onClose: () => () => undefined };
    let sessionId = 0;
    let sessionEpoch = 0;
    const fetch = async (named: readonly { readonly partition: number; readonly at: bigint; readonly epoch: number }[]) => {
      const partitions = named.map(({ partition, at, epoch }) => ({ partition, currentLeaderEpoch: 0, fetchOffset: at, lastFetchedEpoch: epoch, logStartOffset: 0n, partitionMaxBytes: 1_000, replicaDirectoryId: id, highWatermark: 0n }));
      const answer = await fetches.fetch({ clusterId: null, replicaId: -1, replicaState: { replicaId: 2, replicaEpoch: known.epoch }, maxWaitMs: 50, minBytes: 1, maxBytes: 10_000, isolationLevel: 0, sessionId, sessionEpoch: sessionEpoch++, topics: [{ topic: "", topicId: id, partitions }], forgottenTopicsData: [], rackId: "" }, { version: 17, clientId: "2", connection });
      expect(answer.body.errorCode).toBe(0);
      sessionId = answer.body.sessionId ?? 0;
      answer.release();
      return (answer.body.responses ?? []).flatMap((topic) => (topic.partitions ?? []).filter((one) => Array.isArray(one.records) && one.records.length > 0).map((one) => one.partitionIndex));
    };
    expect(await fetch([0, 1].map((partition) => ({ partition, at: 0n, epoch: -1 })))).toEqual([0]);
    expect((await cluster.produce(1, id, ["b"], { acks: 1 })).error).toBe("NONE");
    expect(await fetch([])).toEqual([]); // its disk is still busy with the first
    expect(await fetch([{ partition: 0, at: 1n, epoch: 0 }])).toEqual([0]);
    expect(await fetch([{ partition: 0, at: 1n, epoch: 0 }])).toEqual([0]); // named again: it has lost what we sent
  });

  test("many partitions move between leaders again and again, and every log agrees", async () => {
    cluster = await HandCluster.make([1, 2, 3]);
    const id = cluster.topic("t", RF3);
    await cluster.until(() => [1, 2, 3].every((broker) => cluster.state(broker).role !== "offline"), "roles");
    let count = 0;
    for (let round = 0; round < 30; round++) {
      const leader = (round % 3) + 1;
      cluster.elect(id, leader);
      await cluster.until(() => cluster.state(leader).role === "leader", `${leader} leads`);
      const outcomes = await Promise.all([0, 1, 2].map((i) => cluster.produce(leader, id, [`r${round}-${i}`])));
      for (const outcome of outcomes) expect(outcome.error).toBe("NONE");
      count += 3;
    }
    await cluster.until(() => [1, 2, 3].every((broker) => cluster.state(broker).end === count), "all hold all");
    expect((await cluster.consume(3, id)).length).toBe(count);
  });
});

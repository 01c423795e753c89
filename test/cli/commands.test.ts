/** `kontiki topics` and `kontiki status` against a cluster in this process: words for people, data for programs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../../src/app/cluster.js";
import { CliError, parseBootstrap, type KafkaClient } from "../../src/cli/kafka-client.js";
import { learnerNotes, status, whyUnhealthy } from "../../src/cli/status.js";
import { alterTopic, createTopic, deleteTopic, describeTopic, listTopics, type Shown } from "../../src/cli/topics.js";
import { withClient } from "../broker/client.js";

let cluster: Cluster;
let port = 0;
beforeAll(async () => {
  cluster = await startCluster({ nodes: 1 });
  port = Number(cluster.bootstrap[0]?.split(":")[1]);
});
afterAll(() => cluster.close());

const run = (command: (client: KafkaClient) => Promise<Shown>) => withClient(port, command);

test("a topic's life: created, listed, described, altered, deleted", async () => {
  expect((await run((client) => listTopics(client, { internal: false }))).text).toBe("no topics");

  const created = await run((client) => createTopic(client, "orders", { partitions: 2, replicas: 1, configs: [["retention.ms", "1000"]] }));
  expect(created.text).toBe("created orders: 2 partitions, 1 replicas each");
  expect(created.data).toMatchObject({ name: "orders", partitions: 2, replicas: 1 });

  const listed = await run((client) => listTopics(client, { internal: false }));
  expect(listed.data).toEqual([{ name: "orders", partitions: 2, replicas: 1, unhealthy: 0 }]);
  expect(listed.text.split("\n")).toEqual(["TOPIC   PARTITIONS  REPLICAS  UNHEALTHY", "orders           2         1          0"]);

  const described = await run((client) => describeTopic(client, "orders"));
  expect(described.text).toContain("retention.ms=1000");
  expect(described.data).toMatchObject({ name: "orders", configs: { "retention.ms": "1000" }, partitions: [{ partition: 0, leader: 1, isr: [1] }, { partition: 1, leader: 1, isr: [1] }] });

  await run((client) => alterTopic(client, "orders", { partitions: 3, set: [["retention.ms", "2000"]], remove: [] }));
  const altered = await run((client) => describeTopic(client, "orders"));
  expect(altered.data).toMatchObject({ configs: { "retention.ms": "2000" }, partitions: [{}, {}, { partition: 2 }] });

  expect((await run((client) => deleteTopic(client, "orders"))).text).toBe("deleted orders");
  expect((await run((client) => listTopics(client, { internal: false }))).data).toEqual([]);
});

test("status names the brokers and the quorum, and counts partitions", async () => {
  const shown = await run(status);
  expect(shown.text).toMatch(/^cluster \S{22}\n/);
  expect(shown.text).toContain(`127.0.0.1:${port}`);
  expect(shown.text).toContain("quorum: leader 1");
  expect(shown.text).toContain("all healthy");
  expect(shown.data).toMatchObject({ brokers: [{ id: 1, state: "up" }], quorum: { leader: 1 }, unhealthy: [] });
  expect(() => JSON.stringify(shown.data, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value))).not.toThrow();
});

test("what is wrong is said with Kafka's name for it", async () => {
  await expect(run((client) => describeTopic(client, "nowhere"))).rejects.toThrow("UNKNOWN_TOPIC_OR_PARTITION");
  await expect(run((client) => deleteTopic(client, "nowhere"))).rejects.toThrow("UNKNOWN_TOPIC_OR_PARTITION");
  await expect(run((client) => createTopic(client, "a/b", { partitions: 1, replicas: 1, configs: [] }))).rejects.toThrow("INVALID_TOPIC_EXCEPTION");
  await expect(run((client) => alterTopic(client, "nowhere", { partitions: null, set: [], remove: [] }))).rejects.toThrow("nothing to change");
});

test("why a partition is not healthy", () => {
  const alive = new Set([1, 2]);
  const why = (leaderId: number, isrNodes: number[], replicaNodes: number[]) => whyUnhealthy({ leaderId, isrNodes, replicaNodes }, alive);
  expect(why(1, [1, 2], [1, 2])).toBeNull();
  expect(why(1, [1], [1, 3])).toBe("broker 3 is down");
  expect(why(1, [1], [1, 2])).toBe("broker 2 is catching up");
  expect(why(-1, [3], [1, 3])).toContain("waits for broker 3");
});

test("who follows without a vote is named, with what to do", () => {
  const member = (id: number, directory: string, role: string) => ({ id, directory, role, end: 5, lag: 0, caughtUpMsAgo: 0 });
  const notes = (...members: ReturnType<typeof member>[]) => learnerNotes({ leader: 1, term: 2, committed: 5, members });
  expect(notes(member(1, "a", "leader"), member(2, "b", "voter"))).toEqual([]);
  const [wiped] = notes(member(1, "a", "leader"), member(2, "b", "voter"), member(2, "c", "learner"));
  expect(wiped).toContain("node 2 came back on another disk (c, before b): it is a learner and does not vote");
  expect(wiped).toContain("nothing to do, unless the old disk is still there");
  expect(notes(member(1, "a", "leader"), member(2, "c", "learner"))[0]).toContain("node 2 follows the quorum as a learner");
  expect(learnerNotes(null)).toEqual([]);
});

test("addresses", () => {
  expect(parseBootstrap("a:1, b,[::1]:9")).toEqual([{ host: "a", port: 1 }, { host: "b", port: 9092 }, { host: "::1", port: 9 }]);
  expect(() => parseBootstrap(" , ")).toThrow(CliError);
  expect(() => parseBootstrap("a:b:c")).toThrow("not host:port");
});

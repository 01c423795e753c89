import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { check, type Sent } from "./checker.js";
import { ProcessCluster, until } from "./cluster.js";

const PARTITIONS = 6;
let cluster: ProcessCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await ProcessCluster.start(3);
  kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING, retry: { retries: 30, initialRetryTime: 50, maxRetryTime: 500 }, requestTimeout: 10_000 });
});
afterAll(() => cluster.close());

/** Sends unique values to one partition, one after the other, until told to stop. */
async function send(producer: Producer, name: string, topic: string, partition: number, sent: Sent[], stopped: () => boolean): Promise<void> {
  for (let sequence = 0; !stopped(); sequence++) {
    const value = `${name}-${sequence}`;
    let outcome: Sent["outcome"] = "unknown";
    try {
      await producer.send({ topic, acks: -1, messages: [{ value, partition }] });
      outcome = "acknowledged";
    } catch {
      // Gave up after its retries: may be there or not. The same value is never sent again.
    }
    sent.push({ value, producer: name, sequence, partition, outcome });
    if (outcome === "unknown") return; // an idempotent producer is of no more use after that
  }
}

async function leaderOf(topic: string, partition: number): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
    return metadata.topics[0]?.partitions.find((one) => one.partitionId === partition)?.leader ?? -1;
  } finally {
    await admin.disconnect();
  }
}

/** As a user would ask. */
async function activeController(): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, "../../dist/main.js"), "status", "--bootstrap", cluster.brokers.join(","), "--json"]);
  return (JSON.parse(stdout) as { readonly quorum: { readonly leader: number } }).quorum.leader;
}

async function isrFull(topic: string): Promise<boolean> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
    return metadata.topics[0]?.partitions.every((one) => one.leader >= 0 && one.isr.length === 3) ?? false;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}

async function readAll(topic: string): Promise<Map<number, string[]>> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map((one) => [one.partition, Number(one.high)]));
  await admin.disconnect();
  const log = new Map<number, string[]>([...ends.keys()].map((partition) => [partition, []]));
  const next = new Map<number, number>();
  const consumer = kafka.consumer({ groupId: `reader-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      log.get(partition)?.push(String(message.value));
      next.set(partition, Number(message.offset) + 1);
    },
  });
  await until(60_000, "everything is read", () => [...ends].every(([partition, end]) => (next.get(partition) ?? 0) >= end));
  await consumer.disconnect();
  return log;
}

test("nothing acknowledged is lost, doubled or reordered while nodes are killed, frozen and restarted", async () => {
  const topic = "faults";
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true });
  await admin.disconnect();
  const sent: Sent[] = [];
  let stop = false;
  const producers = await Promise.all(
    Array.from({ length: PARTITIONS }, async () => {
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });
      await producer.connect();
      return producer;
    }),
  );
  let senders: Promise<void>[] = producers.map((producer, i) => send(producer, `p${i}`, topic, i, sent, () => stop));
  const acknowledged = () => sent.filter((one) => one.outcome === "acknowledged").length;
  const moves = async (why: string) => {
    const before = acknowledged();
    await until(40_000, `writes go on after ${why}`, () => acknowledged() > before + 30);
  };
  try {
    await moves("the start");
    const leader = await leaderOf(topic, 0);
    await cluster.kill(leader);
    await moves("the leader was killed");
    cluster.launch(leader);
    await until(40_000, "the ISR is full again", () => isrFull(topic));

    const active = await activeController();
    await cluster.kill(active);
    await moves("the active controller was killed");
    cluster.launch(active);
    await until(40_000, "the ISR is full again", () => isrFull(topic));

    const frozen = await leaderOf(topic, 1);
    cluster.signal(frozen, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 6_000)); // longer than its lease
    cluster.signal(frozen, "SIGCONT");
    await moves("a leader was frozen");
    await until(40_000, "the ISR is full again", () => isrFull(topic));

    for (const id of [1, 2]) {
      await cluster.kill(id);
      cluster.launch(id);
      await until(40_000, "the ISR is full again", () => isrFull(topic));
    }
    await moves("two nodes were killed in turn");

    await Promise.all([1, 2, 3].map((id) => cluster.kill(id)));
    for (const id of [1, 2, 3]) cluster.launch(id);
    await until(60_000, "the ISR is full again", () => isrFull(topic));
    await moves("all nodes were killed at once");
  } catch (error) {
    throw new Error(`${String(error)}\n${cluster.tail()}`);
  } finally {
    stop = true;
    await Promise.all(senders);
    senders = [];
  }
  await Promise.all(producers.map((producer) => producer.disconnect()));
  const verdict = check(sent, await readAll(topic));
  console.log(`${acknowledged()} acknowledged, ${sent.length - acknowledged()} unknown`);
  expect(verdict).toEqual({ lost: [], doubled: [], reordered: [], unexpected: [] });
  expect(acknowledged()).toBeGreaterThan(200);
});

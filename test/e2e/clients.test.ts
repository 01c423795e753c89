import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";
import { CompressionTypes, Kafka, logLevel, Partitioners } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster, until } from "./cluster.js";

let cluster: ProcessCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await ProcessCluster.start(3);
  kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
});
afterAll(() => cluster.close());

/** Its default long poll of 5 s holds up each disconnect, so only one test keeps it. */
async function consumeAll(topic: string, count: number, groupId: string, poll: { readonly maxWaitTimeInMs?: number } = { maxWaitTimeInMs: 300 }): Promise<{ key: string; value: string; header: string }[]> {
  const consumer = kafka.consumer({ groupId, ...poll });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const got: { key: string; value: string; header: string }[] = [];
  await consumer.run({ eachMessage: async ({ message }) => void got.push({ key: String(message.key), value: String(message.value), header: String(message.headers?.["h"] ?? "") }) });
  await until(60_000, `${count} records of ${topic}`, () => got.length >= count);
  await consumer.disconnect();
  return got;
}

describe("kafkajs", () => {
  test("creates, lists, describes and deletes topics", async () => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: "made", numPartitions: 4, configEntries: [{ name: "retention.ms", value: "1000000" }] }], waitForLeaders: true });
    expect(await admin.listTopics()).toContain("made");
    const described = await admin.fetchTopicMetadata({ topics: ["made"] });
    expect(described.topics[0]?.partitions.length).toBe(4);
    expect(described.topics[0]?.partitions.every((one) => one.isr.length === 3)).toBe(true);
    const configs = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: "made", configNames: ["retention.ms"] }] });
    expect(configs.resources[0]?.configEntries[0]?.configValue).toBe("1000000");
    await admin.deleteTopics({ topics: ["made"] });
    await until(10_000, "the topic is gone", async () => !(await admin.listTopics()).includes("made"));
    await admin.disconnect();
  });

  test("produces with acks 0, 1 and all, keys, headers and gzip, to topics made by first use", async () => {
    for (const acks of [-1, 1, 0]) {
      for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
        const topic = `first-use-${acks}-${compression}`;
        const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
        await producer.connect();
        if (acks === 0) {
          // Nobody tells a producer without acknowledgements that the topic is not there yet: made first, and until its leader takes writes.
          const before = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
          await before.connect();
          await before.send({ topic, acks: -1, messages: [{ key: "first", value: "first" }] });
          await before.disconnect();
        }
        await producer.send({ topic, acks, compression, messages: Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: `v${i}`, headers: { h: `h${i}` } })) });
        const got = (await consumeAll(topic, acks === 0 ? 51 : 50, `g-${topic}`)).filter((one) => one.key !== "first");
        expect(got.map((one) => `${one.key} ${one.value} ${one.header}`).sort()).toEqual(Array.from({ length: 50 }, (_, i) => `k${i} v${i} h${i}`).sort());
        await producer.disconnect();
      }
    }
  });

  test("finds offsets by time, keeps commits, lists, describes and deletes groups", async () => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: "timed", numPartitions: 1 }], waitForLeaders: true });
    const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const start = Date.now() - 100_000;
    for (let i = 0; i < 10; i++) await producer.send({ topic: "timed", messages: [{ value: `v${i}`, timestamp: String(start + i * 1000) }] });
    expect((await admin.fetchTopicOffsetsByTimestamp("timed", start + 4500))[0]?.offset).toBe("5");
    expect((await admin.fetchTopicOffsets("timed"))[0]).toMatchObject({ low: "0", high: "10" });
    await consumeAll("timed", 10, "timed-group", {});
    const offsets = await admin.fetchOffsets({ groupId: "timed-group", topics: ["timed"] });
    expect(offsets[0]?.partitions[0]?.offset).toBe("10");
    expect((await admin.listGroups()).groups.map((one) => one.groupId)).toContain("timed-group");
    expect((await admin.describeGroups(["timed-group"])).groups[0]?.state).toBe("Empty");
    await admin.deleteGroups(["timed-group"]);
    expect((await admin.listGroups()).groups.map((one) => one.groupId)).not.toContain("timed-group");
    await producer.disconnect();
    await admin.disconnect();
  });
});

test("a consumer killed with kill -9 and started again reads on once the dead one's session of 6 s is over", async () => {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const send = (round: string) => producer.send({ topic: "restarted", messages: Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, value: `${round} ${i}` })) });
  await send("before");
  const started: ChildProcess[] = [];
  const start = () => {
    const child = spawn(process.execPath, [join(__dirname, "consumer-process.mjs"), cluster.brokers.join(","), "restarted", "restarted-group"], { stdio: ["ignore", "pipe", "inherit"] });
    started.push(child);
    const one = { child, output: "" };
    child.stdout?.on("data", (bytes: Buffer) => (one.output += bytes.toString("utf8")));
    return one;
  };
  try {
    const first = start();
    await until(20_000, "the first reads", () => first.output.includes("before 19"));
    first.child.kill("SIGKILL");
    await send("after");
    const began = Date.now();
    const second = start();
    await until(20_000, "the second reads what came after", () => second.output.includes("after 19"));
    console.log(`a consumer restarted after kill -9 reads on after ${Date.now() - began} ms, with a session of 6000 ms`);
    second.child.kill("SIGTERM");
    await until(10_000, "it leaves", () => second.child.exitCode !== null);
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await producer.disconnect();
  }
});

describe("@platformatic/kafka", () => {
  test("produces and consumes in a group", async () => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: "platformatic", numPartitions: 3 }], waitForLeaders: true });
    await admin.disconnect();
    const producer = new Producer({ clientId: "p", bootstrapBrokers: cluster.brokers, serializers: stringSerializers });
    await producer.send({ messages: Array.from({ length: 100 }, (_, i) => ({ topic: "platformatic", key: `k${i}`, value: `v${i}` })) });
    const consumer = new Consumer({ clientId: "c", groupId: "platformatic-group", bootstrapBrokers: cluster.brokers, deserializers: stringDeserializers });
    const stream = await consumer.consume({ topics: ["platformatic"], mode: "earliest", autocommit: true });
    const got: string[] = [];
    for await (const message of stream) {
      got.push(String(message.value));
      if (got.length === 100) break;
    }
    expect(got.sort()).toEqual(Array.from({ length: 100 }, (_, i) => `v${i}`).sort());
    await stream.close();
    consumer.close(true, () => undefined);
    producer.close(true, () => undefined);
  });
});

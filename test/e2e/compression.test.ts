import * as zlib from "node:zlib";
import { Consumer, Producer, stringDeserializers, stringSerializers, type CompressionAlgorithmValue } from "@platformatic/kafka";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster, until } from "./cluster.js";
import { useCodec, type CodecName } from "./kafkajs-codecs.js";

let cluster: ProcessCluster;
let kafka: Kafka;
beforeAll(async () => {
  cluster = await ProcessCluster.start(3);
  kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
});
afterAll(() => cluster.close());

describe("@platformatic/kafka, a topic of its own for each", () => {
  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] satisfies CompressionAlgorithmValue[]) {
    // That client leaves zstd to Node, which has it from 22.15 on.
    test.skipIf(compression === "zstd" && !("zstdCompressSync" in zlib))(`reads what it wrote with ${compression}`, async () => {
      const topic = `compressed-${compression}`;
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
      await admin.disconnect();
      const sent = Array.from({ length: 200 }, (_, i) => `value ${i} ${"abc".repeat(i % 50)}`);
      const producer = new Producer({ clientId: "p", bootstrapBrokers: cluster.brokers, serializers: stringSerializers, idempotent: true });
      await producer.send({ compression, acks: -1, messages: sent.map((value, i) => ({ topic, key: `k${i}`, value, headers: { h: `h${i}` } })) });
      producer.close(true);
      const consumer = new Consumer({ clientId: "c", groupId: `g-${topic}`, bootstrapBrokers: cluster.brokers, deserializers: stringDeserializers });
      const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: true });
      const got: string[] = [];
      for await (const message of stream) {
        got.push(`${String(message.value)}|${[...message.headers].map(([name, value]) => `${name}=${value}`).join()}`);
        if (got.length === sent.length) break;
      }
      await stream.close();
      consumer.close(true);
      expect(got).toEqual(sent.map((value, i) => `${value}|h=h${i}`));
    });
  }
});

describe("kafkajs, with the codecs that it leaves to add-ons", () => {
  for (const name of ["gzip", "snappy raw", "snappy xerial", "lz4", "zstd"] satisfies CodecName[]) {
    test(`reads what it wrote with ${name}, keys and headers too`, async (context) => {
      const compression = useCodec(name);
      if (compression === null) return context.skip();
      const topic = `kafkajs-${name.replace(" ", "-")}`;
      const sent = Array.from({ length: 300 }, (_, i) => `value ${i} ${"abc".repeat(i)}`); // 135 kB: several xerial blocks and lz4 blocks in one batch
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
      await producer.connect();
      await producer.send({ topic, acks: -1, compression, messages: sent.map((value, i) => ({ partition: 0, key: `k${i}`, value, headers: { h: `h${i}` } })) });
      await producer.disconnect();
      const consumer = kafka.consumer({ groupId: `g-${topic}`, maxWaitTimeInMs: 300 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const got: string[] = [];
      await consumer.run({ eachMessage: async ({ message }) => void got.push(`${String(message.key)} ${String(message.value)} ${String(message.headers?.["h"])}`) });
      await until(20_000, "every record is read", () => got.length >= sent.length);
      await consumer.disconnect();
      expect(got).toEqual(sent.map((value, i) => `k${i} ${value} h${i}`));
    });
  }
});

test("kafkajs: a group of two shares the partitions, takes over when one leaves, goes on where the commits are, and seeks", async () => {
  const topic = "shared";
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 4 }], waitForLeaders: true });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const send = (from: number) => producer.send({ topic, messages: Array.from({ length: 40 }, (_, i) => ({ partition: i % 4, value: `v${from + i}` })) });
  const got: string[] = [];
  const assigned = new Map<string, number>();
  const join = async (name: string) => {
    const consumer = kafka.consumer({ groupId: "two", heartbeatInterval: 300, maxWaitTimeInMs: 300 });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => assigned.set(name, Object.values(payload.memberAssignment).flat().length));
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void got.push(String(message.value)) });
    return consumer;
  };
  const first = await join("first");
  await until(20_000, "the first has all partitions", () => assigned.get("first") === 4);
  const second = await join("second");
  await until(20_000, "both have two", () => assigned.get("first") === 2 && assigned.get("second") === 2);
  await send(0);
  await until(20_000, "everything is read once", () => got.length >= 40);
  await first.disconnect();
  await until(20_000, "the second has all", () => assigned.get("second") === 4);
  await send(40);
  await until(20_000, "the rest is read", () => got.length >= 80);
  await second.disconnect();
  expect([...got].sort()).toEqual(Array.from({ length: 80 }, (_, i) => `v${i}`).sort());

  got.length = 0;
  await send(80);
  const third = await join("third");
  await until(20_000, "what came since the commits is read", () => got.length >= 40);
  expect([...got].sort()).toEqual(Array.from({ length: 40 }, (_, i) => `v${80 + i}`).sort());
  got.length = 0;
  third.seek({ topic, partition: 1, offset: "25" });
  await until(20_000, "five of partition 1 come again", () => got.length >= 5);
  expect(got).toEqual(["v101", "v105", "v109", "v113", "v117"]);
  await third.disconnect();
  await producer.disconnect();
  await admin.disconnect();
});

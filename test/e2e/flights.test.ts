import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ProcessCluster, until } from "./cluster.js";

/** 200,000 flights of vega-datasets; this file has no origin airport, so the key is the distance, which tells the pair of airports. */
interface Flight {
  readonly delay: number;
  readonly distance: number;
  readonly time: number;
}

let cluster: ProcessCluster;
beforeAll(async () => void (cluster = await ProcessCluster.start(3)));
afterAll(() => cluster.close());

/** A consumer as a process of its own: a line for each record. */
const CONSUMER = `
const { Kafka, logLevel } = require("kafkajs");
const kafka = new Kafka({ brokers: process.argv[1].split(","), logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: "flights", sessionTimeout: 6000, heartbeatInterval: 500 });
(async () => {
  await consumer.connect();
  await consumer.subscribe({ topic: "flights", fromBeginning: true });
  await consumer.run({ eachBatch: async ({ batch, heartbeat }) => {
    process.stdout.write(batch.messages.map((m) => batch.partition + " " + m.offset + " " + m.key + " " + m.value).join("\\n") + "\\n");
    await heartbeat();
  } });
})();
`;

test("200,000 flights come back to a group of three whole and in order, though one of it is killed half-way", async () => {
  const flights = JSON.parse(readFileSync(join(__dirname, "../../node_modules/vega-datasets/data/flights-200k.json"), "utf8")) as Flight[];
  expect(flights.length).toBeGreaterThanOrEqual(200_000);
  const kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: "flights", numPartitions: 12, replicationFactor: 3 }], waitForLeaders: true });
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const sourceByKey = new Map<string, string[]>();
  for (let at = 0; at < flights.length; at += 5000) {
    const messages = flights.slice(at, at + 5000).map((flight, i) => {
      const message = { key: String(flight.distance), value: `${at + i} ${JSON.stringify(flight)}` };
      const list = sourceByKey.get(message.key) ?? [];
      list.push(message.value);
      sourceByKey.set(message.key, list);
      return message;
    });
    await producer.send({ topic: "flights", acks: -1, messages });
  }
  await producer.disconnect();

  const records = new Map<string, { readonly offset: number; readonly partition: number; readonly key: string; readonly value: string }>();
  let conflicts = 0;
  const children: ChildProcess[] = Array.from({ length: 3 }, () => {
    const child = spawn(process.execPath, ["-e", CONSUMER, cluster.brokers.join(",")], { cwd: join(__dirname, "../.."), stdio: ["ignore", "pipe", "inherit"] });
    let rest = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const match = /^(\d+) (\d+) (\S+) (.*)$/.exec(line);
        if (match === null) continue;
        const id = `${match[1]}/${match[2]}`;
        const known = records.get(id);
        if (known !== undefined && known.value !== match[4]) conflicts++; // read twice after the kill, but never differently
        records.set(id, { partition: Number(match[1]), offset: Number(match[2]), key: match[3] ?? "", value: match[4] ?? "" });
      }
    });
    return child;
  });
  try {
    await until(60_000, "half is read", () => records.size > flights.length / 2);
    children[0]?.kill("SIGKILL");
    await until(60_000, "everything is read", () => records.size >= flights.length).catch((error: unknown) => {
      const counts = new Map<number, number>();
      for (const one of records.values()) counts.set(one.partition, (counts.get(one.partition) ?? 0) + 1);
      throw new Error(`${String(error)}: ${records.size} of ${flights.length}, by partition ${JSON.stringify([...counts].sort((a, b) => a[0] - b[0]))}`);
    });
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
  await admin.disconnect();
  expect(conflicts).toBe(0);
  expect(records.size).toBe(flights.length);
  const readByKey = new Map<string, string[]>();
  for (const one of [...records.values()].sort((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const list = readByKey.get(one.key) ?? [];
    list.push(one.value);
    readByKey.set(one.key, list);
  }
  expect(readByKey.size).toBe(sourceByKey.size);
  for (const [key, values] of sourceByKey) expect(readByKey.get(key), `key ${key}`).toEqual(values);
});

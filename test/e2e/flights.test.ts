/**
 * A real data set through the cluster: the 200,000 flights that vega-datasets ships as JSON. That file has delay, distance and time of day but no
 * origin, so the key is the distance, which stands for a route: many keys of very uneven weight, as airports would be.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ProcessCluster, until } from "./cluster.js";

const TOPIC = "flights";
const PARTITIONS = 12;
const BATCH = 4_000;

interface Flight {
  readonly delay: number;
  readonly distance: number;
  readonly time: number;
}
type Row = readonly [offset: number, key: string, value: string];

/** A consumer that lives in a process of its own and tells what it got. */
class Consumer {
  readonly process: ChildProcess;
  assigned = 0;
  received = 0;
  exited = false;

  constructor(brokers: readonly string[], group: string, take: (partition: number, rows: readonly Row[]) => void) {
    this.process = spawn(process.execPath, [join(__dirname, "consumer-process.mjs"), brokers.join(","), TOPIC, group], { stdio: ["ignore", "pipe", "inherit"] });
    const output = this.process.stdout;
    if (output === null) throw new Error("the consumer has no output");
    createInterface({ input: output }).on("line", (line) => {
      let told: { readonly joined: number } | readonly [number, readonly Row[]];
      try {
        told = JSON.parse(line) as typeof told;
      } catch {
        return; // the last line of a killed process, cut short: never taken as received
      }
      if ("joined" in told) this.assigned = told.joined;
      else {
        this.received += told[1].length;
        take(told[0], told[1]);
      }
    });
    this.process.on("exit", () => (this.exited = true));
  }
}

let cluster: ProcessCluster;
const consumers: Consumer[] = [];
beforeAll(async () => {
  cluster = await ProcessCluster.start(3);
});
afterAll(async () => {
  for (const one of consumers) one.process.kill("SIGKILL");
  await cluster.close();
});

test("200,000 flights come back as they went in, with one of three consumers killed half-way", async () => {
  const flights = JSON.parse(readFileSync(join(__dirname, "../../node_modules/vega-datasets/data/flights-200k.json"), "utf8")) as readonly Flight[];
  expect(flights.length).toBeGreaterThanOrEqual(200_000);
  const source = new Map<string, string[]>();
  const messages = flights.map((flight, i) => ({ key: String(flight.distance), value: JSON.stringify({ i, ...flight }) }));
  for (const { key, value } of messages) {
    const values = source.get(key);
    if (values === undefined) source.set(key, [value]);
    else values.push(value);
  }

  const kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS, replicationFactor: 3 }], waitForLeaders: true });
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const began = Date.now();
  for (let at = 0; at < messages.length; at += BATCH) await producer.send({ topic: TOPIC, acks: -1, messages: messages.slice(at, at + BATCH) });
  await producer.disconnect();
  const produced = Date.now();
  const offsets = await admin.fetchTopicOffsets(TOPIC);
  expect(offsets.reduce((sum, one) => sum + Number(one.high), 0)).toBe(flights.length);

  // What came, by partition and offset; a record may come twice after the kill (at least once), and must then be the same.
  const log = new Map<number, (Row | undefined)[]>(Array.from({ length: PARTITIONS }, (_, partition) => [partition, []]));
  let distinct = 0;
  let again = 0;
  const different: Row[] = [];
  const take = (partition: number, rows: readonly Row[]) => {
    const known = log.get(partition) ?? [];
    for (const row of rows) {
      const before = known[row[0]];
      if (before === undefined) {
        known[row[0]] = row;
        distinct += 1;
      } else {
        again += 1;
        if (before[1] !== row[1] || before[2] !== row[2]) different.push(row);
      }
    }
  };
  for (let i = 0; i < 3; i++) consumers.push(new Consumer(cluster.brokers, "flights-group", take));
  let victim: Consumer | undefined;
  await until(40_000, "half of the flights are read, by all three", () => {
    victim = consumers.find((one) => one.assigned === PARTITIONS / 3 && one.received > 0);
    return distinct > flights.length / 2 && victim !== undefined;
  });
  victim?.process.kill("SIGKILL");
  await until(40_000, "every flight is read", () => distinct >= flights.length);
  const others = consumers.filter((one) => one !== victim);
  await until(20_000, "the two that are left share all partitions", () => others.every((one) => one.assigned === PARTITIONS / 2));
  const consumed = Date.now();
  for (const one of others) one.process.kill("SIGTERM");
  await until(20_000, "they have left", () => others.every((one) => one.exited));

  expect(different).toEqual([]);
  const result = new Map<string, string[]>();
  for (const rows of log.values()) {
    for (const row of rows) {
      if (row === undefined) throw new Error("an offset is missing");
      const values = result.get(row[1]);
      if (values === undefined) result.set(row[1], [row[2]]);
      else values.push(row[2]);
    }
  }
  expect(result.size).toBe(source.size);
  expect([...source].filter(([key, values]) => values.join() !== result.get(key)?.join()).map(([key]) => key)).toEqual([]);
  const committed = await admin.fetchOffsets({ groupId: "flights-group", topics: [TOPIC] });
  expect(committed[0]?.partitions.map((one) => `${one.partition} ${one.offset}`).sort()).toEqual(offsets.map((one) => `${one.partition} ${one.high}`).sort());
  await admin.disconnect();
  console.log(`${flights.length} flights of ${source.size} keys: produced in ${produced - began} ms, consumed in ${consumed - produced} ms, ${again} came again after the kill`);
});

/** Time from kill -9 of a partition's leader to the next acknowledged produce, and from the controller's death to the next created topic. `node test/bench/failover.mjs [runs]` */
import { spawn, execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Kafka, logLevel, Partitioners } from "kafkajs";

const require = createRequire(import.meta.url);
const dist = join(import.meta.dirname, "../../dist");
const { nodeSettings } = require(join(dist, "app/dev-settings.js"));
const { freePorts } = require(join(dist, "host/free-ports.js"));

const runs = Number(process.argv[2] ?? 20);
const COUNT = 3;
const TOPIC = "failover";
const ports = await freePorts(2 * COUNT);
const data = mkdtempSync(join(tmpdir(), "kontiki-failover-"));
const children = new Map();
const brokers = ports.slice(0, COUNT).map((port) => `127.0.0.1:${port}`);
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, connectionTimeout: 1_000, requestTimeout: 5_000, retry: { retries: 200, initialRetryTime: 20, maxRetryTime: 100 } });

function launch(id) {
  const settings = nodeSettings({ index: id - 1, count: COUNT, ports: ports.slice(0, COUNT), controllerPorts: ports.slice(COUNT), data });
  const environment = Object.fromEntries([...settings].map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll(".", "_")}`, value]));
  const child = spawn(process.execPath, [join(dist, "main.js"), "node"], { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "inherit"] });
  children.set(id, child);
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => String(chunk).includes('"msg":"ready"') && resolve());
    child.once("exit", () => reject(new Error(`node ${id} has ended before it was ready`)));
  });
}

async function kill(id) {
  const child = children.get(id);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function settled(admin) {
  for (const end = Date.now() + 60_000; ; ) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
    if (topics[0].partitions.every((one) => one.leader > 0 && one.isr.length === COUNT)) return topics[0].partitions[0].leader;
    if (Date.now() > end) throw new Error("the ISR is not full within a minute");
    await sleep(100);
  }
}

async function controller() {
  const { stdout } = await promisify(execFile)(process.execPath, [join(dist, "main.js"), "status", "--bootstrap", brokers.join(","), "--json"]);
  return JSON.parse(stdout).quorum.leader;
}

function show(what, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]);
  console.log(`${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms over ${sorted.length} runs  [${times.map(Math.round).join(" ")}]`);
}

try {
  await Promise.all(Array.from({ length: COUNT }, (_, i) => launch(i + 1)));
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true });

  const writes = [];
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let run = 0; run < runs; run++) {
    const leader = await settled(admin);
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: `warm ${run}` }] });
    const began = performance.now();
    await kill(leader);
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: `after ${run}` }] });
    writes.push(performance.now() - began);
    await launch(leader);
  }
  show("kill -9 of the leader to the next acknowledged produce", writes);

  const topics = [];
  for (let run = 0; run < runs; run++) {
    await settled(admin);
    const active = await controller();
    const began = performance.now();
    await kill(active);
    for (;;) {
      // A client of its own each time: what a user's tool would do.
      try {
        const fresh = new Kafka({ brokers: brokers.filter((_, i) => i + 1 !== active), logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
        await fresh.connect();
        await fresh.createTopics({ topics: [{ topic: `topic-${run}`, numPartitions: 1, replicationFactor: 2 }], waitForLeaders: false, timeout: 5_000 }).finally(() => fresh.disconnect());
        break;
      } catch (error) {
        if (error.type === "TOPIC_ALREADY_EXISTS" || error.errors?.some((one) => one.type === "TOPIC_ALREADY_EXISTS")) break;
        if (performance.now() - began > 60_000) throw error;
        await sleep(20);
      }
    }
    topics.push(performance.now() - began);
    await launch(active);
  }
  show("kill -9 of the active controller to the next created topic", topics);
  await producer.disconnect();
  await admin.disconnect();
} finally {
  for (const child of children.values()) child.kill("SIGKILL");
  await sleep(200);
  rmSync(data, { recursive: true, force: true });
}

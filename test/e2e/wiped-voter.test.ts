/** A node that lost its disk: it follows the quorum as a learner, status says so, its partitions come back, and in the end it votes again. */
import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ProcessCluster, until } from "./cluster.js";

const TOPIC = "wiped";
const PARTITIONS = 4;
const WIPED = 3;
let cluster: ProcessCluster;
let kafka: Kafka;

interface Status {
  readonly brokers: readonly { readonly id: number; readonly state: string }[];
  readonly quorum: { readonly leader: number; readonly members: readonly { readonly id: number; readonly directory: string; readonly role: string; readonly lag: number; readonly caughtUpMsAgo: number | null }[] } | null;
  readonly unhealthy: readonly unknown[];
  readonly notes: readonly string[];
}

beforeAll(async () => {
  cluster = await ProcessCluster.start(3);
  kafka = new Kafka({ brokers: cluster.brokers, logLevel: logLevel.NOTHING, retry: { retries: 30, initialRetryTime: 50, maxRetryTime: 500 }, requestTimeout: 10_000 });
});
afterAll(() => cluster.close());

/** As a user would ask. */
async function status(): Promise<Status> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, "../../dist/main.js"), "status", "--bootstrap", cluster.brokers.join(","), "--json"]);
  return JSON.parse(stdout) as Status;
}

function folderOf(id: number): string {
  return join(cluster.folder, `node-${id}`);
}

/** Whose disk it is for the quorum, as the node itself wrote it. */
function directoryOf(id: number): string {
  return /^directory\.id=(.*)$/m.exec(readFileSync(join(folderOf(id), "quorum", "meta.properties"), "utf8"))?.[1] ?? "";
}

async function partitions() {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const metadata = await admin.fetchTopicMetadata({ topics: [TOPIC] });
    return metadata.topics[0]?.partitions ?? [];
  } finally {
    await admin.disconnect();
  }
}

/** kafkajs gives up at once when the broker that metadata names as controller refuses its dial, as a dead one does until it is fenced. */
async function killed(id: number): Promise<void> {
  await cluster.kill(id);
  await until(20_000, `the cluster knows that node ${id} is down`, async () => (await status()).brokers.find((one) => one.id === id)?.state === "down");
}

async function send(from: number, count: number): Promise<void> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let i = from; i < from + count; i++) await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: `v${i}`, partition: i % PARTITIONS }] });
  await producer.disconnect();
}

async function readAll(count: number): Promise<string[]> {
  const values: string[] = [];
  const consumer = kafka.consumer({ groupId: "reader" });
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void values.push(String(message.value)) });
  await until(30_000, "everything is read", () => values.length >= count);
  await consumer.disconnect();
  return values;
}

test("a node whose disk was wiped follows as a learner, refetches its partitions, and votes again by itself", async () => {
  try {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }], waitForLeaders: true });
    await admin.disconnect();
    await send(0, 40);
    const before = directoryOf(WIPED);
    expect(before).not.toBe("");
    expect((await status()).notes).toEqual([]);

    await killed(WIPED);
    rmSync(folderOf(WIPED), { recursive: true });
    await send(40, 40); // the cluster goes on without it
    cluster.launch(WIPED);
    await cluster.ready();
    const now = directoryOf(WIPED);
    expect(now).not.toBe(before);

    const learning = await (async () => {
      let shown = await status();
      await until(20_000, "status shows it as a learner that has caught up", async () => {
        shown = await status();
        return shown.quorum?.members.some((one) => one.directory === now && one.role === "learner" && one.lag === 0 && one.caughtUpMsAgo !== null) === true;
      });
      return shown;
    })();
    expect(learning.quorum?.members.filter((one) => one.id === WIPED).map((one) => [one.directory, one.role])).toEqual([[before, "voter"], [now, "learner"]]);
    expect(learning.notes.join("\n")).toContain(`node ${WIPED} came back on another disk (${now}, before ${before}): it is a learner and does not vote`);

    await until(40_000, "it is in every ISR again", async () => (await partitions()).every((one) => one.leader >= 0 && one.isr.length === 3));
    await send(80, 40);

    await until(40_000, "it votes again", async () => {
      const { quorum } = await status();
      return quorum?.members.length === 3 && quorum.members.every((one) => one.role !== "learner");
    });
    const whole = await status();
    expect(whole.quorum?.members.find((one) => one.id === WIPED)?.directory).toBe(now);
    expect(whole.notes).toEqual([]);

    // Its vote and its copies count now: without another node there is still a quorum and min.insync.replicas.
    const other = whole.quorum?.leader === 1 ? 1 : 2;
    await killed(other);
    await send(120, 40);
    const read = await readAll(160);
    expect(read.sort()).toEqual(Array.from({ length: 160 }, (_, i) => `v${i}`).sort());
  } catch (error) {
    throw new Error(`${String(error)}\n${cluster.tail()}`, { cause: error });
  }
});

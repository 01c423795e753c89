/**
 * How long a broker with 100,000 partitions takes to be fenced and to come back, and how long that holds the controller's loop at most: one quorum of one voter on
 * real files, the walks of the controller. Run after a build: node test/bench/fence-blocks.mjs [partitions per topic]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const { makeWorld } = require("../../dist/host/world.js");
const { openLog } = require("../../dist/host/logger.js");
const { RpcHub } = require("../../dist/host/rpc-hub.js");
const { startQuorum } = require("../../dist/raft/driver.js");
const { MetadataMachine } = require("../../dist/controller/machine.js");
const { Mover } = require("../../dist/controller/mover.js");
const { decideRegister, fenceBlock, unfenceBlock, REGISTER_START } = require("../../dist/controller/decide/brokers.js");
const { decideCreateTopics } = require("../../dist/controller/decide/topics.js");

const PARTITIONS = 100_000;
const BLOCK = 1_500;
const perTopic = Number(process.argv[2] ?? 100);
const folder = mkdtempSync(join(tmpdir(), "kontiki-fence-"));
const hub = await RpcHub.start({ listen: { host: "127.0.0.1", port: 0 } });
const world = makeWorld({ root: folder, syncClass: "raft", rpc: hub, log: openLog({ level: "error", write: (line) => process.stderr.write(line) }), logFields: {}, onHalt: (halt) => console.error(halt) });
let uuids = 0;
const context = {
  defaults: { brokerId: null, given: () => null },
  setting: (name) => ({ "num.partitions": "1", "default.replication.factor": "3", "min.insync.replicas": "2" })[name] ?? null,
  below: (end) => world.random.below(end),
  uuid: () => `t${String(uuids++).padStart(21, "0")}`,
};
let ready = () => undefined;
const led = new Promise((resolve) => (ready = resolve));
const machine = new MetadataMachine(world, () => [], (change) => change.ready && ready(), () => undefined);
const quorum = await startQuorum(world, { nodeId: 1, directory: "quorum", peers: [{ id: 1, host: "127.0.0.1", port: hub.port }] }, machine);
machine.attach(quorum);
machine.leadership({ leader: null, term: 0, self: false, ready: false });
await led;
const mover = new Mover(world, machine);

async function decided(decision) {
  const outcome = await machine.decide(decision);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome));
  return outcome.reply;
}

/** The longest time that no timer ran, what the process worked in it (less on a busy machine), and the whole, in ms. */
async function measured(what, work) {
  let longest = 0;
  let worked = 0;
  let last = performance.now();
  let lastCpu = process.cpuUsage();
  const timer = setInterval(() => {
    const now = performance.now();
    const cpu = process.cpuUsage(lastCpu);
    longest = Math.max(longest, now - last);
    worked = Math.max(worked, (cpu.user + cpu.system) / 1000);
    last = now;
    lastCpu = process.cpuUsage();
  }, 1);
  const begun = performance.now();
  const before = mover.blocks;
  await work();
  const took = performance.now() - begun;
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  console.log(`${what}: ${took.toFixed(0)} ms in ${mover.blocks - before} blocks, longest stall ${longest.toFixed(1)} ms, most CPU in one ${worked.toFixed(1)} ms`);
}

for (const id of [1, 2, 3]) {
  const ask = { nodeId: id, incarnation: `i${String(id).padStart(21, "0")}`, directories: [`d${String(id).padStart(21, "0")}`], listeners: [], nodePort: { host: "h", port: 1 }, rack: null, previousBrokerEpoch: -1n, cleanShutdown: false, clusterId: machine.image.clusterId, features: { min: 1, max: 1 }, lost: [] };
  await decided((image) => decideRegister(image, ask, "secret", REGISTER_START, BLOCK, context));
  await mover.walk(() => true, (image, from) => unfenceBlock(image, id, from, BLOCK, context));
}
for (let made = 0; made < PARTITIONS; ) {
  const count = Math.min(PARTITIONS - made, Math.max(perTopic, 2_000));
  const topics = Array.from({ length: Math.ceil(count / perTopic) }, (_, i) => ({ name: `topic-${made + i}`, partitions: perTopic, replicationFactor: 3, assignments: [], configs: [] }));
  await decided((image) => decideCreateTopics(image, { kind: "create-topics", topics, validateOnly: false }, context));
  made += topics.length * perTopic;
}
console.log(`${machine.image.partitionCount} partitions in ${machine.image.topicCount} topics, on three brokers`);
for (let round = 0; round < 3; round++) {
  await measured("fencing broker 1", () => mover.walk(() => true, (image, from) => fenceBlock(image, 1, from, BLOCK, context)));
  await measured("nothing left to do", () => mover.walk(() => true, (image, from) => fenceBlock(image, 1, from, BLOCK, context)));
  await measured("unfencing it", () => mover.walk(() => true, (image, from) => unfenceBlock(image, 1, from, BLOCK, context)));
  await measured("fencing broker 2", () => mover.walk(() => true, (image, from) => fenceBlock(image, 2, from, BLOCK, context)));
  await measured("fencing broker 3, the last in sync", () => mover.walk(() => true, (image, from) => fenceBlock(image, 3, from, BLOCK, context)));
  await measured("unfencing broker 3", () => mover.walk(() => true, (image, from) => unfenceBlock(image, 3, from, BLOCK, context)));
  await measured("unfencing broker 2", () => mover.walk(() => true, (image, from) => unfenceBlock(image, 2, from, BLOCK, context)));
  if (round === 0) console.log("-- again");
}
await quorum.close();
world.halt("done");
hub.close();
rmSync(folder, { recursive: true, force: true });
process.exit(0);

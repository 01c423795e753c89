// How many microseconds of processor time an event of the simulator costs, by itself and with a cluster at rest on it.
// Usage, after `npm run build`: node test/bench/sim-events.mjs [path of dist]
import { createRequire } from "node:module";
import * as path from "node:path";

const dist = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, "../../dist"));
const require = createRequire(import.meta.url);
const { Simulation } = require(`${dist}/sim/simulation.js`);

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function measure(name, sim, untilMs) {
  await sim.run(sim.nowMs + untilMs / 10); // warm
  const [events, beganMs, virtualMs] = [sim.scheduler.count, cpuMs(), sim.nowMs];
  await sim.run(sim.nowMs + untilMs);
  const [spentMs, count, seconds] = [cpuMs() - beganMs, sim.scheduler.count - events, (sim.nowMs - virtualMs) / 1000];
  const line = { name, events: count, eventsPerSecond: Math.round(count / seconds), usPerEvent: Number(((spentMs / count) * 1000).toFixed(2)), clusterHoursPerCoreMinute: Number((seconds / 3600 / (spentMs / 60_000)).toFixed(2)) };
  console.log(JSON.stringify(line));
  sim.end();
}

function timers() {
  const sim = new Simulation({ seed: 1 });
  const world = sim.machine("n1").start().world({ role: "test" });
  for (let i = 0; i < 100; i++) {
    const again = () => void world.clock.after(1 + (i % 7), again);
    again();
  }
  return sim;
}

function sleeps() {
  const sim = new Simulation({ seed: 1 });
  const world = sim.machine("n1").start().world({ role: "test" });
  const loop = async (ms) => {
    for (;;) await world.clock.sleep(ms);
  };
  for (let i = 0; i < 100; i++) void loop(1 + (i % 7));
  return sim;
}

function pings() {
  const sim = new Simulation({ seed: 1 });
  const server = sim.machine("n1").start({ rpcPort: 9093 }).world({ role: "server" });
  server.rpc.serve("a.B/C", (stream) => stream.onMessage((message) => void stream.send(message)));
  const client = sim.machine("n2").start().world({ role: "client" });
  for (let i = 0; i < 20; i++) {
    const stream = client.rpc.open({ host: "n1", port: 9093 }, "a.B/C");
    stream.onMessage((message) => void stream.send(message));
    stream.send(new Uint8Array(100));
  }
  return sim;
}

async function echoes() {
  const sim = new Simulation({ seed: 1 });
  const server = sim.machine("n1").start().world({ role: "server" });
  const client = sim.machine("n2").start().world({ role: "client" });
  await sim.drive(async () => {
    await server.network.listen({ host: "", port: 9092 }, (connection) => connection.onData((chunk) => void connection.write([new Uint8Array(chunk)])));
    for (let i = 0; i < 20; i++) {
      const connection = await client.network.connect({ host: "n1", port: 9092, timeoutMs: 1000 });
      connection.onData((chunk) => void connection.write([new Uint8Array(chunk)]));
      connection.write([new Uint8Array(100)]);
    }
  });
  return sim;
}

async function syncs() {
  const sim = new Simulation({ seed: 1 });
  const world = sim.machine("n1").start().world({ role: "test" });
  const file = world.disk.open("log", { create: true });
  const loop = async () => {
    for (let i = 0; ; i++) {
      file.writeAt((i * 100) % 100_000, [new Uint8Array(100)]);
      await file.sync();
    }
  };
  for (let i = 0; i < 10; i++) void loop();
  return sim;
}

/** Combined nodes as `kontiki dev` has them, with the intervals of production. */
async function cluster(count) {
  const { startController } = require(`${dist}/app/controller-role.js`);
  const { startBroker } = require(`${dist}/app/broker-role.js`);
  const { nodeConfig } = require(`${dist}/app/config.js`);
  const { readSettings } = require(`${dist}/app/settings.js`);
  await require(`${dist}/records/codecs.js`).initCodecs();
  const sim = new Simulation({ seed: 1 });
  const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
  await sim.drive(() =>
    Promise.all(names.map(async (name, i) => {
      const settings = {
        "node.id": String(i + 1),
        "process.roles": "broker,controller",
        "controller.quorum.voters": names.map((other, j) => `${j + 1}@${other}:9093`).join(","),
        "controller.listener.names": "CONTROLLER",
        listeners: `PLAINTEXT://${name}:9092,CONTROLLER://${name}:9093`,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "/data",
      };
      const config = nodeConfig(readSettings(new Map(Object.entries(settings))).settings);
      const process = sim.machine(name).start({ rpcPort: 9093 });
      await startController(process.world({ role: "controller" }), config);
      const broker = await startBroker(process.world({ role: "broker" }), config);
      await new Promise((resolve) => broker.onReady(resolve));
    })),
  );
  return sim;
}

await measure("timers", timers(), 20_000);
await measure("awaited sleeps", sleeps(), 20_000);
await measure("rpc messages", pings(), 10_000);
await measure("connection chunks", await echoes(), 10_000);
await measure("writes and syncs", await syncs(), 30_000);
await measure("3 combined nodes, no partitions", await cluster(3), 600_000);
await measure("5 combined nodes, no partitions", await cluster(5), 600_000);

/** One seed gives one run: the same trace and the same disks, alone, after another seed has run in the process, and with lines for people. */
import { expect, test } from "vitest";
import type { RpcStream } from "../../src/world/rpc.js";
import { Simulation } from "../../src/sim/simulation.js";
import type { SimWorld } from "../../src/sim/world.js";

const NAMES = ["n1", "n2", "n3"];

/** Little nodes that append, sync, talk to each other and start anew, while faults befall them. */
function swarm(seed: number, text: boolean): Simulation {
  const sim = new Simulation({ seed, text, logLevel: "debug" });
  const node = async (world: SimWorld, name: string) => {
    const log = world.disk.open("log", { create: true });
    await world.disk.syncDirectory(".");
    let position = log.size();
    world.rpc.serve("a.B/C", (stream) => {
      stream.onMessage((message) => {
        log.writeAt(position, [message]);
        position += message.length;
        world.own(log.sync().then(() => void stream.send(message.subarray(0, 4))), "a sync");
      });
    });
    await world.network.listen({ host: "", port: 9092 }, (connection) => {
      connection.onData((chunk) => void connection.write([new Uint8Array(chunk)]));
      connection.onFinish(() => connection.finish());
    });
    const streams = new Map<string, RpcStream>();
    for (let round = 0; ; round++) {
      for (const peer of NAMES) {
        if (peer === name) continue;
        let stream = streams.get(peer);
        if (stream === undefined) {
          stream = world.rpc.open({ host: peer, port: 9093 }, "a.B/C");
          streams.set(peer, stream);
          stream.onEnd((end) => {
            streams.delete(peer);
            world.logger.info({ peer, end }, "stream ended");
          });
        }
        stream.send(world.random.bytes(1 + world.random.below(3000)));
      }
      const dial = world.network.connect({ host: NAMES[round % 3] ?? "", port: 9092, timeoutMs: 500 });
      await dial.then((connection) => {
        connection.write([world.random.bytes(world.random.below(5000))]);
        connection.finish();
      }, (error: unknown) => world.logger.debug({ error }, "no connection"));
      if (round % 10 === 9) await world.disk.rename("log", "log").catch(() => undefined);
      await world.clock.sleep(5 + world.random.below(50));
    }
  };
  const start = (name: string) => {
    const machine = sim.machine(name);
    if (machine.processes.size > 0) return;
    const world = machine.start({ rpcPort: 9093 }).world({ role: "node" });
    node(world, name).catch((error: unknown) => world.halt("the node failed", error));
  };
  for (const name of NAMES) sim.at(0, () => start(name));
  const faults = sim.seeded.fork("faults");
  for (let atMs = 200; atMs < 20_000; atMs += faults.between(50, 600)) {
    const [name, other, kind] = [faults.pick(NAMES), faults.pick(NAMES), faults.below(9)];
    sim.at(atMs, () => {
      const machine = sim.machine(name);
      const world = [...machine.processes][0]?.worlds.get("node");
      if (kind === 0) machine.crash();
      else if (kind === 1) machine.powerLoss();
      else if (kind === 2) machine.freeze(atMs % 2 < 1 ? "process" : "machine");
      else if (kind === 3) machine.resume();
      else if (kind === 4) machine.busy(300);
      else if (kind === 5 && name !== other) machine.links([other], { state: "black-hole" }, "there");
      else if (kind === 6) sim.network.heal();
      else if (kind === 7 && world !== undefined) machine.crashAfter(50, world, atMs % 3 < 1 ? "power" : "kill");
      else if (kind === 8) machine.disk.fault({ stalled: !machine.disk.faults.stalled });
    });
    sim.at(atMs + 400, () => start(name));
  }
  return sim;
}

async function outcome(seed: number, text = false): Promise<{ readonly trace: string; readonly disks: string; readonly events: number; readonly bites: string; readonly sim: Simulation }> {
  const sim = swarm(seed, text);
  await sim.run(20_000, { maxEvents: 2_000_000 });
  const bites = JSON.stringify([...sim.bites].sort());
  const result = { trace: sim.trace.hash(), disks: sim.diskHash(), events: sim.scheduler.count, bites, sim };
  sim.end();
  return result;
}

test.each([1, 2, 3, 4, 5])("seed %i gives one run, alone, after another, and with text", async (seed) => {
  const first = await outcome(seed);
  const other = await outcome(seed + 100);
  const again = await outcome(seed);
  const told = await outcome(seed, true);
  const facts = ({ trace, disks, events, bites }: typeof first) => ({ trace, disks, events, bites });
  expect(facts(again)).toEqual(facts(first));
  expect(facts(told)).toEqual(facts(first));
  expect(other.trace).not.toBe(first.trace);
  expect(other.disks).not.toBe(first.disks);
  expect(first.events).toBeGreaterThan(2_000);
  expect(told.sim.trace.lines().length).toBeGreaterThan(10);
  expect(first.sim.trace.lines()).toEqual([]);
  expect(first.sim.bites.size).toBeGreaterThan(6);
  expect(first.sim.halts.filter((halt) => halt.cause !== undefined).map((halt) => String(halt.cause))).toEqual([]);
});

test("two simulations at once do not touch each other", async () => {
  const alone = [await outcome(1), await outcome(2)].map((one) => one.trace);
  const together = (await Promise.all([outcome(1), outcome(2)])).map((one) => one.trace);
  expect(together).toEqual(alone);
});

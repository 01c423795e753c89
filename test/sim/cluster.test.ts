/** The production roles, unchanged, on simulated machines: they found a cluster, and come back from losses of power. */
import { expect, test } from "vitest";
import { startBroker } from "../../src/app/broker-role.js";
import { nodeConfig } from "../../src/app/config.js";
import { startController } from "../../src/app/controller-role.js";
import { readSettings } from "../../src/app/settings.js";
import { initCodecs } from "../../src/records/codecs.js";
import { Simulation } from "../../src/sim/simulation.js";

const NAMES = ["n1", "n2", "n3"];

function settingsOf(name: string): Map<string, string> {
  return new Map([
    ["node.id", name.slice(1)],
    ["process.roles", "broker,controller"],
    ["controller.quorum.voters", NAMES.map((other) => `${other.slice(1)}@${other}:9093`).join(",")],
    ["controller.listener.names", "CONTROLLER"],
    ["listeners", `PLAINTEXT://${name}:9092,CONTROLLER://${name}:9093`],
    ["listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"],
    ["log.dirs", "/data"],
  ]);
}

function cluster(seed: number): { readonly sim: Simulation; readonly start: (name: string) => void; readonly ready: Set<string> } {
  const sim = new Simulation({ seed });
  const ready = new Set<string>();
  const start = (name: string) => {
    const config = nodeConfig(readSettings(settingsOf(name)).settings);
    const process = sim.machine(name).start({ rpcPort: 9093 });
    const [controllers, brokers] = [process.world({ role: "controller" }), process.world({ role: "broker" })];
    const begin = async () => {
      await startController(controllers, config);
      const broker = await startBroker(brokers, config);
      broker.onReady(() => void ready.add(name));
    };
    begin().catch((error: unknown) => brokers.halt("the start failed", error));
  };
  sim.onHalt = (halt) => void ready.delete(halt.machine);
  for (const name of NAMES) sim.at(0, () => start(name));
  return { sim, start, ready };
}

test.each([1, 2, 3])("a cluster is founded, lives through the loss of power of one and of all, and ends as the seed says, seed %i", async (seed) => {
  await initCodecs();
  const life = async () => {
    const { sim, start, ready } = cluster(seed);
    const all = () => ready.size === NAMES.length;
    expect(await sim.run(30_000, { stopWhen: all })).toBe("stopped");
    sim.machine("n1").powerLoss();
    sim.at(sim.nowMs + 5_000, () => start("n1"));
    expect(await sim.run(sim.nowMs + 60_000, { stopWhen: all })).toBe("stopped");
    sim.at(sim.nowMs + 1_000, () => {
      for (const name of NAMES) sim.machine(name).powerLoss();
    });
    for (const [i, name] of NAMES.entries()) sim.at(sim.nowMs + 2_000 + 500 * i, () => start(name));
    await sim.run(sim.nowMs + 1_500);
    expect(ready.size).toBe(0);
    expect(await sim.run(sim.nowMs + 60_000, { stopWhen: all })).toBe("stopped");
    await sim.run(sim.nowMs + 30_000);
    expect(all()).toBe(true);
    expect(sim.halts.filter((halt) => halt.cause !== undefined)).toEqual([]);
    const facts = { trace: sim.trace.hash(), disks: sim.diskHash() };
    sim.end();
    return facts;
  };
  expect(await life()).toEqual(await life());
});

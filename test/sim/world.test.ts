/** What belongs to a World as a whole: work that leaves the thread, halts, and watching from outside. */
import { expect, test } from "vitest";
import { Halted } from "../../src/world/world.js";
import type { Sent } from "../../src/sim/socket.js";
import { Simulation } from "../../src/sim/simulation.js";

test("a job runs later, on its own copy of the input, and its error comes back", async () => {
  const sim = new Simulation({ seed: 1, guarded: false });
  const jobs = {
    double: (input: Uint8Array, { times }: { readonly [name: string]: unknown }) => input.map((byte) => byte * Number(times)),
    fail: () => {
      throw new Error("the job's own");
    },
  };
  const world = sim.machine("n1").start().world({ role: "broker", jobs });
  const input = Uint8Array.of(1, 2, 3);
  await sim.drive(async () => {
    const beganMs = world.clock.nowMs();
    const promise = world.offload("double", input, { times: 2 });
    input.fill(9);
    expect(await promise).toEqual(Uint8Array.of(2, 4, 6));
    expect(world.clock.nowMs()).toBeGreaterThan(beganMs);
    await expect(world.offload("fail", input, {})).rejects.toThrow("the job's own");
    await expect(world.offload("unknown", input, {})).rejects.toThrow("no job is called unknown");
  });
  expect(world.inspect().pending).toBe(0);
});

test("the end of one role is the end of its process, unless they live apart", () => {
  const sim = new Simulation({ seed: 1 });
  const together = sim.machine("n1").start();
  const [broker, controller] = [together.world({ role: "broker" }), together.world({ role: "controller" })];
  broker.halt("a bug", new Error("x"));
  expect([controller.halted, together.ended, sim.machine("n1").processes.size]).toEqual([true, true, 0]);
  expect(() => broker.offload("x", new Uint8Array(0), {})).not.toThrow();
  expect(() => broker.disk.open("f")).toThrow(Halted);
  const apart = sim.machine("n2").start({ endsTogether: false });
  const [one, other] = [apart.world({ role: "broker" }), apart.world({ role: "controller" })];
  one.halt("done");
  expect([other.halted, apart.ended]).toEqual([false, false]);
  expect(sim.halts.map(({ machine, role, reason }) => [machine, role, reason])).toEqual([["n1", "broker", "a bug"], ["n1", "controller", "a bug"], ["n2", "broker", "done"]]);
});

test("no two machines, roles or incarnations draw the same", () => {
  const sim = new Simulation({ seed: 1 });
  const seen = new Set<string>();
  for (const name of ["n1", "n2"]) {
    for (let start = 0; start < 3; start++) {
      const process = sim.machine(name).start();
      for (const role of ["broker", "controller"]) seen.add(process.world({ role }).random.uuid());
      sim.machine(name).crash();
    }
  }
  expect(seen.size).toBe(12);
});

test("the wires can be watched, and a message held back with all behind it", async () => {
  const sim = new Simulation({ seed: 1, guarded: false });
  const server = sim.machine("n1").start({ rpcPort: 9093 }).world({ role: "server" });
  const client = sim.machine("n2").start().world({ role: "client" });
  const seen: Sent[] = [];
  sim.network.watch = (sent) => {
    seen.push(sent);
    return sent.to === "n1" && sent.bytes?.[0] === 7 ? 5_000 : 0;
  };
  const heard: { readonly value: number; readonly atMs: number }[] = [];
  server.rpc.serve("a.B/C", (stream) => {
    stream.onMessage((message) => {
      heard.push({ value: message[0] ?? -1, atMs: sim.nowMs });
      stream.send(message);
    });
  });
  const stream = client.rpc.open({ host: "n1", port: 9093 }, "a.B/C");
  for (const value of [1, 7, 2]) stream.send(Uint8Array.of(value));
  await sim.run(10_000);
  expect(heard.map(({ value, atMs }) => [value, atMs > 5_000])).toEqual([[1, false], [7, true], [2, true]]);
  expect(seen.map(({ from, to, dialler, port, hello, bytes }) => [from, to, dialler, port, hello, bytes?.[0]])).toEqual([
    ...[1, 7, 2].map((value) => ["n2", "n1", "n2", 9093, "a.B/C", value]),
    ...[1, 7, 2].map((value) => ["n1", "n2", "n2", 9093, "a.B/C", value]),
  ]);
});

test("what is durable is told apart from what is only written, and its changes are counted", async () => {
  const sim = new Simulation({ seed: 1, guarded: false });
  const { disk } = sim.machine("n1");
  const world = sim.machine("n1").start().world({ role: "broker" });
  await sim.drive(async () => {
    const file = world.disk.open("f", { create: true });
    file.writeAt(0, [Uint8Array.of(1, 2)]);
    expect([disk.durable("/data/f"), disk.cached("/data/f")]).toEqual([null, Uint8Array.of(1, 2)]);
    const before = disk.durableVersion;
    await file.sync();
    await world.disk.syncDirectory(".");
    expect(disk.durable("/data/f")).toEqual(Uint8Array.of(1, 2));
    expect(disk.durableVersion).toBeGreaterThan(before);
    const hash = disk.hash();
    file.writeAt(0, [Uint8Array.of(3)]);
    expect(disk.hash()).toBe(hash);
    await file.sync();
    expect(disk.hash()).not.toBe(hash);
  });
});

/** Roles and jobs in threads of their own. */
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RpcHub } from "../../src/host/rpc-hub.js";
import { PortCarrier } from "../../src/host/rpc-port.js";
import { startThread } from "../../src/host/thread.js";
import type { RpcEnd } from "../../src/world/rpc.js";
import { later } from "../conformance/making.js";
import { type Built, buildHost } from "./built.js";
import { hostMaking } from "./making.js";

let built: Built;
beforeAll(() => {
  built = buildHost();
});
afterAll(() => built.remove());

const JOBS = `
exports.jobs = {
  reverse: (input) => input.slice().reverse(),
  fill: async (input, { value }) => new Uint8Array(input.length).fill(value),
  fail: () => { throw Object.assign(new RangeError("too big"), { code: "TOO_BIG" }); },
  die: () => process.exit(3),
};
`;

const table = {
  reverse: (input: Uint8Array) => input.slice().reverse(),
  fill: async (input: Uint8Array, { value }: { readonly [name: string]: string | number | boolean }) => new Uint8Array(input.length).fill(Number(value)),
  fail: () => {
    throw Object.assign(new RangeError("too big"), { code: "TOO_BIG" });
  },
};

for (const where of ["in threads", "in the caller's thread"] as const) {
  test(`jobs run ${where}, give back bytes or their own error, and leave the input alone`, async () => {
    const making = await hostMaking({ jobs: where === "in threads" ? { module: built.script("jobs.cjs", JOBS) } : table });
    try {
      const world = await making.world();
      const input = Uint8Array.of(9, 1, 2, 3, 9).subarray(1, 4);
      const outputs = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? world.offload("reverse", input, {}) : world.offload("fill", input, { value: i }))));
      expect(outputs.map((output) => [...output])).toEqual(outputs.map((_, i) => (i % 2 === 0 ? [3, 2, 1] : [i, i, i])));
      expect([...input]).toEqual([1, 2, 3]);
      await expect(world.offload("fail", input, {})).rejects.toMatchObject({ name: "RangeError", message: "too big", code: "TOO_BIG" });
      await expect(world.offload("unknown", input, {})).rejects.toThrow("unknown");
      await expect(world.offload("toString", input, {})).rejects.toThrow();
    } finally {
      await making.end();
    }
  });
}

test("a job that takes its thread down is rejected, and the next one gets another thread", async () => {
  const making = await hostMaking({ jobs: { module: built.script("jobs.cjs", JOBS), threads: 1 } });
  try {
    const world = await making.world();
    const [dying, next] = [world.offload("die", new Uint8Array(1), {}), world.offload("reverse", Uint8Array.of(1, 2), {})];
    await expect(dying).rejects.toThrow();
    expect([...(await next)]).toEqual([2, 1]);
  } finally {
    await making.end();
  }
});

describe("a role in a thread", () => {
  const ROLE = `
    const { threadSide } = require("./host/thread.js");
    const { makeWorld } = require("./host/world.js");
    const { RpcHub } = require("./host/rpc-hub.js");
    const { openLog } = require("./host/logger.js");
    (async () => {
      const side = threadSide();
      try {
        const hub = await RpcHub.start({ listen: side.data.listen });
        hub.attach(side.rpcPort);
        const world = makeWorld({
          root: side.data.root, syncClass: "raft", rpc: hub, log: openLog({ level: "silent" }), meterLabels: { role: "controller" },
          onHalt: ({ reason }) => side.tell({ halted: reason }),
        });
        world.meter.counter("k_total", "help").add(4);
        world.rpc.serve("t.T/Echo", (stream) => stream.onMessage((message) => stream.send(message)));
        side.answer("metrics", () => world.metrics());
        side.answer("fail", () => { throw Object.assign(new Error("no"), { code: "NO" }); });
        side.answer("halt", () => world.halt("asked to"));
        side.answer("die", () => { setImmediate(() => { throw new Error("a stray") }); });
        side.ready({ port: hub.port });
      } catch (error) { side.failed(error); }
    })();
  `;

  test("serves through its hub the streams of the main thread and of other nodes, answers questions and tells of its halt", async () => {
    const making = await hostMaking();
    const thread = await startThread({ module: built.script("role.cjs", ROLE), name: "controller", data: { root: making.root, listen: { host: "127.0.0.1", port: 0 } } });
    const carrier = new PortCarrier(thread.rpcPort);
    const elsewhere = await RpcHub.start({ listen: null });
    try {
      const { port } = thread.started as { port: number };
      const to = { host: "127.0.0.1", port };
      for (const rpc of [carrier, elsewhere]) {
        const world = await making.world({ rpc });
        const answer = later<Uint8Array>();
        const stream = world.rpc.open(to, "t.T/Echo");
        stream.onMessage(answer.resolve);
        stream.send(Uint8Array.of(1, 2, 3));
        expect([...(await answer.promise)]).toEqual([1, 2, 3]);
      }
      // The hub of the thread carries what the main thread serves, too.
      const main = await making.world({ rpc: carrier });
      main.rpc.serve("t.T/Main", (stream) => stream.onMessage((message) => stream.send(message)));
      await main.clock.sleep(5);
      const other = await making.world({ rpc: elsewhere });
      const [answer, end] = [later<Uint8Array>(), later<RpcEnd>()];
      const stream = other.rpc.open(to, "t.T/Main");
      stream.onMessage(answer.resolve);
      stream.onEnd(end.resolve);
      stream.send(Uint8Array.of(7));
      expect([...(await answer.promise)]).toEqual([7]);

      expect(await thread.ask("metrics")).toMatchObject([{ name: "k_total", series: [{ labels: { role: "controller" }, value: 4 }] }]);
      await expect(thread.ask("fail")).rejects.toMatchObject({ message: "no", code: "NO" });
      await expect(thread.ask("unknown")).rejects.toMatchObject({ message: "nobody here answers unknown" });
      const told = later<unknown>();
      thread.onTold(told.resolve);
      await thread.ask("halt");
      expect(await told.promise).toEqual({ halted: "asked to" });

      const mainEnd = later<RpcEnd>();
      main.rpc.open({ host: "127.0.0.1", port }, "t.T/Main").onEnd(mainEnd.resolve);
      const gone = later<unknown>();
      thread.onExit(gone.resolve);
      await thread.ask("die");
      expect(await gone.promise).toMatchObject({ message: "a stray" });
      expect(await end.promise).toBe("reset"); // its hub died with it
      expect(await mainEnd.promise).toBe("reset");
      const late = later<RpcEnd>();
      main.rpc.open(to, "t.T/Echo").onEnd(late.resolve);
      expect(await late.promise).toBe("unreachable");
      await expect(thread.ask("metrics")).rejects.toThrow("ended");
    } finally {
      await thread.terminate();
      carrier.close();
      elsewhere.close();
      await making.end();
    }
  });

  test("that cannot start says why", async () => {
    const hub = await RpcHub.start({ listen: { host: "127.0.0.1", port: 0 } });
    try {
      const start = startThread({ module: built.script("role.cjs", ROLE), name: "controller", data: { root: built.folder, listen: { host: "127.0.0.1", port: hub.port } } });
      await expect(start).rejects.toMatchObject({ name: "NetworkFault", code: "address-in-use" });
    } finally {
      hub.close();
    }
    await expect(startThread({ module: built.script("broken.cjs", "throw new Error('at load')"), name: "x", data: null })).rejects.toThrow("at load");
    expect(fs.existsSync(built.folder)).toBe(true);
  });
});

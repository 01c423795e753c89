/** What must hold when the other side is another process, and dies or freezes. */
import { once } from "node:events";
import * as fs from "node:fs";
import { type ChildProcess, spawn } from "node:child_process";
import * as path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RpcHub } from "../../src/host/rpc-hub.js";
import type { RpcEnd } from "../../src/world/rpc.js";
import { later } from "../conformance/making.js";
import { type Built, buildHost } from "./built.js";
import { hostMaking, type HostMaking } from "./making.js";

let built: Built;
const children: ChildProcess[] = [];

beforeAll(() => {
  built = buildHost();
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  built.remove();
});

/** Runs a script with these arguments and waits for what it says first. */
async function start(script: string, ...given: string[]): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, [script, ...given], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [said] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return { child, said: said.toString().trim() };
}

async function kill(child: ChildProcess, signal: "SIGKILL" | "SIGSTOP"): Promise<void> {
  child.kill(signal);
  if (signal === "SIGKILL") await once(child, "exit");
}

async function within(work: (making: HostMaking) => Promise<void>): Promise<void> {
  const making = await hostMaking();
  try {
    await work(making);
  } finally {
    await making.end();
  }
}

const worldScript = (body: string) => `
const { makeWorld } = require("./host/world.js");
const { RpcHub } = require("./host/rpc-hub.js");
const { openLog } = require("./host/logger.js");
(async () => {
  const hub = await RpcHub.start({ listen: { host: "127.0.0.1", port: Number(process.argv[3] ?? 0) } });
  const world = makeWorld({ root: process.argv[2], syncClass: "data", rpc: hub, log: openLog({ level: "silent" }), onHalt: () => process.exit(1) });
  ${body}
})();
`;

test("a lock outlives a frozen holder, and not one that was killed", () =>
  within(async (making) => {
    const world = await making.world({ disk: "d" });
    const script = built.script("lock.cjs", worldScript(`console.log((await world.disk.lock("lock")) === null ? "refused" : "held");`));
    const folder = path.join(making.root, "d");
    const first = await start(script, folder);
    expect(first.said).toBe("held");
    expect(await world.disk.lock("lock")).toBeNull();
    expect((await start(script, folder)).said).toBe("refused");
    await kill(first.child, "SIGSTOP");
    expect(await world.disk.lock("lock")).toBeNull();
    await kill(first.child, "SIGKILL");
    const mine = await world.disk.lock("lock");
    expect(mine).not.toBeNull();
    expect((await start(script, folder)).said).toBe("refused");
    await mine?.release();
    expect((await start(script, folder)).said).toBe("held");
    expect(fs.readdirSync(folder)).toEqual(["lock"]); // no leftovers
  }));

test("the path alone keeps the lock where namespaces of the network differ", async () => {
  const making = await hostMaking();
  try {
    const world = await making.world({ disk: "d" });
    const folder = path.join(making.root, "d");
    // Bound at the path only, as a holder in another container's network namespace appears from here.
    const script = built.script("path-lock.cjs", `require("node:net").createServer((s) => s.destroy()).listen(process.argv[2] + "/lock", () => console.log("bound"));`);
    const holder = await start(script, folder);
    expect(await world.disk.lock("lock")).toBeNull();
    await kill(holder.child, "SIGKILL");
    const taken = await Promise.all(Array.from({ length: 4 }, () => world.disk.lock("lock")));
    expect(taken.filter((lock) => lock !== null).length).toBe(1);
  } finally {
    await making.end();
  }
});

test("a regular file of that name is no holder", () =>
  within(async (making) => {
    const world = await making.world({ disk: "d" });
    fs.writeFileSync(path.join(making.root, "d", ".lock"), ""); // Kafka leaves one
    expect(await world.disk.lock(".lock")).not.toBeNull();
  }));

test("streams of a killed process end with reset, dials to it are refused, and its successor is reached by the next dial", () =>
  within(async (making) => {
    const hub = await RpcHub.start({ listen: null });
    try {
      const world = await making.world({ rpc: hub });
      const script = built.script("serve.cjs", worldScript(`
        world.rpc.serve("t.T/Echo", (stream) => stream.onMessage((message) => stream.send(message)));
        console.log(hub.port);
      `));
      const first = await start(script, making.root);
      const to = { host: "127.0.0.1", port: Number(first.said) };
      const open = () => {
        const stream = world.rpc.open(to, "t.T/Echo");
        const [heard, end] = [later(), later<RpcEnd>()];
        stream.onMessage(() => heard.resolve());
        stream.onEnd(end.resolve);
        stream.send(new Uint8Array(3));
        return { heard: heard.promise, end: end.promise };
      };
      const [one, two] = [open(), open()];
      await Promise.all([one.heard, two.heard]);
      await kill(first.child, "SIGKILL");
      expect(await Promise.all([one.end, two.end])).toEqual(["reset", "reset"]);
      for (let i = 0; i < 3; i++) expect(await open().end).toBe("refused");
      const second = await start(script, making.root, String(to.port));
      expect(second.said).toBe(String(to.port));
      const three = open();
      await three.heard;
      await kill(second.child, "SIGKILL");
      expect(await three.end).toBe("reset");
    } finally {
      hub.close();
    }
  }));

test("a killed dialler's streams end with reset", () =>
  within(async (making) => {
    const hub = await RpcHub.start({ listen: { host: "127.0.0.1", port: 0 } });
    try {
      const world = await making.world({ rpc: hub });
      const end = later<RpcEnd>();
      world.rpc.serve("t.T/Echo", (stream) => {
        stream.onMessage((message) => stream.send(message));
        stream.onEnd(end.resolve);
      });
      const script = built.script("dial.cjs", worldScript(`
        const stream = world.rpc.open({ host: "127.0.0.1", port: ${hub.port} }, "t.T/Echo");
        stream.onMessage(() => console.log("connected"));
        stream.send(new Uint8Array(3));
      `));
      const { child } = await start(script, making.root);
      await kill(child, "SIGKILL");
      expect(await end.promise).toBe("reset");
    } finally {
      hub.close();
    }
  }));

test("a connection of a killed process ends, and its port refuses", () =>
  within(async (making) => {
    const world = await making.world();
    const script = built.script("listen.cjs", worldScript(`
      const listener = await world.network.listen({ host: "127.0.0.1", port: 0 }, () => undefined);
      console.log(listener.port);
    `));
    const { child, said } = await start(script, making.root);
    const connection = await world.network.connect({ host: "127.0.0.1", port: Number(said), timeoutMs: 5000 });
    const gone = later();
    connection.onFinish(gone.resolve);
    connection.onEnd(() => gone.resolve());
    await kill(child, "SIGKILL");
    await gone.promise;
    await expect(world.network.connect({ host: "127.0.0.1", port: Number(said), timeoutMs: 5000 })).rejects.toMatchObject({ code: "refused" });
  }));

test("disk, rpc and network all work on a pool of one, of four and of sixteen threads", () =>
  within(async (making) => {
    const script = built.script("pool.cjs", worldScript(`
      const files = Array.from({ length: 30 }, (_, i) => world.disk.open("pool-" + i, { create: true }));
      for (const file of files) file.writeAt(0, [Buffer.from("x")]);
      await Promise.all(files.flatMap((file) => [file.sync(), file.read(0, new Uint8Array(1)), world.disk.list("."), world.disk.readFile("pool-1")]));
      console.log("done", require("./host/thread-pool.js").threadPoolSize());
      process.exit(0);
    `));
    for (const threads of ["1", "4", "16"]) {
      const child = spawn(process.execPath, [script, making.root], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, UV_THREADPOOL_SIZE: threads } });
      children.push(child);
      const [said] = (await once(child.stdout, "data")) as [Buffer];
      expect(said.toString().trim()).toBe(`done ${threads}`);
    }
  }));

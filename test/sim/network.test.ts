/** Faults of the network: what connections and streams see when machines die and links do not carry. */
import { describe, expect, test } from "vitest";
import type { Connection, ConnectionEnd } from "../../src/world/network.js";
import { NetworkFault } from "../../src/world/network.js";
import type { RpcEnd, RpcStream } from "../../src/world/rpc.js";
import { Simulation } from "../../src/sim/simulation.js";

function pair(seed = 1) {
  const sim = new Simulation({ seed, guarded: false });
  const [a, b] = [sim.machine("a"), sim.machine("b")];
  const near = a.start().world({ role: "client" });
  const far = b.start({ rpcPort: 9093 }).world({ role: "server" });
  return { sim, a, b, near, far };
}

interface Heard {
  readonly connection: Connection;
  text: string;
  finished: boolean;
  end: ConnectionEnd | null;
  endMs: number;
}

function hear(sim: Simulation, connection: Connection): Heard {
  const heard: Heard = { connection, text: "", finished: false, end: null, endMs: 0 };
  connection.onData((chunk) => (heard.text += Buffer.from(chunk).toString()));
  connection.onFinish(() => (heard.finished = true));
  connection.onEnd((end) => {
    heard.end = end;
    heard.endMs = sim.nowMs;
  });
  return heard;
}

async function connected(seed = 1) {
  const made = pair(seed);
  const accepted: Heard[] = [];
  const client = await made.sim.drive(async () => {
    await made.far.network.listen({ host: "", port: 9092 }, (connection) => void accepted.push(hear(made.sim, connection)));
    return hear(made.sim, await made.near.network.connect({ host: "b", port: 9092, timeoutMs: 1000 }));
  });
  await made.sim.run(made.sim.nowMs + 5);
  const server = accepted[0];
  if (server === undefined) throw new Error("nothing was accepted");
  return { ...made, accepted, client, server };
}

const send = (heard: Heard, text: string) => heard.connection.write([Buffer.from(text)]);

async function dialEnd(made: ReturnType<typeof pair>, timeoutMs = 1000): Promise<string> {
  const fault: unknown = await made.sim.drive(() => made.near.network.connect({ host: "b", port: 9092, timeoutMs }).then(() => "open", (error: unknown) => error));
  return fault instanceof NetworkFault ? fault.code : String(fault);
}

describe("a machine that dies", () => {
  test("killed: peers hear of a reset at once, dials are refused, and what it had sent still comes or is cut off, never garbled", async () => {
    let came = 0;
    for (let seed = 0; seed < 20; seed++) {
      const made = await connected(seed);
      const { sim, b, client, server } = made;
      sim.at(sim.nowMs + 1, () => send(server, "answer"));
      sim.at(sim.nowMs + 1.2, () => b.crash());
      await sim.run(sim.nowMs + 100);
      expect(client.end).toBe("reset");
      expect(["", "answer"].includes(client.text) || "answer".startsWith(client.text)).toBe(true);
      if (client.text === "answer") came++;
      expect(await dialEnd(made)).toBe("refused");
      sim.end();
    }
    expect(came).toBeGreaterThan(0);
  });

  test("without power: silence, dials time out; back again it answers the next bytes with a reset", async () => {
    const made = await connected();
    const { sim, b, client } = made;
    b.powerLoss();
    sim.at(sim.nowMs, () => send(client, "anybody?"));
    await sim.run(sim.nowMs + 10_000);
    expect([client.end, client.finished]).toEqual([null, false]);
    expect(await dialEnd(made)).toBe("timed-out");
    b.start();
    const backMs = sim.nowMs;
    await sim.run(sim.nowMs + 10_000);
    expect(client.end).toBe("reset");
    expect(client.endMs).toBeGreaterThan(backMs);
    expect(await dialEnd(made)).toBe("refused");
  });

  test("drops a connection while bytes are on their way to it: their sender is told of a reset, whether or not it sends more", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { sim, client, server } = await connected(seed);
      sim.at(sim.nowMs, () => {
        sim.network.link("a", "b").fault({ slowness: 50 });
        send(client, "too late");
      });
      sim.at(sim.nowMs + 0.6, () => server.connection.destroy());
      await sim.run(sim.nowMs + 5_000);
      expect([client.end, server.text]).toEqual(["reset", ""]);
      sim.end();
    }
  });

  test("frozen as a process: the kernel takes dials and bytes, and all of it is there when it goes on", async () => {
    const made = await connected();
    const { sim, b, client, server, accepted } = made;
    b.freeze("process");
    sim.at(sim.nowMs, () => send(client, "hello"));
    expect(await dialEnd(made)).toBe("open");
    await sim.run(sim.nowMs + 5_000);
    expect([server.text, accepted.length]).toEqual(["", 1]);
    b.resume();
    await sim.run(sim.nowMs + 1_000);
    expect([server.text, accepted.length, client.end]).toEqual(["hello", 2, null]);
  });

  test("frozen as a whole: dials time out, and connections go on afterwards", async () => {
    const made = await connected();
    const { sim, b, client, server } = made;
    b.freeze("machine");
    sim.at(sim.nowMs, () => send(client, "hello"));
    expect(await dialEnd(made)).toBe("timed-out");
    b.resume();
    await sim.run(sim.nowMs + 5_000);
    expect([server.text, client.end]).toEqual(["hello", null]);
  });
});

test("a listener that is closed takes no dial that waits for its thread", async () => {
  const { sim, b, near, far } = pair();
  let accepted = 0;
  const listener = await sim.drive(() => far.network.listen({ host: "", port: 9092 }, () => accepted++));
  b.busy(100);
  let end: ConnectionEnd | null = null;
  sim.at(sim.nowMs, () => void near.network.connect({ host: "b", port: 9092, timeoutMs: 1000 }).then((connection) => connection.onEnd((why) => (end = why))));
  sim.scheduler.at(sim.nowMs, far.life.thread, () => void listener.close());
  await sim.run(sim.nowMs + 1_000);
  expect([accepted, end, near.inspect().connections, far.inspect().listeners]).toEqual([0, "reset", 0, 0]);
});

test("a link that flaps for long leaves nothing behind, and an idle connection alive", async () => {
  const { sim, client, server } = await connected();
  for (let i = 0; i < 5_000; i++) sim.at(sim.nowMs + 100 * i, () => sim.network.fault(["a"], ["b"], { state: i % 2 === 0 ? "black-hole" : "up" }));
  const before = sim.scheduler.planned;
  await sim.run(sim.nowMs + 499_000);
  expect(sim.scheduler.planned - before).toBeLessThan(-4_900);
  await sim.run(sim.nowMs + 500_000);
  expect([client.end, server.end]).toEqual([null, null]);
  sim.at(sim.nowMs, () => send(client, "still here"));
  await sim.run(sim.nowMs + 1_000);
  expect(server.text).toBe("still here");
});

describe("a link", () => {
  test.each(["stalled", "black-hole"] as const)("that is %s keeps bytes back one way, in order, and lets the others through", async (state) => {
    const made = await connected();
    const { sim, a, client, server } = made;
    sim.network.fault(["a"], ["b"], { state }, "there");
    sim.at(sim.nowMs, () => {
      send(client, "one ");
      send(server, "back");
    });
    sim.at(sim.nowMs + 2_000, () => send(client, "two"));
    await sim.run(sim.nowMs + 4_000);
    expect([server.text, client.text]).toEqual(["", "back"]);
    expect(await dialEnd(made)).toBe(state === "stalled" ? "open" : "timed-out");
    a.links(["b"], { state: "up" });
    await sim.run(sim.nowMs + 4_000);
    expect([server.text, server.end, client.end]).toEqual(["one two", null, null]);
    expect(sim.bites.get("bytes-held")).toBeGreaterThan(0);
  });

  test("that goes down keeps back what is on its way", async () => {
    const { sim, client, server } = await connected();
    sim.at(sim.nowMs, () => {
      sim.network.link("a", "b").fault({ slowness: 50 });
      send(client, "on its way");
    });
    sim.at(sim.nowMs + 0.5, () => sim.network.link("a", "b").fault({ state: "stalled" }));
    await sim.run(sim.nowMs + 5_000);
    expect(server.text).toBe("");
    sim.network.heal();
    await sim.run(sim.nowMs + 5_000);
    expect(server.text).toBe("on its way");
  });

  test("that is a black hole for long ends connections with something in flight, on the sender's side", async () => {
    const { sim, client, server } = await connected();
    sim.network.fault(["a"], ["b"], { state: "black-hole" });
    sim.at(sim.nowMs, () => send(client, "lost"));
    await sim.run(sim.nowMs + 400_000);
    expect([client.end, server.end]).toEqual(["timed-out", null]);
  });

  test("heals, and a connection that was closed meanwhile is answered with a reset", async () => {
    const { sim, a, server } = await connected();
    sim.network.fault(["a"], ["b"], { state: "black-hole" });
    await sim.run(sim.nowMs + 10);
    a.crash(); // the reset is lost
    await sim.run(sim.nowMs + 5_000);
    expect(server.end).toBeNull();
    sim.network.heal();
    await sim.run(sim.nowMs + 60_000);
    expect(server.end).toBe("reset");
  });

  test("refuses dials although somebody listens: false proof of death", async () => {
    const made = await connected();
    made.sim.network.fault(["a"], ["b"], { refuses: true }, "there");
    expect(await dialEnd(made)).toBe("refused");
    made.sim.network.heal();
    expect(await dialEnd(made)).toBe("open");
    expect(made.sim.bites.get("dial-refused")).toBe(1);
  });

  test("breaks: a reset for both, or half-open for one", async () => {
    const both = await connected();
    expect(both.sim.network.breakConnections(["a", "b"], "reset")).toBe(1);
    await both.sim.run(both.sim.nowMs + 10);
    expect([both.client.end, both.server.end]).toEqual(["reset", "reset"]);

    const half = await connected();
    half.sim.network.breakConnections(["a", "b"], "half-open");
    half.sim.at(half.sim.nowMs + 5, () => send(half.server, "into nothing"));
    await half.sim.run(half.sim.nowMs + 100_000);
    expect([half.client.end, half.server.end]).toEqual(["reset", null]);
    await half.sim.run(half.sim.nowMs + 900_000);
    expect([half.server.end, half.client.text]).toEqual(["timed-out", ""]);
  });

  test("may bring bytes of a dead connection after its successor's", async () => {
    let overtaken = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { sim, near, far, client, server } = await connected(seed);
      const order: string[] = [];
      server.connection.onData(() => order.push("old"));
      await sim.drive(() => far.network.listen({ host: "", port: 9094 }, (connection) => connection.onData(() => order.push("new"))));
      sim.at(sim.nowMs, () => {
        sim.network.link("a", "b").fault({ slowness: 20 });
        send(client, "old");
      });
      sim.at(sim.nowMs + 1, () => {
        client.connection.destroy();
        sim.network.heal();
        void near.network.connect({ host: "b", port: 9094, timeoutMs: 1000 }).then((connection) => connection.write([Buffer.from("new")]));
      });
      await sim.run(sim.nowMs + 1000);
      if (order.join() === "new,old") overtaken++;
      sim.end();
    }
    expect(overtaken).toBeGreaterThan(3);
  });
});

describe("lent buffers", () => {
  test("who keeps a chunk finds it overwritten; who touches written bytes before their release sends something else", async () => {
    const { sim, client, server } = await connected();
    const kept: Uint8Array[] = [];
    server.connection.onData((chunk) => void kept.push(chunk));
    const early = Buffer.from("precious");
    sim.at(sim.nowMs, () => {
      client.connection.write([early]);
      early.fill("x");
    });
    await sim.run(sim.nowMs + 10);
    expect(new Set(Buffer.concat(kept))).toEqual(new Set([0xd1]));
    const copies: Buffer[] = [];
    server.connection.onData((chunk) => void copies.push(Buffer.from(chunk)));
    const second = Buffer.from("precious");
    sim.at(sim.nowMs, () => {
      client.connection.write([second]);
      second.fill("x");
    });
    await sim.run(sim.nowMs + 10);
    expect(Buffer.concat(copies).toString()).toBe("xxxxxxxx");
  });

  test("bytes come in chunks of any size", async () => {
    const sizes = new Set<number>();
    const { sim, client, server } = await connected();
    server.connection.onData((chunk) => void sizes.add(chunk.length));
    for (let i = 0; i < 300; i++) sim.at(sim.nowMs + i, () => send(client, "0123456789".repeat(10)));
    await sim.run(sim.nowMs + 1000);
    expect(sizes.size).toBeGreaterThan(20);
    expect(sizes.has(100)).toBe(true);
  });
});

describe("rpc streams", () => {
  interface Stream {
    readonly stream: RpcStream;
    end: RpcEnd | null;
    endMs: number;
    messages: number;
  }
  const listen = (sim: Simulation, stream: RpcStream): Stream => {
    const heard: Stream = { stream, end: null, endMs: 0, messages: 0 };
    stream.onMessage(() => heard.messages++);
    stream.onEnd((end) => {
      heard.end = end;
      heard.endMs = sim.nowMs;
    });
    return heard;
  };

  async function open(seed = 1) {
    const made = pair(seed);
    const served: Stream[] = [];
    made.far.rpc.serve("a.B/C", (stream) => void served.push(listen(made.sim, stream)));
    const dial = () => listen(made.sim, made.near.rpc.open({ host: "b", port: 9093 }, "a.B/C"));
    const client = dial();
    client.stream.send(new Uint8Array(3));
    await made.sim.run(made.sim.nowMs + 20);
    expect([served.length, served[0]?.messages, client.end]).toEqual([1, 1, null]);
    return { ...made, client, served, dial };
  }

  test.each([
    ["killed", "reset", 100],
    ["power lost", "timed-out", 12_000],
    ["frozen", "timed-out", 12_000],
    ["cut off", "timed-out", 12_000],
    ["cut off one way", "timed-out", 12_000],
  ] as const)("to a node that is %s end as %s in time, without a word sent", async (what, end, withinMs) => {
    const { sim, b, client, dial } = await open();
    const beganMs = sim.nowMs;
    if (what === "killed") b.crash();
    else if (what === "power lost") b.powerLoss();
    else if (what === "frozen") b.freeze("process");
    else sim.network.fault(["b"], ["a"], { state: "black-hole" }, what === "cut off" ? "both" : "there");
    await sim.run(beganMs + withinMs);
    expect(client.end).toBe(end);
    const again = dial();
    await sim.run(sim.nowMs + 5_000);
    expect(again.end).toBe(what === "killed" ? "refused" : "timed-out");
  });

  test("outlive a short cut", async () => {
    const { sim, client, served } = await open();
    sim.network.fault(["a"], ["b"], { state: "black-hole" });
    client.stream.send(new Uint8Array(5));
    sim.at(sim.nowMs + 3_000, () => sim.network.heal());
    await sim.run(sim.nowMs + 60_000);
    expect([client.end, served[0]?.messages, served[0]?.end]).toEqual([null, 2, null]);
  });

  test("find out that the node behind them is another one", async () => {
    const { sim, b, client } = await open();
    b.powerLoss();
    sim.at(sim.nowMs + 1_000, () => void b.start({ rpcPort: 9093 }));
    await sim.run(sim.nowMs + 8_000);
    expect(client.end).toBe("reset");
  });
});

test("after everything has healed and closed, nothing is left open", async () => {
  const { sim, a, b, client, server, near, far } = await connected();
  a.links(["b"], { state: "black-hole" });
  send(client, "x");
  await sim.run(sim.nowMs + 1_000);
  sim.network.heal();
  client.connection.finish();
  server.connection.finish();
  await sim.run(sim.nowMs + 60_000);
  expect([client.end, server.end, server.text]).toEqual(["closed", "closed", "x"]);
  for (const world of [near, far]) expect(world.inspect()).toMatchObject({ timers: 0, connections: 0, streams: 0, files: 0, queuedBytes: 0, pending: 0, waiting: 0 });
  expect([a.processes.size, b.processes.size]).toEqual([1, 1]);
});

/** What one connection may take, and that it takes it from nobody else. */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../../src/app/cluster.js";
import { FrameSplitter, ProtocolError } from "../../src/protocol/frame.js";
import { listTopics } from "../../src/cli/topics.js";
import { withClient } from "./client.js";

const PER_IP = 8;
let cluster: Cluster;
let port = 0;
const sockets = new Set<Socket>();

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, settings: { "max.connections.per.ip": String(PER_IP), "socket.request.max.bytes": "1048576" } });
  port = Number(cluster.bootstrap[0]?.split(":")[1]);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await cluster.close();
});

function dial(): { readonly socket: Socket; readonly open: Promise<void>; readonly ended: Promise<void> } {
  const socket = connect({ host: "127.0.0.1", port });
  sockets.add(socket);
  socket.on("error", () => undefined).resume();
  return { socket, open: new Promise((resolve) => socket.once("connect", resolve)), ended: new Promise((resolve) => socket.once("close", () => resolve())) };
}

const length = (n: number) => {
  const head = Buffer.alloc(4);
  head.writeInt32BE(n);
  return head;
};

test("a frame longer than socket.request.max.bytes ends the connection, one of that length does not", async () => {
  const tooLong = dial();
  tooLong.socket.write(length(1_048_577));
  await tooLong.ended;
  const allowed = dial();
  allowed.socket.write(length(1_048_576));
  await withClient(port, (client) => listTopics(client, { internal: false })); // served after it, so it has been looked at
  expect(allowed.socket.readyState).toBe("open");
  allowed.socket.destroy();
  await allowed.ended;
});

test("a length is judged before memory is taken, and a promised frame holds what was sent and not what was promised", () => {
  const splitter = new FrameSplitter(100 << 20);
  expect(() => [...splitter.push(length((100 << 20) + 1))]).toThrow(ProtocolError);
  const before = process.memoryUsage().arrayBuffers;
  const slow = Array.from({ length: 50 }, () => new FrameSplitter(100 << 20));
  for (const one of slow) expect([...one.push(Buffer.concat([length(100 << 20), Buffer.alloc(1000)]))]).toEqual([]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 256 * 1024);
});

test("hostile connections do not disturb another one", async () => {
  await withClient(port, async (client) => {
    for (let round = 0; round < 20; round++) {
      const bad = dial();
      bad.socket.write(Buffer.concat([length(round - 10), Buffer.alloc(40, round)]));
      if (round - 10 > 0) bad.socket.write(length(-1));
      await bad.ended;
      expect((await listTopics(client, { internal: false })).text).toBe("no topics");
    }
  });
});

test("max.connections.per.ip refuses the next one, and one that leaves makes room", async () => {
  const held = Array.from({ length: PER_IP }, dial);
  await Promise.all(held.map((one) => one.open));
  const refused = dial();
  await refused.ended;
  for (const one of held) expect(one.socket.readyState).toBe("open");
  held[0]?.socket.destroy();
  await held[0]?.ended;
  let served = false;
  for (let tries = 0; tries < 50 && !served; tries++) served = await withClient(port, (client) => listTopics(client, { internal: false })).then(() => true, () => false);
  expect(served).toBe(true);
  for (const one of held) one.socket.destroy();
});

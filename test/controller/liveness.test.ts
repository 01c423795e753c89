/** Leases by deadline: silence ends them, frozen controllers end nobody's, and nothing ticks meanwhile. */
import { expect, test } from "vitest";
import { nodeId, type NodeId } from "../../src/base/ids.js";
import { Liveness } from "../../src/controller/liveness.js";
import { Model } from "./model.js";
import { TestNet } from "./world.js";

const LEASE_MS = 3_000;
const BEAT_MS = 500;

function watched(...ids: readonly number[]) {
  const net = new TestNet();
  const node = net.node("c");
  const model = new Model();
  model.up(...ids);
  net.open.add("h:1"); // where every broker of the model is
  const dead: { readonly id: NodeId; readonly how: string; readonly atMs: number }[] = [];
  const liveness = new Liveness(node.world, () => LEASE_MS, () => model.image, (id, _, how) => {
    dead.push({ id, how, atMs: net.nowMs });
    model.fence(id);
  });
  /** A heartbeat is delivered to the controller, which reads it when it is not frozen. */
  const beats = (id: number, endMs: number): void => {
    for (let atMs = BEAT_MS; atMs <= endMs; atMs += BEAT_MS) net.after(node, atMs, () => liveness.heard(nodeId(id)));
  };
  return { net, node, model, dead, liveness, beats };
}

test("who is silent for a lease is dead soon after, and nobody else", async () => {
  const { net, dead, liveness, beats } = watched(1, 2);
  liveness.begin();
  beats(1, 20_000);
  beats(2, 5_000);
  await net.run(20_000);
  expect(dead.map(({ id, how }) => [id, how])).toEqual([[2, "silence"]]);
  expect(dead[0]?.atMs).toBeGreaterThanOrEqual(5_000 + LEASE_MS);
  expect(dead[0]?.atMs).toBeLessThan(5_000 + LEASE_MS + 200);
});

test("a frozen controller takes its own silence for nobody's", async () => {
  for (const [fromMs, forMs] of [[1_000, 2_500], [2_900, 300], [100, 8_000], [2_999, 40_000]] as const) {
    const { net, node, dead, liveness, beats } = watched(1, 2, 3);
    liveness.begin();
    for (const id of [1, 2, 3]) beats(id, 60_000);
    await net.run(fromMs);
    node.frozen = true;
    await net.run(forMs);
    node.frozen = false;
    await net.run(60_000 - fromMs - forMs);
    expect(dead, `frozen at ${fromMs} for ${forMs}`).toEqual([]);
  }
});

test("a heartbeat that is read a moment late costs nothing, nor does a freeze after which brokers have to dial again", async () => {
  const late = watched(1);
  late.liveness.begin();
  late.net.after(late.node, LEASE_MS + 50, () => late.liveness.heard(nodeId(1)));
  await late.net.run(2 * LEASE_MS);
  expect(late.dead).toEqual([]);

  const frozen = watched(1, 2);
  frozen.liveness.begin();
  await frozen.net.run(2_000);
  frozen.node.frozen = true;
  await frozen.net.run(8_000);
  frozen.node.frozen = false;
  frozen.net.after(frozen.node, 1_000, () => frozen.liveness.heard(nodeId(1)));
  await frozen.net.run(3_000);
  expect(frozen.dead.map(({ id }) => id)).toEqual([2]);
});

test("a timer comes once a lease, however many heartbeats come, and none is left when nobody is watched", async () => {
  const { net, liveness, beats, dead } = watched(1, 2, 3);
  expect(net.armed).toBe(0);
  liveness.begin();
  await net.run(100); // the dials of a new reign
  for (const id of [1, 2, 3]) beats(id, 60_000);
  const before = net.events;
  await net.run(60_000);
  const beaten = (3 * 60_000) / BEAT_MS;
  expect(net.events - before - beaten).toBeLessThan(2 + 60_000 / (LEASE_MS - BEAT_MS));
  expect(liveness.inspect()).toEqual({ watched: [1, 2, 3], proving: 0, armed: true });
  await net.run(LEASE_MS + 200);
  expect(dead.map(({ id }) => id)).toEqual([1, 2, 3]);
  await net.run(2 * LEASE_MS);
  expect(liveness.inspect()).toEqual({ watched: [], proving: 0, armed: false });
  expect(net.armed).toBe(0);
  liveness.heard(nodeId(1));
  expect(net.armed).toBe(1);
  liveness.end();
  expect(net.armed).toBe(0);
});

/** Controllers and brokers together on virtual time: registration, fencing, failover, the feed. Scenarios of reliability.md §3 by their names. */
import { describe, expect, test } from "vitest";
import { NO_UUID, nodeId, uuid, type NodeId, type Uuid } from "../../src/base/ids.js";
import { ControllerClient } from "../../src/controller/client.js";
import { ControllerService } from "../../src/controller/service.js";
import { encodeCall, FEED, SESSION, type Question } from "../../src/controller/wire.js";
import type { BrokerRegistration, SessionState } from "../../src/coordination/coordination.js";
import { BROKER_SETTINGS } from "../../src/metadata/broker-settings.js";
import { checkImage } from "../../src/metadata/check-image.js";
import type { ClusterImage } from "../../src/metadata/cluster-image.js";
import { TestQuorum } from "./quorum.js";
import { TestNet, type TestNode } from "./world.js";

const PORT = 9092;

class Broker {
  readonly node: TestNode;
  readonly client: ControllerClient;
  readonly states: SessionState[] = [];
  readonly seen: bigint[] = [];

  constructor(readonly cluster: Cluster, readonly id: NodeId, readonly registration: BrokerRegistration, host: string, before?: (client: ControllerClient) => void) {
    this.node = cluster.net.node(host);
    cluster.net.open.add(`${host}:${PORT}`);
    const controllers = cluster.controllers.map((one) => ({ id: one.id, host: one.node.host, port: 1 }));
    this.client = new ControllerClient(this.node.world, { nodeId: id, controllers, heartbeatMs: 500, leaseMs: 3000 });
    this.client.onSession((state) => this.states.push(state));
    this.client.onImage((image) => this.seen.push(image.position));
    before?.(this.client);
    this.client.start(registration);
  }

  kill(): void {
    this.node.kill(PORT);
  }
}

class Cluster {
  readonly net = new TestNet();
  readonly quorum = new TestQuorum(this.net);
  readonly controllers: { readonly id: NodeId; readonly node: TestNode; readonly service: ControllerService }[] = [];
  #incarnations = 0;

  constructor(settings: Readonly<Record<string, string>> = {}, count = 2, blockPartitions?: number) {
    const defaults = new Map(BROKER_SETTINGS.map((setting) => [setting.name, setting.default]));
    const text = (name: string): string | null => settings[name] ?? defaults.get(name) ?? null;
    for (let i = 0; i < count; i++) {
      const id = nodeId(100 + i);
      const node = this.net.node(`c${i}`);
      const service = new ControllerService(node.world, { has: (name) => name in settings, text, number: (name) => Number(text(name)), flag: (name) => text(name) === "true" }, blockPartitions);
      service.attach(this.quorum.join(id, node, service.machine));
      this.controllers.push({ id, node, service });
    }
    this.quorum.elect(nodeId(100));
  }

  registration(id: number, disk = 0, host = `b${id}`): BrokerRegistration {
    const n = this.#incarnations++;
    return {
      nodeId: nodeId(id),
      incarnation: uuid(`i${String(n).padStart(21, "0")}`),
      directories: [uuid(`d${String(id * 100 + disk).padStart(21, "0")}`)],
      listeners: [{ name: "PLAINTEXT", host, port: PORT, protocol: "PLAINTEXT" }],
      nodePort: { host, port: PORT },
      rack: null,
      previousBrokerEpoch: -1n,
      cleanShutdown: false,
    };
  }

  broker(id: number, options: { readonly disk?: number; readonly lost?: readonly { readonly topicId: Uuid; readonly partition: number }[] } = {}): Broker {
    return new Broker(this, nodeId(id), this.registration(id, options.disk), `b${id}`, (client) => client.reportLost(options.lost ?? []));
  }

  get image(): ClusterImage {
    const active = this.controllers.find((one) => one.id === this.quorum.leader);
    if (active === undefined) throw new Error("somebody leads");
    checkImage(active.service.machine.image);
    return active.service.machine.image;
  }

  async active(...brokers: readonly Broker[]): Promise<void> {
    await this.net.until(() => brokers.every((broker) => broker.client.leased && this.image.broker(broker.id)?.fenced === false), 5_000, "brokers are active");
  }

  async topic(by: Broker, replicas: readonly number[], name = "t"): Promise<Uuid> {
    const reply = by.client.admin({ kind: "create-topics", topics: [{ name, partitions: -1, replicationFactor: -1, assignments: [{ partition: 0, brokers: replicas.map(nodeId) }], configs: [] }], validateOnly: false }, 5_000);
    await this.net.run(100);
    const [result] = (await reply).results;
    expect(result?.error).toBe("NONE");
    return result?.topicId ?? NO_UUID;
  }

  partition(name = "t") {
    const p = this.image.topic(name)?.existing(0);
    if (p === undefined) throw new Error("the topic exists");
    return p;
  }
}

async function three(settings: Readonly<Record<string, string>> = { "min.insync.replicas": "2" }) {
  const cluster = new Cluster(settings);
  const [a, b, c] = [cluster.broker(1), cluster.broker(2), cluster.broker(3)];
  await cluster.active(a, b, c);
  return { cluster, a, b, c };
}

describe("registration and the feed", () => {
  test("a broker is fenced until it has applied its own registration, and every broker sees the same images in order", async () => {
    const { cluster, a, b } = await three();
    expect(a.states).toEqual(["fenced", "active"]);
    expect(a.client.brokerEpoch).toBe(cluster.image.broker(a.id)?.epoch);
    await cluster.topic(a, [1, 2, 3]);
    expect(a.client.image.position).toBe(cluster.image.position);
    expect(b.client.image.topic("t")?.partition(0)).toEqual(cluster.partition());
    expect(a.seen).toEqual([...a.seen].sort((x, y) => Number(x - y)));
  });

  test("a newcomer gets a snapshot once the old batches are gone", async () => {
    const { cluster, a } = await three();
    await cluster.topic(a, [1, 2, 3]);
    for (const one of cluster.controllers) one.service.machine.publisher.restored(one.service.machine.image); // as after a restart from a snapshot
    const d = cluster.broker(4);
    await cluster.active(d);
    expect(d.client.image.topic("t")?.partition(0)).toEqual(cluster.partition());
    await cluster.topic(a, [1, 4], "u");
    expect(d.client.image.topic("u")).not.toBeNull();
  });

  test("a token is good between two brokers for one registration", async () => {
    const { cluster, a, b, c } = await three();
    const epoch = a.client.brokerEpoch ?? -1n;
    const token = a.client.sessionToken(b.id) ?? "";
    expect(b.client.checkSessionToken(a.id, epoch, token)).toBe(true);
    expect(c.client.checkSessionToken(a.id, epoch, token)).toBe(false);
    expect(b.client.checkSessionToken(c.id, epoch, token)).toBe(false);
    a.kill();
    const again = cluster.broker(1);
    await cluster.active(again);
    expect(b.client.checkSessionToken(a.id, again.client.brokerEpoch ?? -1n, token)).toBe(false);
  });

  test("a second process with another disk does not push out one that lives", async () => {
    const { cluster, a } = await three();
    const epoch = cluster.image.broker(a.id)?.epoch;
    new Broker(cluster, a.id, cluster.registration(1, 7, "elsewhere"), "elsewhere");
    await cluster.net.run(4_000);
    expect(cluster.image.broker(a.id)?.epoch).toBe(epoch);
    expect(a.client.leased).toBe(true);
  });

  test("what makes no sense ends the stream that said it and nothing else", async () => {
    const { cluster, a } = await three();
    const stranger = cluster.net.node("stranger");
    let ends = 0;
    for (const bytes of [Uint8Array.of(255, 255), encodeCall(1, { kind: "nonsense" }), encodeCall(1, { kind: "register", broker: null } as unknown as Question), encodeCall(1, { kind: "admin", command: { kind: "x" } } as unknown as Question)]) {
      const stream = stranger.world.rpc.open({ host: "c0", port: 1 }, SESSION);
      stream.onMessage(() => undefined);
      stream.onEnd(() => ends++);
      stream.send(bytes);
    }
    await cluster.net.run(1_000);
    expect(ends).toBe(4);
    expect(a.client.leased).toBe(true);
  });
});

describe("losing the lease", () => {
  test("a killed broker is fenced on proof of death, long before its lease ends", async () => {
    const { cluster, a } = await three();
    await cluster.topic(a, [1, 2, 3]);
    a.kill();
    await cluster.net.until(() => cluster.image.broker(a.id)?.fenced === true, 500, "fenced");
    expect(cluster.partition()).toMatchObject({ leader: 2, leaderEpoch: 1, isr: [2, 3] });
  });

  test("a frozen broker is fenced by silence and comes back by itself", async () => {
    const { cluster, a } = await three();
    await cluster.topic(a, [1, 2, 3]);
    a.node.frozen = true;
    await cluster.net.run(2_000);
    expect(cluster.image.broker(a.id)?.fenced).toBe(false);
    await cluster.net.until(() => cluster.image.broker(a.id)?.fenced === true, 2_000, "fenced");
    expect(cluster.partition()).toMatchObject({ leader: 2, leaderEpoch: 1, isr: [2, 3] });
    a.node.frozen = false;
    await cluster.active(a);
    expect(a.client.image.topic("t")?.partition(0)?.leader).toBe(2); // it knew of its fall before it was let in again
  });

  test("a broken stream alone fences nobody: the port still answers", async () => {
    const { cluster, a } = await three();
    const epoch = cluster.image.broker(a.id)?.epoch;
    a.node.breakStreams();
    await cluster.net.run(2_000);
    expect(cluster.image.broker(a.id)).toMatchObject({ fenced: false, epoch });
    expect(a.client.leased).toBe(true);
  });

  test("C28: dials refused for a second while the broker lives cost at most one fence, and it is back at once", async () => {
    const { cluster, a } = await three();
    cluster.net.refused.add(`b1:${PORT}`);
    a.node.breakStreams();
    await cluster.net.run(1_000);
    cluster.net.refused.clear();
    await cluster.active(a);
    const fences = cluster.controllers.flatMap((one) => one.node.lines).filter((line) => line.message === "broker fenced");
    expect(fences).toEqual([]); // its new session came before the second refusal: better proof of life than a dial is of death
  });

  test("one refused dial is no proof", async () => {
    const { cluster, a } = await three();
    cluster.controllers[0]?.node.served.delete(SESSION); // so that no new session speaks for it
    const { dials } = cluster.net;
    cluster.net.refused.add(`b1:${PORT}`);
    a.node.breakStreams();
    await cluster.net.until(() => cluster.net.dials > dials, 500, "a dial");
    cluster.net.refused.clear();
    await cluster.net.run(500);
    expect(cluster.image.broker(a.id)?.fenced).toBe(false);
  });

  test("a broker that cannot see the metadata stays fenced, however often it calls", async () => {
    const cluster = new Cluster();
    for (const one of cluster.controllers) one.node.served.delete(FEED);
    const a = cluster.broker(1);
    await cluster.net.run(3_000);
    expect(a.states).toEqual(["fenced"]);
    expect(cluster.image.broker(a.id)?.fenced).toBe(true);
  });

  test("a controlled stop moves leaders to replicas in sync, then says that it is safe", async () => {
    const { cluster, a } = await three();
    await cluster.topic(a, [1, 2, 3]);
    let safe = false;
    void a.client.stopping(10_000).then(() => (safe = true));
    await cluster.net.until(() => safe, 200, "safe to stop");
    expect(cluster.partition()).toMatchObject({ leader: 2, isr: [2, 3] });
    void a.client.close();
    await cluster.net.until(() => cluster.image.broker(a.id)?.fenced === true, 200, "fenced at goodbye");
  });
});

describe("incarnations", () => {
  test("C27: a leader that restarts within its lease begins a new epoch, even alone", async () => {
    const { cluster, a } = await three();
    await cluster.topic(a, [1]);
    expect(cluster.partition()).toMatchObject({ leader: 1, leaderEpoch: 0 });
    a.node.dead = true; // power is cut and back before anybody has noticed
    const again = cluster.broker(1);
    await cluster.active(again);
    expect(cluster.partition()).toMatchObject({ leader: 1, isr: [1] });
    expect(cluster.partition().leaderEpoch).toBeGreaterThan(0);
  });

  test("C7: the last in-sync replica that lost its tail gives way to an eligible one", async () => {
    const { cluster, a, b, c } = await three();
    const topicId = await cluster.topic(a, [1, 2, 3]);
    c.kill();
    await cluster.net.until(() => cluster.image.broker(c.id)?.fenced === true, 500, "C fenced");
    b.kill();
    await cluster.net.until(() => cluster.image.broker(b.id)?.fenced === true, 500, "B fenced");
    expect(cluster.partition()).toMatchObject({ leader: 1, isr: [1], elr: [2] });
    a.kill();
    await cluster.net.until(() => cluster.image.broker(a.id)?.fenced === true, 500, "A fenced");
    expect(cluster.partition()).toMatchObject({ leader: null, isr: [1], elr: [2] });
    const a2 = cluster.broker(1, { lost: [{ topicId, partition: 0 }] });
    await cluster.active(a2);
    expect(cluster.partition()).toMatchObject({ leader: null, isr: [], elr: [2] });
    const c2 = cluster.broker(3);
    await cluster.active(c2);
    expect(cluster.partition().leader).toBeNull();
    const b2 = cluster.broker(2);
    await cluster.active(b2);
    expect(cluster.partition()).toMatchObject({ leader: 2, isr: [2] });
    expect(cluster.image.uncleanElections).toBe(0);
  });

  test("C8: a replica whose disk was replaced while its return to the ISR was under way is not let in", async () => {
    const { cluster, a, c } = await three();
    const topicId = await cluster.topic(a, [1, 2, 3]);
    c.kill();
    await cluster.net.until(() => cluster.image.broker(c.id)?.fenced === true, 500, "C fenced");
    const back = cluster.broker(3);
    await cluster.active(back);
    const seen = back.client.brokerEpoch ?? -1n; // what its fetches showed
    back.kill();
    const wiped = cluster.broker(3, { disk: 1 });
    await cluster.active(wiped);
    const p = cluster.partition();
    const isr = [1, 2, 3].map((id) => ({ id: nodeId(id), brokerEpoch: id === 3 ? seen : (cluster.image.broker(nodeId(id))?.epoch ?? -1n) }));
    const answer = a.client.alterIsr([{ topicId, partition: 0, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch, isr, recovered: false }]);
    await cluster.net.run(50);
    expect(await answer).toEqual([{ ok: false, error: "INELIGIBLE_REPLICA" }]);
  });

  test("when every replica has lost something all are asked, and the longest leads, not the first to return", async () => {
    const { cluster, a, b, c } = await three();
    const topicId = await cluster.topic(a, [1, 2, 3]);
    for (const broker of [a, b, c]) broker.node.dead = true;
    const lost = [{ topicId, partition: 0 }];
    const ends = [5, 9, 7];
    for (const [i, end] of ends.entries()) {
      const broker = cluster.broker(i + 1, { lost });
      await cluster.active(broker);
      if (i === 2) expect(cluster.partition()).toMatchObject({ leader: null, isr: [], elr: [] });
      broker.client.reportEnds([{ topicId, partition: 0, lastEpoch: 0, end }]);
    }
    await cluster.net.until(() => cluster.partition().leader !== null, 2_000, "somebody leads");
    expect(cluster.partition()).toMatchObject({ leader: 2, isr: [2], recovering: true });
    expect(cluster.image.uncleanElections).toBe(1);
  });
});

describe("a broker with many partitions comes and goes block by block", () => {
  const MANY = 40;

  /** Two partitions a block. */
  async function many(replicas: readonly number[] = [1, 2, 3]) {
    const cluster = new Cluster({ "min.insync.replicas": "2" }, 2, 2);
    const [a, b, c] = [cluster.broker(1), cluster.broker(2), cluster.broker(3)];
    await cluster.active(a, b, c);
    const assignments = Array.from({ length: MANY }, (_, partition) => ({ partition, brokers: replicas.map(nodeId) }));
    const made = b.client.admin({ kind: "create-topics", topics: [{ name: "t", partitions: -1, replicationFactor: -1, assignments, configs: [] }], validateOnly: false }, 5_000);
    await cluster.net.run(100);
    expect((await made).results[0]?.error).toBe("NONE");
    const image = () => cluster.controllers.find((one) => one.id === cluster.quorum.leader)?.service.machine.image;
    const ledBy = (id: number) => Array.from({ length: MANY }, (_, i) => image()?.topic("t")?.existing(i).leader).filter((one) => one === id).length;
    return { cluster, a, b, c, image, ledBy };
  }

  test("a controller that dies half-way has its work finished by the next one", async () => {
    const { cluster, a, b, c, image, ledBy } = await many();
    a.kill();
    await cluster.net.until(() => image()?.broker(a.id)?.fenced === true, 500, "fenced");
    await cluster.net.until(() => ledBy(1) < MANY, 500, "some have moved");
    expect(ledBy(1)).toBeGreaterThan(10);
    cluster.controllers[0]?.node.kill();
    cluster.quorum.elect(nodeId(101));
    expect(ledBy(1)).toBeGreaterThan(10);
    await cluster.net.until(() => ledBy(1) === 0, 2_000, "all have moved");
    expect(ledBy(2)).toBe(MANY);
    await cluster.active(b, c);
  });

  test("it stops when all its leaders have moved, and comes back fenced until it has seen where they went", async () => {
    const { cluster, a, ledBy } = await many();
    let safe = false;
    void a.client.stopping(10_000).then(() => (safe = true));
    await cluster.net.until(() => safe, 2_000, "safe to stop");
    expect(ledBy(1)).toBe(0);
    a.node.dead = true;
    const again = cluster.broker(1);
    await cluster.active(again);
    expect(cluster.partition()).toMatchObject({ leader: 2, isr: [2, 3] });
  });

  test("its partitions all get their leader, though its stream breaks half-way", async () => {
    const { cluster, a, image, ledBy } = await many([1]);
    a.kill();
    await cluster.net.until(() => image()?.broker(a.id)?.fenced === true && ledBy(1) === 0, 1_000, "fenced");
    const again = cluster.broker(1);
    await cluster.net.until(() => ledBy(1) > 0, 2_000, "some are led");
    expect(ledBy(1)).toBeLessThan(MANY - 10);
    again.node.breakStreams();
    await cluster.net.until(() => ledBy(1) === MANY, 2_000, "all are led");
    await cluster.active(again);
    expect(cluster.controllers[0]?.service.inspect()).toMatchObject({ fencing: [], lanes: 0 });
  });

  test("one that restarts before anybody has noticed is registered after all it led has ended", async () => {
    const { cluster, a, image, ledBy } = await many();
    a.node.dead = true;
    const again = cluster.broker(1);
    await cluster.net.until(() => image()?.broker(a.id)?.incarnation === again.registration.incarnation, 2_000, "registered");
    expect(ledBy(1)).toBe(0);
    await cluster.active(again);
  });
});

describe("at rest", () => {
  test("nothing ticks but heartbeats, and inspect tells of nothing under way", async () => {
    const { cluster, a, b, c } = await three();
    await cluster.topic(a, [1, 2, 3]);
    await cluster.net.run(5_000);
    const before = cluster.net.events;
    await cluster.net.run(60_000);
    // A heartbeat is a timer, its way there and its way back, and the deadline that ends with it; now and then a lease is looked at.
    expect(cluster.net.events - before).toBeLessThan(3 * 120 * 3 + 60);
    const service = cluster.controllers[0]?.service.inspect();
    const epochs = [a, b, c].map((one) => one.client.brokerEpoch ?? -1n);
    const position = cluster.image.position;
    expect(service).toEqual({
      active: true, position, proposed: position, unanswered: 0, fencing: [], lanes: 0, waitingForEnds: 0, followers: expect.any(Number) as number,
      sessions: epochs.map((epoch, i) => ({ broker: i + 1, epoch, applied: position, caughtUpAt: epoch, stopped: null, open: 0 })),
      liveness: { watched: [1, 2, 3], proving: 0, armed: true },
    });
    expect(cluster.controllers[1]?.service.inspect()).toMatchObject({ active: false, position, proposed: null, sessions: [], liveness: { watched: [], armed: false } });
    expect(a.client.inspect()).toMatchObject({ state: "active", controller: 100, epoch: epochs[0], leased: true, connected: true, open: 0, waiting: 0, ends: 0, lost: 0, feed: { position, connected: true, loading: false } });
  });

  test("who waits for a session is woken by it, and by the end of the client", async () => {
    const cluster = new Cluster();
    for (const one of cluster.controllers) one.node.served.delete(SESSION);
    const a = cluster.broker(1);
    const answer = a.client.describeQuorum(60_000);
    await cluster.net.run(1_000);
    expect(a.client.inspect()).toMatchObject({ state: "registering", waiting: 1 });
    void a.client.close();
    await cluster.net.run(10);
    expect(await answer).toMatchObject({ ok: false, error: "NOT_CONTROLLER" });
    await cluster.net.run(2_000);
    expect(a.client.inspect()).toMatchObject({ connected: false, waiting: 0, open: 0, feed: { connected: false } });
    const before = cluster.net.events;
    await cluster.net.run(60_000);
    expect(cluster.net.events).toBe(before); // no timer of it is left
  });
});

describe("failover of the controller", () => {
  test.each([2, 3, 5])("a frozen active controller costs no broker that lives its lease: of %i controllers", async (count) => {
    const cluster = new Cluster({}, count);
    const brokers = [1, 2, 3].map((id) => cluster.broker(id));
    await cluster.active(...brokers);
    const [a] = brokers;
    if (a === undefined) throw new Error("three were made");
    await cluster.topic(a, [1, 2, 3]);
    const epochs = brokers.map((broker) => broker.client.brokerEpoch);
    const [frozen] = cluster.controllers;
    if (frozen === undefined) throw new Error("controllers were made");
    frozen.node.frozen = true;
    await cluster.net.run(1_500); // the others hold an election once they miss it
    cluster.quorum.elect(nodeId(101), { tell: false });
    await cluster.net.run(8_000);
    const fences = cluster.controllers.flatMap((one) => one.node.lines).filter((line) => line.message === "broker fenced");
    expect(fences).toEqual([]);
    expect(brokers.map((broker) => [broker.client.brokerEpoch, broker.client.controller])).toEqual(epochs.map((epoch) => [epoch, 101]));
    expect(cluster.partition()).toMatchObject({ leader: 1, leaderEpoch: 0, isr: [1, 2, 3] });
  });

  test("brokers find the new one and keep their registration; what was not committed is unknown, never failed", async () => {
    const { cluster, a, b, c } = await three();
    const topicId = await cluster.topic(a, [1, 2, 3]);
    const epochs = [a, b, c].map((broker) => broker.client.brokerEpoch);
    cluster.quorum.cut = true;
    const p = cluster.partition();
    const isr = [1, 2].map((id) => ({ id: nodeId(id), brokerEpoch: cluster.image.broker(nodeId(id))?.epoch ?? -1n }));
    const answer = a.client.alterIsr([{ topicId, partition: 0, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch, isr, recovered: false }]);
    await cluster.net.run(10);
    cluster.quorum.elect(nodeId(101));
    cluster.quorum.cut = false;
    expect(await settled(cluster, answer)).toEqual([{ ok: false, error: "REQUEST_TIMED_OUT" }]);
    await cluster.active(a, b, c);
    expect([a, b, c].map((broker) => broker.client.brokerEpoch)).toEqual(epochs);
    expect(a.client.controller).toBe(101);
    expect(cluster.partition()).toEqual(p);
    expect(cluster.net.dials).toBeGreaterThanOrEqual(3); // the new one dialled everybody at once
  });

  test("what was proposed is answered once it is committed, and is unknown when leadership goes before that", async () => {
    const { cluster } = await three();
    const machine = cluster.controllers[0]?.service.machine;
    const decide = (next: bigint) => machine?.decide((image) => ({ records: [{ kind: "producer-ids", next: image.nextProducerId + next, broker: nodeId(1) }], reply: next }));
    const answers: unknown[] = [];
    cluster.quorum.cut = true;
    for (const step of [1n, 2n]) void decide(step)?.then((outcome) => answers.push(outcome));
    await cluster.net.run(500);
    expect(answers).toEqual([]);
    cluster.quorum.cut = false;
    await settled(cluster, decide(4n) ?? Promise.resolve(null));
    expect(answers).toMatchObject([{ ok: true, reply: 1n }, { ok: true, reply: 2n }]);
    cluster.quorum.cut = true;
    const lost = decide(8n);
    cluster.quorum.elect(nodeId(101));
    cluster.quorum.cut = false;
    expect(await lost).toMatchObject({ ok: false, unknown: true });
    expect(await decide(1n)).toMatchObject({ ok: false, unknown: false, leader: 101 });
    expect(cluster.image.nextProducerId).toBe(7n);
  });

  test("the new controller finds who died with the old one without waiting for a lease", async () => {
    const { cluster, a, b } = await three();
    await cluster.topic(a, [1, 2, 3]);
    cluster.controllers[0]?.node.kill();
    a.kill();
    cluster.quorum.elect(nodeId(101));
    await cluster.net.until(() => cluster.image.broker(a.id)?.fenced === true, 500, "fenced");
    expect(cluster.partition().leader).toBe(2);
    await cluster.active(b);
    await cluster.topic(b, [2, 3], "after");
  });

  test("a controller that was deposed without knowing answers no read and no refusal", async () => {
    const { cluster, a } = await three();
    cluster.quorum.elect(nodeId(101), { tell: false });
    const old = cluster.controllers[0]?.service.machine;
    const outcome = old?.decide(() => ({ records: [], reply: "from the past" }));
    await cluster.net.run(10);
    expect(await outcome).toMatchObject({ ok: false, unknown: false });
    expect(await settled(cluster, a.client.confirmLease(100))).toBe(false);
  });
});

test("C24: a topic made again under its name is another one, and blocks of producer ids never overlap", async () => {
  const { cluster, a, b } = await three();
  const first = await cluster.topic(a, [1, 2, 3]);
  await settled(cluster, a.client.admin({ kind: "delete-topics", topics: [{ name: "t", id: null }] }, 1_000));
  const second = await cluster.topic(b, [1, 2, 3]);
  expect(second).not.toBe(first);
  expect(a.client.image.topicById(first)).toBeNull();
  const blocks = await Promise.all([a, b, a].map((broker) => settled(cluster, broker.client.allocateProducerIds())));
  const firsts = blocks.map((block) => (block.ok ? block.first : -1n));
  expect(new Set(firsts).size).toBe(3);
  expect(firsts.every((id) => id % 1000n === 0n)).toBe(true);
});

async function settled<T>(cluster: Cluster, promise: Promise<T>): Promise<T> {
  let done = false;
  void promise.finally(() => (done = true));
  await cluster.net.until(() => done, 20_000, "an answer");
  return promise;
}

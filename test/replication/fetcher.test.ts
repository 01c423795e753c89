import { afterEach, expect, test } from "vitest";
import { HandCluster } from "./brokers.js";

let cluster: HandCluster;
afterEach(() => cluster.end());

test("a leader that does not know our registration yet is asked more and more seldom; once it does, the ISR grows", async () => {
  cluster = await HandCluster.make([1, 2]);
  const id = cluster.topic("t", { replicas: [1, 2] });
  await cluster.until(() => cluster.state(1).role === "leader", "leads");
  cluster.kill(2);
  cluster.fence(2);
  for (let i = 0; i < 3; i++) expect((await cluster.produce(1, id, ["a"])).error).toBe("NONE");
  const { fetches, coordination } = cluster.broker(1);
  const refusedAt: number[] = [];
  let knows = false;
  const check = coordination.checkSessionToken.bind(coordination);
  coordination.checkSessionToken = (...claim) => knows && check(...claim);
  const fetch = fetches.fetch.bind(fetches);
  fetches.fetch = (...args) => {
    if (!knows) refusedAt.push(performance.now());
    return fetch(...args);
  };
  await cluster.start(2);
  refusedAt.length = 0; // news of brokers, as its own start is, end a wait
  await cluster.until(() => refusedAt.length === 6, "refused six times");
  const waits = refusedAt.slice(1).map((at, i) => at - (refusedAt[i] ?? 0));
  [30, 60, 120, 240, 375].forEach((leastMs, i) => expect(waits[i]).toBeGreaterThanOrEqual(leastMs)); // 40 ms doubled, three quarters of it at least, up to 500
  expect(cluster.partition(id).isr).toEqual([1]);
  knows = true;
  await cluster.until(() => cluster.partition(id).isr.length === 2, "2 joins");
});

test("a broker that registers anew under a living process follows on, with the token of its new registration", async () => {
  cluster = await HandCluster.make([1, 2]);
  const id = cluster.topic("t", { replicas: [1, 2], settings: { "min.insync.replicas": "2" } });
  await cluster.until(() => cluster.state(1).role === "leader", "leads");
  for (let round = 0; round < 5; round++) {
    expect((await cluster.produce(1, id, ["a"])).error).toBe("NONE");
    cluster.fence(2);
    cluster.registerAgain(2);
    await cluster.until(() => cluster.partition(id).isr.length === 2, "2 joins again");
  }
  expect((await cluster.produce(1, id, ["b"])).error).toBe("NONE");
});

import { afterEach, expect, test } from "vitest";
import { HandCluster } from "./brokers.js";

let cluster: HandCluster;
afterEach(() => cluster.end());

test("what was acknowledged survives brokers that die, come back and change leadership under load", { timeout: 60_000 }, async () => {
  const rounds = Number(process.env["KONTIKI_CHAOS_ROUNDS"] ?? "12");
  cluster = await HandCluster.make([1, 2, 3]);
  const id = cluster.topic("t", { replicas: [1, 2, 3], settings: { "min.insync.replicas": "2" } });
  const acked: string[] = [];
  const busy = new AbortController();
  let sent = 0;
  const producers = [0, 1, 2, 3].map(async () => {
    while (!busy.signal.aborted) {
      const value = `v${sent++}`;
      const { leader } = cluster.partition(id);
      if (leader !== null && cluster.brokers.has(leader)) {
        const outcome = await Promise.race([cluster.produce(leader, id, [value], { timeoutMs: 1_000 }), new Promise<null>((resolve) => setTimeout(resolve, 1_500, null))]);
        if (outcome?.error === "NONE") acked.push(value);
        else await new Promise((resolve) => setTimeout(resolve, 5));
      } else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  for (let round = 0; round < rounds; round++) {
    const before = acked.length;
    await cluster.until(() => acked.length > before + 20, "progress");
    const victim = (round % 3) + 1;
    if (round % 4 === 3) {
      cluster.elect(id, victim);
      continue;
    }
    cluster.kill(victim);
    cluster.fence(victim);
    const died = acked.length;
    await cluster.until(() => acked.length > died + 5, "progress with two");
    await cluster.start(victim);
    await cluster.until(() => cluster.partition(id).isr.length === 3, `${victim} is back in the ISR`);
  }
  busy.abort();
  await Promise.all(producers);
  await cluster.until(() => {
    const ends = [1, 2, 3].map((broker) => cluster.state(broker));
    return ends.every((one) => one.end === ends[0]?.end && one.durableEnd === one.end && one.highWatermark === one.end);
  }, "all hold all");
  const leader = cluster.partition(id).leader ?? 0;
  const read = new Map<string, number>();
  for (let from = 0; from < cluster.state(leader).highWatermark; ) {
    const values = await cluster.consume(leader, id, { from: BigInt(from) });
    for (const value of values) read.set(value, (read.get(value) ?? 0) + 1);
    from += values.length;
    expect(values.length).toBeGreaterThan(0);
  }
  expect(acked.filter((value) => read.get(value) !== 1)).toEqual([]);
  expect(acked.length).toBeGreaterThan(rounds * 20);
});

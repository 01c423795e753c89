/** Reads all partitions of a topic from their beginning and stays at their end; asks now and then where they begin, end, or were at a time. */
import type { ClientPlan } from "../plan.js";
import { ClusterView } from "./cluster-view.js";
import type { Actor, Body } from "./context.js";
import { Fetcher } from "./fetcher.js";
import { listOffset } from "./list-offset.js";

export type ReaderPlan = Extract<ClientPlan, { kind: "reader" }>;

const LIST_EVERY_MS = 2_500;
const RETRY_MS = 200;

export class Reader implements Actor {
  readonly fetcher: Fetcher;
  readonly view: ClusterView;

  constructor(readonly body: Body, readonly plan: ReaderPlan) {
    const draws = body.draws.fork("habits");
    this.view = new ClusterView(body, new Set([plan.topic]));
    this.fetcher = new Fetcher(body, this.view, {
      maxWaitMs: plan.maxWaitMs,
      maxBytes: draws.pick([2_000, 50_000, 1_000_000]),
      pauseMs: draws.pick([20, 100, 300]),
      sessions: draws.chance(0.6),
      readCommitted: plan.isolation === "read-committed",
    });
  }

  async run(): Promise<void> {
    const { world, draws } = this.body;
    while (!this.view.knows) {
      await world.clock.sleep(draws.between(100, 400));
      await this.view.refresh();
    }
    for (const partition of this.view.partitions(this.plan.topic)) {
      const begin = async () => {
        for (;;) {
          const start = await listOffset(this.body, this.view, partition, "earliest");
          if (start !== null) return this.fetcher.add(partition, start);
          await world.clock.sleep(draws.between(RETRY_MS / 2, RETRY_MS));
        }
      };
      world.own(begin(), "where to begin to read");
    }
    world.own(this.#ask(), "asking for offsets");
    await this.fetcher.run();
  }

  async #ask(): Promise<void> {
    const { world, draws } = this.body;
    const partitions = this.view.partitions(this.plan.topic);
    for (;;) {
      await world.clock.sleep(draws.around(LIST_EVERY_MS));
      const what = draws.pick(["latest", "latest", "earliest", "time"] as const);
      await listOffset(this.body, this.view, draws.pick(partitions), what === "time" ? { sinceMs: world.clock.wallMs() - Math.floor(draws.between(0, 30_000)) } : what);
    }
  }

  died(): void {
    this.fetcher.stop();
  }

  readonly isQuiet = true;

  inspect(): object {
    return { positions: [...this.fetcher.positions.values()].map((one) => `${one.partition.text} ${one.at}`) };
  }
}

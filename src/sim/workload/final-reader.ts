/**
 * When all has healed and nothing new is written: reads every partition from its start to its end with a client that knows nothing, asks each broker for
 * its metadata and each coordinator for what is committed, and waits for the readers of the run to come to the same ends.
 */
import type { FinalPosition, Member, Partition } from "../oracle/history.js";
import { ClusterView } from "./cluster-view.js";
import type { Actor, Body } from "./context.js";
import { Coordinator } from "./coordinator.js";
import { Fetcher } from "./fetcher.js";
import { listOffset } from "./list-offset.js";

export interface FinalTask {
  /** Topics that exist for good. */
  readonly topics: readonly string[];
  /** Those that may or may not exist. */
  readonly others: readonly string[];
  readonly groups: readonly { readonly group: string; readonly topics: readonly string[] }[];
  /** Where the readers of the run are by now. */
  readonly positions: () => readonly FinalPosition[];
}

const RETRY_MS = 250;
const LOOK_MS = 50;
const TRIES = 80;
const STUCK_MS = 10_000; // a reader that gets no further for so long never will
const SETTLE_MS = 3_000; // until every broker has the newest metadata

export class FinalReader implements Actor {
  isQuiet = false;
  #at = "the beginning";
  readonly #view: ClusterView;

  constructor(readonly body: Body, readonly task: FinalTask) {
    this.#view = new ClusterView(body, new Set(task.topics));
  }

  async run(): Promise<void> {
    const { world, context } = this.body;
    await world.clock.sleep(SETTLE_MS);
    for (let i = 0; !this.#view.knows; i++) {
      this.#try(i, `the topics ${this.task.topics.filter((topic) => !this.#view.topics.has(topic)).join(", ")}`);
      await this.#view.refresh();
      await world.clock.sleep(RETRY_MS);
    }
    await this.#metadata();
    const ends = new Map<Partition, number>();
    for (const topic of this.task.topics) for (const partition of this.#view.partitions(topic)) ends.set(partition, await this.#log(partition));
    for (const { group, topics } of this.task.groups) await this.#committed(group, topics);
    await this.#readers(ends);
    for (const at of this.task.positions()) context.add({ f: "final-position", atMs: context.nowMs(), at });
    context.add({ f: "over", atMs: context.nowMs() });
    this.#view.close();
    this.isQuiet = true;
  }

  died(): void {
    return;
  }

  inspect(): object {
    return { at: this.#at };
  }

  #try(count: number, what: string): void {
    this.#at = what;
    if (count >= TRIES) throw new Error(`the final read cannot get ${what}`);
  }

  async #metadata(): Promise<void> {
    const { world, context } = this.body;
    for (const { id } of context.run.cluster.nodes) {
      for (let i = 0; ; i++) {
        this.#try(i, `the metadata of broker ${id}`);
        const link = await this.#view.live(id);
        if (link !== null && (await this.#view.ask(link, [...this.task.topics, ...this.task.others], true))) break;
        await world.clock.sleep(RETRY_MS);
      }
    }
  }

  async #offset(partition: Partition, what: "earliest" | "latest"): Promise<number> {
    for (let i = 0; ; i++) {
      this.#try(i, `the ${what} offset of ${partition.text}`);
      const offset = await listOffset(this.body, this.#view, partition, what);
      if (offset !== null) return offset;
      await this.body.world.clock.sleep(RETRY_MS);
    }
  }

  async #log(partition: Partition): Promise<number> {
    const { world, context } = this.body;
    let start = await this.#offset(partition, "earliest");
    const end = await this.#offset(partition, "latest");
    let values: number[] = [];
    const fetcher = new Fetcher(this.body, this.#view, {
      maxWaitMs: 100,
      maxBytes: 4_000_000,
      pauseMs: 0,
      sessions: false,
      readCommitted: false,
      onPoll: (poll) => {
        for (let i = 0; i < poll.offsets.length; i++) {
          const at = (poll.offsets[i] ?? 0) - start;
          if (at >= 0) values[at] = poll.values[i] ?? -1;
        }
      },
    });
    fetcher.add(partition, start);
    world.own(fetcher.run(), "the final read");
    let before = -1;
    for (let i = 0, stuck = 0; ; i++) {
      const at = fetcher.positions.get(partition)?.at ?? 0;
      if (at >= end) break;
      stuck = at === before ? stuck + 1 : 0;
      before = at;
      this.#try(stuck > TRIES * 4 ? TRIES : 0, `${partition.text} beyond ${at} of ${end}`);
      await world.clock.sleep(LOOK_MS);
    }
    fetcher.stop();
    const start2 = await this.#offset(partition, "earliest");
    if (start2 > start) {
      values = values.slice(start2 - start);
      start = start2;
    }
    values.length = Math.max(0, Math.min(values.length, end - start));
    const epoch = this.#view.leader(partition)?.epoch ?? -1;
    context.add({ f: "final-log", atMs: context.nowMs(), log: { partition, epoch, start, end, values } });
    return end;
  }

  async #committed(group: string, topics: readonly string[]): Promise<void> {
    const { world, name } = this.body;
    const coordinator = new Coordinator(this.body, this.#view, group);
    const member: Member = { group, name };
    const partitions = topics.flatMap((topic) => this.#view.partitions(topic));
    for (let i = 0; ; i++) {
      this.#try(i, `what ${group} has committed`);
      if ((await coordinator.committed(member, partitions)) !== null) return;
      await world.clock.sleep(RETRY_MS);
    }
  }

  /** As long as any of them gets on. */
  async #readers(ends: ReadonlyMap<Partition, number>): Promise<void> {
    const { world } = this.body;
    this.#at = "the readers";
    let lacking = Infinity;
    let sinceMs = world.clock.nowMs();
    for (;;) {
      const now = this.task.positions().reduce((sum, { partition, position }) => sum + Math.max(0, (ends.get(partition) ?? 0) - position), 0);
      if (now < lacking) sinceMs = world.clock.nowMs();
      lacking = now;
      if (now === 0 || world.clock.nowMs() - sinceMs > STUCK_MS) return;
      await world.clock.sleep(RETRY_MS);
    }
  }
}

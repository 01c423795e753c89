/** A quorum that does only what a script tells it, and prints the whole exchange. */
import { TIMING, type Event } from "../../src/raft/core/messages.js";
import { inspectRaft } from "../../src/raft/core/raft.js";
import { nextTickMs, type Raft } from "../../src/raft/core/state.js";
import { keyOf, type Membership } from "../../src/raft/types.js";
import { Cluster, member } from "./cluster.js";

export class Script {
  readonly cluster: Cluster;
  #read = 0;

  constructor(voters: readonly number[], learners: readonly number[] = [], timing: Partial<typeof TIMING> = {}) {
    this.cluster = new Cluster(() => 0.5, voters, { ...TIMING, ...timing }, learners);
    this.cluster.tracing = true;
    this.cluster.settle();
    this.skip();
  }

  /** What was said and done since the last call. */
  said(): string {
    const lines = this.cluster.trace.slice(this.#read);
    this.skip();
    return lines.join("\n");
  }

  skip(): this {
    this.#read = this.cluster.trace.length;
    return this;
  }

  key(id: number): string {
    const found = [...this.cluster.nodes.values()].filter((node) => node.member.id === id);
    return keyOf((found.at(-1) as (typeof found)[number]).member);
  }

  raft(id: number): Raft {
    const { raft } = this.cluster.node(this.key(id));
    if (raft === null) throw new Error(`${id} is down`);
    return raft;
  }

  inspect(id: number) {
    return inspectRaft(this.raft(id));
  }

  event(id: number, event: Event): this {
    this.cluster.event(this.key(id), event);
    return this;
  }

  /** Time passes until this member's timer fires, and nobody else's. */
  timeout(id: number): this {
    this.cluster.now = Math.max(this.cluster.now, nextTickMs(this.raft(id)));
    return this.event(id, { kind: "tick" });
  }

  wait(ms: number): this {
    this.cluster.now += ms;
    return this;
  }

  propose(id: number, text: string): this {
    if (!this.cluster.propose(text, this.key(id))) this.cluster.trace.push(`${id} takes no proposal`);
    return this;
  }

  change(id: number, voters: readonly number[], learners: readonly number[] = []): this {
    const of = (ids: readonly number[]): Membership["voters"] => ids.map((one) => member(one));
    if (!this.cluster.change({ voters: of(voters), learners: of(learners) }, this.key(id))) this.cluster.trace.push(`${id} refuses the change`);
    return this;
  }

  wipe(id: number, disk = 1): this {
    this.cluster.wipe(this.key(id), disk);
    return this;
  }

  sync(...ids: number[]): this {
    for (const id of ids) this.cluster.finishSync(this.key(id));
    return this;
  }

  /** Messages from one to another; all there are now unless told how many. */
  deliver(from: number, to: number, count = this.cluster.links.get(`${this.key(from)}>${this.key(to)}`)?.length ?? 0): this {
    for (let i = 0; i < count; i++) this.cluster.deliver(`${this.key(from)}>${this.key(to)}`);
    return this;
  }

  /** Messages, and syncs, until nothing moves. */
  settle(): this {
    this.cluster.settle();
    return this;
  }

  /** Everything happens as it may for so long. */
  run(ms: number): this {
    const untilMs = this.cluster.now + ms;
    while (this.cluster.now < untilMs) {
      this.cluster.settle();
      this.cluster.tick();
    }
    return this;
  }

  cut(from: number, to: number): this {
    this.cluster.cut.add(`${this.key(from)}>${this.key(to)}`);
    return this;
  }

  isolate(id: number): this {
    for (const other of this.cluster.nodes.values()) if (other.member.id !== id) this.cut(id, other.member.id).cut(other.member.id, id);
    return this;
  }

  heal(): this {
    this.cluster.cut.clear();
    return this;
  }

  crash(...ids: number[]): this {
    for (const id of ids) this.cluster.crash(this.key(id), false);
    return this;
  }

  /** As crash, and the others find the port closed. */
  kill(id: number): this {
    this.cluster.crash(this.key(id), true);
    return this;
  }

  start(...ids: number[]): this {
    for (const id of ids) this.cluster.start(this.key(id));
    return this;
  }

  /** Elects a member without a word in the transcript. */
  elect(id: number): this {
    this.timeout(id).settle();
    if (this.raft(id).role.name !== "leader") throw new Error(`${id} was not elected:\n${this.said()}`);
    this.timeout(id).settle();
    return this.skip();
  }
}

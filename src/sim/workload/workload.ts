/**
 * The clients of a run, each on a machine of its own, and the judge of what they see.
 *
 *     plan ──▶ clients ──(Kafka protocol over simulated connections)──▶ brokers
 *                 └──▶ history ──▶ oracle/ ──▶ run.violate
 *
 * A client whose process dies comes back after a while with nothing of what it knew; what it had under way stays unknown.
 */
import { Oracle } from "../oracle/oracle.js";
import type { FinalPosition } from "../oracle/history.js";
import type { SimProcess } from "../machine.js";
import type { ClientPlan } from "../plan.js";
import type { Run } from "../run.js";
import type { Seeded } from "../seeded.js";
import { Admin, adminTopics } from "./admin.js";
import { type Actor, type Body, Context, type Counts } from "./context.js";
import { FinalReader } from "./final-reader.js";
import { GroupMember } from "./group-member.js";
import { Producer } from "./producer.js";
import { Reader } from "./reader.js";
import { Setup } from "./setup.js";
import { RunTerms } from "./terms.js";
import { drawVersions, NEWEST, type Versions } from "./versions.js";

const COME_BACK_MS = 1_500;

/** A client through all its incarnations. */
interface Client {
  readonly name: string;
  readonly seeded: Seeded;
  readonly versions: Versions;
  readonly make: (body: Body) => Actor;
  starts: number;
  process: SimProcess | null;
  actor: Actor | null;
}

export interface WorkloadOptions {
  /** Whether the history is kept, to be written as lines; true if left out. */
  readonly keep?: boolean;
}

export class Workload {
  readonly oracle: Oracle;
  readonly #context: Context;
  readonly #terms: RunTerms;
  readonly #clients: Client[] = [];
  readonly #seeded: Seeded;
  #final: Client | null = null;
  #closed = false;

  constructor(readonly run: Run, options: WorkloadOptions = {}) {
    const { sim, plan } = run;
    this.#seeded = sim.seeded.fork("clients");
    this.#terms = new RunTerms(plan);
    this.oracle = new Oracle({ terms: this.#terms, violate: (rule, text) => run.violate(rule, text), sometimes: (point) => run.sometimes(point), keep: options.keep ?? true });
    this.#context = new Context(run, this.oracle);
    const others = sim.onHalt;
    sim.onHalt = (halt) => {
      others(halt);
      this.#terms.halted(halt);
      const client = this.#clients.find((one) => one.process !== null && one.process.name === halt.process);
      if (client !== undefined) this.#died(client, halt.cause);
    };
    this.#add("setup", NEWEST, (body) => new Setup(body, plan.topics));
    for (const client of plan.clients) this.#addPlanned(client);
  }

  get counts(): Counts {
    return this.#context.counts;
  }

  /** Producers and admins begin nothing new; readers and groups go on. */
  stop(): void {
    this.#context.stopping = true;
  }

  /** Nothing that was begun is without its outcome, nor is the final read under way. */
  get isQuiet(): boolean {
    return this.#clients.every(({ actor }) => actor === null || actor.isQuiet);
  }

  /** To be called after `stop` and once it is quiet; `isQuiet` again tells when it is done. */
  finalRead(): void {
    const { plan } = this.run;
    const admins = plan.clients.filter((client) => client.kind === "admin").map(({ name }) => adminTopics(name));
    const trims = admins.flatMap((names) => names.slice(-1)).filter((name) => this.oracle.seen.partitions.some(({ topic }) => topic === name));
    const task = {
      topics: [...plan.topics.map(({ name }) => name), ...trims],
      others: admins.flat().filter((name) => !trims.includes(name)),
      groups: plan.clients.flatMap((client) => (client.kind === "group" ? [{ group: client.group, topics: client.topics }] : [])),
      positions: () => this.#positions(),
    };
    this.#final = this.#add("final", NEWEST, (body) => new FinalReader(body, task));
  }

  /** Ends all clients. */
  close(): void {
    this.#closed = true;
    for (const client of this.#clients) client.process?.end("the workload is over");
  }

  inspect(): object {
    return { ...this.#context.counts, entries: this.oracle.entries, final: this.#final?.actor?.inspect() ?? null, clients: Object.fromEntries(this.#clients.map((client) => [client.name, client.actor?.inspect() ?? null])) };
  }

  // ------------------------------------------------------------------------------------------------------------ clients

  #addPlanned(plan: ClientPlan): void {
    const versions = (name: string) => drawVersions(this.#seeded.fork(name).fork("versions"));
    switch (plan.kind) {
      case "producer":
        return void this.#add(plan.name, versions(plan.name), (body) => new Producer(body, plan));
      case "reader":
        return void this.#add(plan.name, versions(plan.name), (body) => new Reader(body, plan));
      case "group":
        for (let i = 1; i <= plan.members; i++) this.#add(`${plan.name}-${i}`, versions(plan.name), (body) => new GroupMember(body, plan));
        return;
      case "admin":
        return void this.#add(plan.name, versions(plan.name), (body) => new Admin(body, plan));
    }
  }

  #add(name: string, versions: Versions, make: (body: Body) => Actor): Client {
    const client: Client = { name, seeded: this.#seeded.fork(name), versions, make, starts: 0, process: null, actor: null };
    this.#clients.push(client);
    this.#start(client);
    return client;
  }

  #start(client: Client): void {
    if (this.#closed || client.process !== null) return;
    const { sim } = this.run;
    const machine = sim.machine(client.name);
    const process = machine.start({ name: "client" });
    client.process = process;
    client.starts++;
    const world = process.world({ role: "client" });
    const actor = client.make({
      context: this.#context,
      world,
      name: `${client.name}.${client.starts}`,
      client: client.name,
      draws: client.seeded.fork(client.starts),
      versions: client.versions,
      crash: () => sim.at(sim.nowMs, () => machine.crash(process)),
    });
    client.actor = actor;
    world.clock.soon(() => world.own(actor.run(), client.name));
  }

  #died(client: Client, cause: unknown): void {
    const { sim } = this.run;
    client.process = null;
    client.actor?.died();
    client.actor = null;
    if (cause !== undefined) this.run.violate("client", `${client.name}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
    if (!this.#closed) sim.at(sim.nowMs + client.seeded.fork(`back ${client.starts}`).around(COME_BACK_MS), () => this.#start(client));
  }

  #positions(): readonly FinalPosition[] {
    return this.#clients.flatMap(({ actor }) => (actor instanceof Reader ? [...actor.fetcher.positions.values()].map(({ partition, at }) => ({ reader: actor.body.name, partition, position: at })) : []));
  }
}

export function startWorkload(run: Run, options: WorkloadOptions = {}): Workload {
  return new Workload(run, options);
}

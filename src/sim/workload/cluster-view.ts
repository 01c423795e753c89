/** The cluster as one client knows it: brokers, leaders with their epochs, and one connection to each broker for each purpose. */
import { NO_UUID, type Uuid } from "../../base/ids.js";
import { MetadataRequest, MetadataResponse } from "../../protocol/messages/03-metadata.js";
import type { Partition } from "../oracle/history.js";
import type { Body } from "./context.js";
import { Link } from "./link.js";

export interface Leader {
  readonly node: number;
  readonly epoch: number;
}

interface TopicView {
  readonly id: string;
  readonly partitions: { readonly partition: Partition; node: number; epoch: number }[];
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const DIAL_MS = 3_000;
const METADATA_MS = 5_000;
const REFRESH_LEAST_MS = 60;

export class ClusterView {
  readonly topics = new Map<string, TopicView>();
  readonly #brokers = new Map<number, Address>();
  readonly #links = new Map<string, Promise<Link | null>>();
  readonly #open = new Set<Link>();
  #refreshing: Promise<void> | null = null;
  #refreshedMs = -Infinity;
  /** Called when leaders may have changed. */
  onChange: () => void = () => undefined;

  /** @param wanted whose leaders it keeps up with; may grow */
  constructor(readonly body: Body, readonly wanted: Set<string>) {}

  partitions(topic: string): readonly Partition[] {
    return this.topics.get(topic)?.partitions.map(({ partition }) => partition) ?? [];
  }

  /** Null: none is known. */
  leader(partition: Partition): Leader | null {
    const topic = this.topics.get(partition.topic);
    const found = topic?.id === partition.topicId ? topic.partitions[partition.index] : undefined;
    return found === undefined || found.node < 0 ? null : found;
  }

  get knows(): boolean {
    return [...this.wanted].every((topic) => this.topics.has(topic));
  }

  /** Not more often than it does any good; who asks meanwhile shares the answer. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** Any broker that can be reached, by a draw. */
  async any(purpose = "main"): Promise<Link | null> {
    const { draws, context } = this.body;
    const nodes = this.#brokers.size > 0 && !draws.chance(0.1) ? [...this.#brokers.keys()].sort((a, b) => a - b) : context.run.cluster.nodes.map(({ id }) => id);
    return this.live(draws.pick(nodes), purpose);
  }

  link(node: number, purpose = "main"): Promise<Link | null> {
    const key = `${purpose} ${node}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const opening = this.#dial(node).then((link) => {
      if (link === null) this.#links.delete(key);
      else this.#open.add(link);
      return link;
    });
    this.#links.set(key, opening);
    return opening;
  }

  /** A connection that has ended is dialled anew by the next who asks. */
  async live(node: number, purpose = "main"): Promise<Link | null> {
    const link = await this.link(node, purpose);
    if (link === null || link.isOpen) return link;
    this.#open.delete(link);
    this.#links.delete(`${purpose} ${node}`);
    return this.link(node, purpose);
  }

  close(): void {
    for (const link of this.#open) link.close();
    this.#open.clear();
    this.#links.clear();
  }

  async #dial(node: number): Promise<Link | null> {
    const { world, name, context } = this.body;
    const address = this.#brokers.get(node) ?? context.run.cluster.bootstrap[node - 1];
    if (address === undefined) return null;
    const machine = context.run.sim.machine(address.host);
    const link = await Link.open(world, { ...address, clientId: name, timeoutMs: DIAL_MS, broker: () => `${address.host}#${machine.starts}` });
    return typeof link === "string" ? null : link;
  }

  async #refresh(): Promise<void> {
    const { world, draws } = this.body;
    const waitMs = this.#refreshedMs + REFRESH_LEAST_MS - world.clock.nowMs();
    if (waitMs > 0) await world.clock.sleep(waitMs + draws.between(0, 40));
    const nodes = this.body.context.run.cluster.nodes.map(({ id }) => id);
    const node = draws.pick(nodes);
    const link = await this.live(node);
    this.#refreshedMs = world.clock.nowMs();
    if (link !== null && this.wanted.size > 0) await this.ask(link, [...this.wanted]);
  }

  /** @returns whether it was answered */
  async ask(link: Link, names: readonly string[], final = false): Promise<boolean> {
    const { context, client, versions } = this.body;
    const invokedMs = context.nowMs();
    const answer = await link.ask(MetadataRequest, MetadataResponse, versions.metadata, { topics: names.map((name) => ({ name, topicId: NO_UUID })), allowAutoTopicCreation: false }, METADATA_MS);
    if (!answer.ok) return false;
    const { brokers, topics } = answer.body;
    if (brokers.length > 0) {
      this.#brokers.clear();
      for (const { nodeId, host, port } of brokers) this.#brokers.set(nodeId, { host, port });
    }
    const unknown: string[] = [];
    const shown = [];
    for (const topic of topics) {
      const name = topic.name ?? "";
      if (topic.errorCode !== 0 || topic.topicId === NO_UUID) {
        unknown.push(name);
        continue;
      }
      shown.push({ name, id: topic.topicId, partitions: topic.partitions.map((one) => ({ index: one.partitionIndex, leader: one.leaderId, epoch: one.leaderEpoch })) });
      this.#keep(name, topic.topicId, topic.partitions);
    }
    context.add({ f: "metadata", atMs: context.nowMs(), shown: { client, broker: link.broker, invokedMs, topics: shown, unknown, final } });
    this.onChange();
    return true;
  }

  /** Older epochs than what is known are an older broker's talk. KIP-320. */
  #keep(name: string, id: Uuid, partitions: readonly { readonly partitionIndex: number; readonly leaderId: number; readonly leaderEpoch: number }[]): void {
    const { seen } = this.body.context.oracle;
    let topic = this.topics.get(name);
    if (topic === undefined || topic.id !== id) this.topics.set(name, (topic = { id, partitions: [] }));
    for (const { partitionIndex, leaderId, leaderEpoch } of [...partitions].sort((a, b) => a.partitionIndex - b.partitionIndex)) {
      const known = topic.partitions[partitionIndex];
      if (known === undefined) topic.partitions[partitionIndex] = { partition: seen.partition(name, id, partitionIndex), node: leaderId, epoch: leaderEpoch };
      else if (leaderEpoch >= known.epoch) {
        known.node = leaderId;
        known.epoch = leaderEpoch;
      }
    }
  }
}

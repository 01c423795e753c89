/** The image itself: a handful of persistent parts, replaced one by one (replay.ts). */
import { assert } from "../base/assert.js";
import type { NodeId, Uuid } from "../base/ids.js";
import type { BrokerImage, ConfigType, MetadataImage, PartitionImage, Position, TopicImage } from "./image.js";
import { DirectoryTable, PartitionColumns } from "./partition-columns.js";
import { SortedMap } from "./sorted-map.js";

/** What only controllers and token checks need to know of a broker. */
export interface BrokerState extends BrokerImage {
  readonly secret: string;
  readonly features: { readonly min: number; readonly max: number };
}

interface Parts {
  readonly position: Position;
  readonly clusterId: string;
  readonly featureLevel: number;
  readonly topicsByName: SortedMap<TopicState>;
  readonly topicsById: SortedMap<TopicState>;
  readonly brokerList: readonly BrokerState[];
  /** By `type/name`. */
  readonly configs: SortedMap<ReadonlyMap<string, string>>;
  readonly directories: DirectoryTable;
  readonly nextProducerId: bigint;
  readonly partitionCount: number;
  /** How many unclean elections were ever recorded. */
  readonly uncleanElections: number;
}

const NO_SETTINGS: ReadonlyMap<string, string> = new Map();

export class ClusterImage implements MetadataImage {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  static readonly empty: ClusterImage = new ClusterImage({
    position: 0n,
    clusterId: "",
    featureLevel: 0,
    topicsByName: SortedMap.empty(),
    topicsById: SortedMap.empty(),
    brokerList: [],
    configs: SortedMap.empty(),
    directories: new DirectoryTable([]),
    nextProducerId: 0n,
    partitionCount: 0,
    uncleanElections: 0,
  });

  with(changed: Partial<Parts>): ClusterImage {
    return new ClusterImage({ ...this.#parts, ...changed });
  }

  withTopic(topic: TopicState): ClusterImage {
    const parts = this.#parts;
    const old = parts.topicsById.get(topic.id);
    return this.with({
      topicsByName: parts.topicsByName.with(topic.name, topic),
      topicsById: parts.topicsById.with(topic.id, topic),
      partitionCount: parts.partitionCount + topic.partitionCount - (old?.partitionCount ?? 0),
    });
  }

  withoutTopic(topic: TopicState): ClusterImage {
    const parts = this.#parts;
    return this.with({
      topicsByName: parts.topicsByName.without(topic.name),
      topicsById: parts.topicsById.without(topic.id),
      configs: parts.configs.without(configKey("topic", topic.name)),
      partitionCount: parts.partitionCount - topic.partitionCount,
    });
  }

  withBroker(broker: BrokerState): ClusterImage {
    const others = this.#parts.brokerList.filter((one) => one.id !== broker.id);
    return this.with({ brokerList: [...others, broker].sort((a, b) => a.id - b.id) });
  }

  get position(): Position {
    return this.#parts.position;
  }
  get clusterId(): string {
    return this.#parts.clusterId;
  }
  get featureLevel(): number {
    return this.#parts.featureLevel;
  }
  get configs(): SortedMap<ReadonlyMap<string, string>> {
    return this.#parts.configs;
  }
  get directories(): DirectoryTable {
    return this.#parts.directories;
  }
  get nextProducerId(): bigint {
    return this.#parts.nextProducerId;
  }
  get topicCount(): number {
    return this.#parts.topicsByName.size;
  }
  /** Over all topics. */
  get partitionCount(): number {
    return this.#parts.partitionCount;
  }
  get uncleanElections(): number {
    return this.#parts.uncleanElections;
  }

  topic(name: string): TopicState | null {
    return this.#parts.topicsByName.get(name) ?? null;
  }

  topicById(id: Uuid): TopicState | null {
    return this.#parts.topicsById.get(id) ?? null;
  }

  topics(): Iterable<TopicState> {
    return this.#parts.topicsByName.values();
  }

  /** From that name on, in order of names. */
  topicsFrom(name: string): Iterable<TopicState> {
    return this.#parts.topicsByName.from(name);
  }

  topicsStartingWith(prefix: string): Iterable<TopicState> {
    return this.#parts.topicsByName.startingWith(prefix);
  }

  broker(id: NodeId): BrokerState | null {
    return this.#parts.brokerList.find((broker) => broker.id === id) ?? null;
  }

  brokers(): readonly BrokerState[] {
    return this.#parts.brokerList;
  }

  config(type: ConfigType, name: string): ReadonlyMap<string, string> {
    return this.#parts.configs.get(configKey(type, name)) ?? NO_SETTINGS;
  }
}

export function configKey(type: ConfigType, name: string): string {
  return `${type}/${name}`;
}

export class TopicState implements TopicImage {
  constructor(
    readonly id: Uuid,
    readonly name: string,
    readonly columns: PartitionColumns,
    /** Of the image that this state was made in; later ones only add to it. */
    readonly directories: DirectoryTable,
  ) {}

  get partitionCount(): number {
    return this.columns.count;
  }

  partition(index: number): PartitionImage | null {
    if (!Number.isInteger(index) || index < 0 || index >= this.columns.count) return null;
    return this.columns.get(this.id, index, this.directories);
  }

  /** The partition, which is known to exist. */
  existing(index: number): PartitionImage {
    const found = this.partition(index);
    assert(found !== null, `partition ${index} of ${this.name} exists`);
    return found;
  }

  samePartition(other: TopicState, index: number): boolean {
    if (index >= other.partitionCount) return false;
    if (this.directories === other.directories) return this.columns.sameRow(other.columns, index);
    if (!this.columns.sameRow(other.columns, index)) return false;
    const mine = this.existing(index).directories;
    const theirs = other.existing(index).directories;
    return mine.length === theirs.length && mine.every((id, i) => id === theirs[i]);
  }
}

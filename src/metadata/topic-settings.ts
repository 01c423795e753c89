/**
 * Every setting of a topic (Apache Kafka 4.3, and our own), and how its value in force is found: the topic's own, else the broker's dynamic one,
 * else the cluster-wide dynamic one, else the node's static one, else the built-in default.
 */
import type { NodeId } from "../base/ids.js";
import type { MetadataImage } from "./image.js";
import { listOf, type ValueRule } from "./setting-value.js";

export interface TopicSetting extends ValueRule {
  readonly name: string;
  readonly type: "int" | "long" | "double" | "boolean" | "string" | "list";
  readonly default: string | null;
  /** Broker settings that give the topic's default; the first one set wins. `unitMs`: its value counts such units, the topic's counts milliseconds. */
  readonly synonyms: readonly { readonly name: string; readonly unitMs?: number }[];
  /** Hidden from DescribeConfigs. */
  readonly internal?: boolean;
}

export const TOPIC_SETTINGS: readonly TopicSetting[] = [
  { name: "cleanup.policy", type: "list", default: "delete", oneOf: ["compact", "delete"], synonyms: [{ name: "log.cleanup.policy" }] },
  { name: "compression.gzip.level", type: "int", default: "-1", min: 1, max: 9, orIn: [-1], synonyms: [{ name: "compression.gzip.level" }] },
  { name: "compression.lz4.level", type: "int", default: "9", min: 1, max: 17, synonyms: [{ name: "compression.lz4.level" }] },
  { name: "compression.type", type: "string", default: "producer", oneOf: ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"], synonyms: [{ name: "compression.type" }] },
  { name: "compression.zstd.level", type: "int", default: "3", min: -131072, max: 22, synonyms: [{ name: "compression.zstd.level" }] },
  { name: "delete.retention.ms", type: "long", default: "86400000", min: 0, synonyms: [{ name: "log.cleaner.delete.retention.ms" }] },
  { name: "file.delete.delay.ms", type: "long", default: "60000", min: 0, synonyms: [{ name: "log.segment.delete.delay.ms" }] },
  { name: "flush.messages", type: "long", default: "9223372036854775807", min: 1, synonyms: [{ name: "log.flush.interval.messages" }] },
  { name: "flush.ms", type: "long", default: "9223372036854775807", min: 0, synonyms: [{ name: "log.flush.interval.ms" }, { name: "log.flush.scheduler.interval.ms" }] },
  { name: "follower.replication.throttled.replicas", type: "list", default: "", pattern: /^(\*|\d+:\d+)$/, synonyms: [] },
  { name: "index.interval.bytes", type: "int", default: "4096", min: 0, synonyms: [{ name: "log.index.interval.bytes" }] },
  { name: "internal.segment.bytes", type: "int", default: null, synonyms: [], internal: true },
  // Acknowledged means on disk on every in-sync replica; false gives Kafka's rule (design §7).
  { name: "kontiki.acks.durable", type: "boolean", default: "true", synonyms: [{ name: "kontiki.acks.durable" }] },
  { name: "leader.replication.throttled.replicas", type: "list", default: "", pattern: /^(\*|\d+:\d+)$/, synonyms: [] },
  { name: "local.retention.bytes", type: "long", default: "-2", min: -2, synonyms: [{ name: "log.local.retention.bytes" }] },
  { name: "local.retention.ms", type: "long", default: "-2", min: -2, synonyms: [{ name: "log.local.retention.ms" }] },
  { name: "max.compaction.lag.ms", type: "long", default: "9223372036854775807", min: 1, synonyms: [{ name: "log.cleaner.max.compaction.lag.ms" }] },
  { name: "max.message.bytes", type: "int", default: "1048588", min: 0, synonyms: [{ name: "message.max.bytes" }] },
  { name: "message.timestamp.after.max.ms", type: "long", default: "3600000", min: 0, synonyms: [{ name: "log.message.timestamp.after.max.ms" }] },
  { name: "message.timestamp.before.max.ms", type: "long", default: "9223372036854775807", min: 0, synonyms: [{ name: "log.message.timestamp.before.max.ms" }] },
  { name: "message.timestamp.type", type: "string", default: "CreateTime", oneOf: ["CreateTime", "LogAppendTime"], synonyms: [{ name: "log.message.timestamp.type" }] },
  { name: "min.cleanable.dirty.ratio", type: "double", default: "0.5", min: 0, max: 1, synonyms: [{ name: "log.cleaner.min.cleanable.ratio" }] },
  { name: "min.compaction.lag.ms", type: "long", default: "0", min: 0, synonyms: [{ name: "log.cleaner.min.compaction.lag.ms" }] },
  { name: "min.insync.replicas", type: "int", default: "1", min: 1, synonyms: [{ name: "min.insync.replicas" }] },
  { name: "preallocate", type: "boolean", default: "false", synonyms: [{ name: "log.preallocate" }] },
  { name: "remote.log.copy.disable", type: "boolean", default: "false", synonyms: [] },
  { name: "remote.log.delete.on.disable", type: "boolean", default: "false", synonyms: [] },
  { name: "remote.storage.enable", type: "boolean", default: "false", synonyms: [] },
  { name: "retention.bytes", type: "long", default: "-1", synonyms: [{ name: "log.retention.bytes" }] },
  { name: "retention.ms", type: "long", default: "604800000", min: -1, synonyms: [{ name: "log.retention.ms" }, { name: "log.retention.minutes", unitMs: 60000 }, { name: "log.retention.hours", unitMs: 3600000 }] },
  { name: "segment.bytes", type: "int", default: "1073741824", min: 1048576, synonyms: [{ name: "log.segment.bytes" }] },
  { name: "segment.index.bytes", type: "int", default: "10485760", min: 4, synonyms: [{ name: "log.index.size.max.bytes" }] },
  { name: "segment.jitter.ms", type: "long", default: "0", min: 0, synonyms: [{ name: "log.roll.jitter.ms" }, { name: "log.roll.jitter.hours", unitMs: 3600000 }] },
  { name: "segment.ms", type: "long", default: "604800000", min: 1, synonyms: [{ name: "log.roll.ms" }, { name: "log.roll.hours", unitMs: 3600000 }] },
  { name: "unclean.leader.election.enable", type: "boolean", default: "false", synonyms: [{ name: "unclean.leader.election.enable" }] },
];

const BY_NAME: ReadonlyMap<string, TopicSetting> = new Map(TOPIC_SETTINGS.map((setting) => [setting.name, setting]));

export function topicSetting(name: string): TopicSetting | null {
  return BY_NAME.get(name) ?? null;
}

/** What a node's own configuration adds. */
export interface BrokerDefaults {
  /** Whose dynamic settings count besides the cluster-wide ones; null: only those. */
  readonly brokerId: NodeId | null;
  /** The value that the node's file or environment gives; null where it gives none. */
  given(name: string): string | null;
}

export const NO_BROKER_DEFAULTS: BrokerDefaults = { brokerId: null, given: () => null };

export type SettingSource = "topic" | "broker" | "cluster" | "static" | "default";

export interface SettingValue {
  readonly name: string; // of the setting that gave it: the topic's or a broker synonym
  readonly value: string;
  readonly source: SettingSource;
}

/** Every value that is set for the setting, the one in force first; empty where not even a default exists. */
export function topicSettingValues(image: MetadataImage, topic: string, setting: TopicSetting, defaults: BrokerDefaults): readonly SettingValue[] {
  const values: SettingValue[] = [];
  const own = image.config("topic", topic).get(setting.name);
  if (own !== undefined) values.push({ name: setting.name, value: own, source: "topic" });
  const layers: readonly (readonly [SettingSource, (name: string) => string | null | undefined])[] = [
    ["broker", (name) => (defaults.brokerId === null ? null : image.config("broker", String(defaults.brokerId)).get(name))],
    ["cluster", (name) => image.config("broker", "").get(name)],
    ["static", (name) => defaults.given(name)],
  ];
  for (const [source, read] of layers) {
    for (const { name, unitMs } of setting.synonyms) {
      const value = read(name);
      if (value === null || value === undefined) continue;
      values.push({ name, value: unitMs === undefined || Number(value) < 0 ? value : String(Number(value) * unitMs), source });
    }
  }
  if (setting.default !== null) values.push({ name: setting.synonyms[0]?.name ?? setting.name, value: setting.default, source: "default" });
  return values;
}

/** The value in force, null where there is none. */
export function topicSettingText(image: MetadataImage, topic: string, setting: TopicSetting, defaults: BrokerDefaults): string | null {
  return topicSettingValues(image, topic, setting, defaults)[0]?.value ?? null;
}

/** All settings in force for a topic, read once. */
export class EffectiveTopicSettings {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** Null where nothing is set and there is no default. */
  text(name: string): string | null {
    return this.#values.get(name) ?? null;
  }

  /** Longs above 2^53 lose their last digits: they mean "no limit" anyway. NaN where there is no value. */
  number(name: string): number {
    return Number(this.text(name) ?? "NaN");
  }

  flag(name: string): boolean {
    return this.text(name)?.trim().toLowerCase() === "true";
  }

  list(name: string): readonly string[] {
    return listOf(this.text(name) ?? "");
  }
}

export function effectiveTopicSettings(image: MetadataImage, topic: string, defaults: BrokerDefaults): EffectiveTopicSettings {
  const values = new Map<string, string>();
  for (const setting of TOPIC_SETTINGS) {
    const value = topicSettingText(image, topic, setting, defaults);
    if (value !== null) values.set(setting.name, value);
  }
  return new EffectiveTopicSettings(values);
}

/** min.insync.replicas in force; above the replication factor it means that factor, as in Kafka. */
export function effectiveMinIsr(image: MetadataImage, topic: string, replicationFactor: number, defaults: BrokerDefaults): number {
  const setting = BY_NAME.get("min.insync.replicas");
  const text = setting === undefined ? null : topicSettingText(image, topic, setting, defaults);
  return Math.min(Number(text ?? "1"), replicationFactor);
}

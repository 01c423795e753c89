/** Topics made, deleted and given more partitions. behaviours.md §2 (names), §15 (codes). Each item is decided on its own. */
import { epoch, NO_UUID, type NodeId, type Uuid } from "../../base/ids.js";
import type { AdminCommand, AdminReply, AdminResult, MorePartitions, NewTopic } from "../../coordination/admin.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import { REPLICAS_MAX, type PartitionState } from "../../metadata/partition-columns.js";
import { replay } from "../../metadata/replay.js";
import type { MetadataRecord } from "../../metadata/records.js";
import { TOPIC_SETTINGS, topicSettingValues } from "../../metadata/topic-settings.js";
import type { ErrorName } from "../../protocol/errors.js";
import { wrongTopicSetting } from "./configs.js";
import { clusterSetting, isAlive, type DecideContext, type Decision } from "./context.js";
import { place } from "./placement.js";

/** Partitions made by one request, over all its topics. */
const PARTITIONS_MAX = 10_000;

type Command<K extends AdminCommand["kind"]> = Extract<AdminCommand, { kind: K }>;

class Refused extends Error {
  constructor(readonly error: ErrorName, message: string) {
    super(message);
  }
}

export function decideCreateTopics(image: ClusterImage, command: Command<"create-topics">, context: DecideContext): Decision<AdminReply> {
  const records: MetadataRecord[] = [];
  let now = image;
  let left = PARTITIONS_MAX;
  const repeated = namedTwice(command.topics.map((topic) => topic.name));
  const results = command.topics.map((topic): AdminResult => {
    try {
      if (repeated.has(topic.name)) throw new Refused("INVALID_REQUEST", "the request names this topic more than once");
      const made = createOne(now, topic, left, context);
      left -= made.rows.length;
      const next = replay(now, made.records, now.position + 1n);
      if (!command.validateOnly) {
        records.push(...made.records);
        now = next;
      }
      return {
        error: "NONE",
        message: null,
        name: topic.name,
        topicId: command.validateOnly ? NO_UUID : made.topicId,
        partitionCount: made.rows.length,
        replicationFactor: made.rows[0]?.replicas.length ?? 0,
        configs: shownConfigs(next, topic.name, context),
      };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { error: error.error, message: error.message, name: topic.name };
    }
  });
  return { records, reply: { error: null, message: null, results } };
}

function createOne(image: ClusterImage, topic: NewTopic, left: number, context: DecideContext): { readonly records: readonly MetadataRecord[]; readonly topicId: Uuid; readonly rows: readonly PartitionState[] } {
  checkName(image, topic.name);
  const changes = topic.configs.map(({ name, value }) => {
    const wrong = value === null ? "a value is missing" : wrongTopicSetting(name, value);
    if (wrong !== null) throw new Refused("INVALID_CONFIG", `${name}: ${wrong}`);
    return { name, value };
  });
  const assignments = topic.assignments.length > 0 ? manual(image, topic) : automatic(image, topic, left, context);
  if (assignments.length > left) throw new Refused("POLICY_VIOLATION", `more than ${PARTITIONS_MAX} partitions in one request`);
  const topicId = context.uuid();
  const rows = assignments.map((replicas) => freshRow(image, replicas));
  const records: MetadataRecord[] = [{ kind: "topic-made", topicId, name: topic.name }, { kind: "partitions-made", topicId, first: 0, rows }];
  if (changes.length > 0) records.push({ kind: "config-changed", type: "topic", name: topic.name, changes });
  return { records, topicId, rows };
}

function checkName(image: ClusterImage, name: string): void {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(name) || name === "." || name === "..") throw new Refused("INVALID_TOPIC_EXCEPTION", "a topic name has 1 to 249 of a-z A-Z 0-9 . _ - and is not . or ..");
  if (image.topic(name) !== null) throw new Refused("TOPIC_ALREADY_EXISTS", `topic ${name} exists already`);
  if (!/[._]/.test(name)) return;
  const folded = name.replaceAll(".", "_");
  for (const topic of image.topics()) if (topic.name.replaceAll(".", "_") === folded) throw new Refused("INVALID_TOPIC_EXCEPTION", `${name} collides with ${topic.name}: . and _ count as the same`);
}

function manual(image: ClusterImage, topic: NewTopic): readonly (readonly NodeId[])[] {
  if (topic.partitions !== -1 || topic.replicationFactor !== -1) throw new Refused("INVALID_REQUEST", "with assignments the counts of partitions and replicas must both be -1");
  const sorted = [...topic.assignments].sort((a, b) => a.partition - b.partition);
  if (sorted.some((one, i) => one.partition !== i)) throw new Refused("INVALID_REPLICA_ASSIGNMENT", "assignments must name partitions 0, 1, 2 and so on, each once");
  for (const one of sorted) checkAssignment(image, one.brokers, sorted[0]?.brokers.length ?? 0);
  return sorted.map((one) => one.brokers);
}

function checkAssignment(image: ClusterImage, brokers: readonly NodeId[], width: number): void {
  if (brokers.length === 0 || brokers.length > REPLICAS_MAX || new Set(brokers).size !== brokers.length) throw new Refused("INVALID_REPLICA_ASSIGNMENT", "each partition needs some brokers, each once");
  if (brokers.length !== width) throw new Refused("INVALID_REPLICA_ASSIGNMENT", "every partition needs the same number of replicas");
  for (const id of brokers) if (image.broker(id) === null) throw new Refused("INVALID_REPLICA_ASSIGNMENT", `there is no broker ${id}`);
  if (!brokers.some((id) => isAlive(image, id))) throw new Refused("INVALID_REPLICA_ASSIGNMENT", `none of the brokers ${brokers.join(", ")} is up`);
}

function automatic(image: ClusterImage, topic: NewTopic, left: number, context: DecideContext): readonly (readonly NodeId[])[] {
  const partitions = topic.partitions === -1 ? Number(clusterSetting(image, "num.partitions", context)) : topic.partitions;
  const replicas = topic.replicationFactor === -1 ? Number(clusterSetting(image, "default.replication.factor", context)) : topic.replicationFactor;
  if (partitions <= 0) throw new Refused("INVALID_PARTITIONS", "a topic has at least one partition");
  if (partitions > left) throw new Refused("POLICY_VIOLATION", `more than ${PARTITIONS_MAX} partitions in one request`);
  if (replicas <= 0) throw new Refused("INVALID_REPLICATION_FACTOR", "a partition has at least one replica");
  return placed(image, { partitions, replicas, firstPartition: 0 }, context);
}

/**
 * On brokers that are up while there are enough; else the missing replicas go to registered ones that are away, as in Kafka, so that topics can be made
 * while a node is down. Those are not in the ISR until they have caught up.
 */
function placed(image: ClusterImage, want: { readonly partitions: number; readonly replicas: number; readonly firstPartition: number }, context: DecideContext): readonly (readonly NodeId[])[] {
  const up = image.brokers().filter((broker) => isAlive(image, broker.id));
  const away = image.brokers().filter((broker) => !isAlive(image, broker.id));
  const { replicas } = want;
  if (up.length === 0 || replicas > up.length + away.length || replicas > REPLICAS_MAX) {
    throw new Refused("INVALID_REPLICATION_FACTOR", `Replication factor: ${replicas} larger than available brokers: ${up.length === 0 ? 0 : up.length + away.length}`);
  }
  const held = place(up, { ...want, replicas: Math.min(replicas, up.length) }, context.below);
  if (replicas <= up.length) return held;
  const rest = place(away, { ...want, replicas: replicas - up.length }, context.below);
  return held.map((ids, i) => [...ids, ...(rest[i] ?? [])]);
}

function namedTwice(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.filter((name, i) => names.indexOf(name) !== i));
}

function freshRow(image: ClusterImage, replicas: readonly NodeId[]): PartitionState {
  const up = replicas.filter((id) => isAlive(image, id));
  return {
    replicas,
    directories: replicas.map((id) => image.broker(id)?.directories[0] ?? NO_UUID),
    isr: up,
    elr: [],
    lastKnownElr: [],
    leader: up[0] ?? null,
    leaderEpoch: epoch(0),
    partitionEpoch: 0,
    recovering: false,
  };
}

function shownConfigs(image: ClusterImage, topic: string, context: DecideContext): NonNullable<AdminResult["configs"]> {
  return TOPIC_SETTINGS.filter((setting) => setting.internal !== true).flatMap((setting) => {
    const first = topicSettingValues(image, topic, setting, context.defaults)[0];
    return first === undefined ? [] : [{ name: setting.name, value: first.value, isDefault: first.source !== "topic" }];
  });
}

export function decideDeleteTopics(image: ClusterImage, command: Command<"delete-topics">, context: DecideContext): Decision<AdminReply> {
  if (context.setting("delete.topic.enable") === "false") return { records: [], reply: { error: "TOPIC_DELETION_DISABLED", message: "delete.topic.enable is false", results: [] } };
  const records: MetadataRecord[] = [];
  const gone = new Set<Uuid>();
  const results = command.topics.map((one): AdminResult => {
    const topic = one.id !== null ? image.topicById(one.id) : one.name !== null ? image.topic(one.name) : null;
    if (topic === null || gone.has(topic.id)) {
      return { error: one.id !== null ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION", message: `there is no topic ${one.name ?? one.id ?? ""}`, name: one.name ?? "", ...(one.id === null ? {} : { topicId: one.id }) };
    }
    gone.add(topic.id);
    records.push({ kind: "topic-deleted", topicId: topic.id });
    return { error: "NONE", message: null, name: topic.name, topicId: topic.id };
  });
  return { records, reply: { error: null, message: null, results } };
}

export function decideCreatePartitions(image: ClusterImage, command: Command<"create-partitions">, context: DecideContext): Decision<AdminReply> {
  const records: MetadataRecord[] = [];
  let left = PARTITIONS_MAX;
  const repeated = namedTwice(command.topics.map((topic) => topic.name));
  const results = command.topics.map((one): AdminResult => {
    try {
      if (repeated.has(one.name)) throw new Refused("INVALID_REQUEST", "the request names this topic more than once");
      const record = moreOf(image, one, left, context);
      left -= record.rows.length;
      if (!command.validateOnly) records.push(record);
      return { error: "NONE", message: null, name: one.name };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { error: error.error, message: error.message, name: one.name };
    }
  });
  return { records, reply: { error: null, message: null, results } };
}

function moreOf(image: ClusterImage, one: MorePartitions, left: number, context: DecideContext): Extract<MetadataRecord, { kind: "partitions-made" }> {
  const topic = image.topic(one.name);
  if (topic === null) throw new Refused("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic ${one.name}`);
  const first = topic.partitionCount;
  const added = one.count - first;
  if (added <= 0) throw new Refused("INVALID_PARTITIONS", `${one.name} has ${first} partitions already; the number can only grow`);
  if (added > left) throw new Refused("POLICY_VIOLATION", `more than ${PARTITIONS_MAX} partitions in one request`);
  const width = topic.existing(0).replicas.length;
  if (one.assignments !== null) {
    if (one.assignments.length !== added) throw new Refused("INVALID_REPLICA_ASSIGNMENT", `${added} partitions are added, ${one.assignments.length} assignments given`);
    for (const brokers of one.assignments) checkAssignment(image, brokers, width);
  }
  const replicas = one.assignments ?? placed(image, { partitions: added, replicas: width, firstPartition: first }, context);
  return { kind: "partitions-made", topicId: topic.id, first, rows: replicas.map((ids) => freshRow(image, ids)) };
}


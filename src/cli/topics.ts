/** `kontiki topics list|create|describe|delete|alter`, against any Kafka bootstrap address. */
import { errorName } from "../protocol/errors.js";
import { CreatePartitionsRequest, CreatePartitionsResponse } from "../protocol/messages/37-create-partitions.js";
import { CreateTopicsRequest, CreateTopicsResponse } from "../protocol/messages/19-create-topics.js";
import { DeleteTopicsRequest, DeleteTopicsResponse } from "../protocol/messages/20-delete-topics.js";
import { DescribeConfigsRequest, DescribeConfigsResponse } from "../protocol/messages/32-describe-configs.js";
import { IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse } from "../protocol/messages/44-incremental-alter-configs.js";
import { MetadataRequest, MetadataResponse } from "../protocol/messages/03-metadata.js";
import { CliError, NO_UUID, type KafkaClient } from "./kafka-client.js";
import { table } from "./table.js";

const TIMEOUT_MS = 30_000;
const TOPIC = 2;
const SET = 0;
const DELETE = 1;

/** What a command shows: words for people, data for `--json`. */
export interface Shown {
  readonly text: string;
  readonly data: unknown;
}

export async function listTopics(client: KafkaClient, options: { readonly internal: boolean }): Promise<Shown> {
  const metadata = await client.ask(MetadataRequest, MetadataResponse, { topics: null, allowAutoTopicCreation: false });
  const topics = metadata.topics
    .filter((topic) => options.internal || !topic.isInternal)
    .map((topic) => ({
      name: topic.name ?? "",
      partitions: topic.partitions.length,
      replicas: topic.partitions[0]?.replicaNodes.length ?? 0,
      unhealthy: topic.partitions.filter((one) => one.leaderId < 0 || one.isrNodes.length < one.replicaNodes.length).length,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = topics.length === 0 ? "no topics" : table(["TOPIC", "PARTITIONS", "REPLICAS", "UNHEALTHY"], topics.map((one) => [one.name, one.partitions, one.replicas, one.unhealthy]));
  return { text, data: topics };
}

export async function createTopic(client: KafkaClient, name: string, options: { readonly partitions: number; readonly replicas: number; readonly configs: readonly (readonly [string, string])[] }): Promise<Shown> {
  const answer = await client.ask(CreateTopicsRequest, CreateTopicsResponse, {
    topics: [{ name, numPartitions: options.partitions, replicationFactor: options.replicas, configs: options.configs.map(([key, value]) => ({ name: key, value })) }],
    timeoutMs: TIMEOUT_MS,
  });
  const result = answer.topics[0];
  if (result === undefined || result.errorCode !== 0) throw refused(`topic ${name} was not created`, result);
  const data = { name, id: result.topicId, partitions: result.numPartitions, replicas: result.replicationFactor };
  return { text: `created ${name}: ${result.numPartitions} partitions, ${result.replicationFactor} replicas each`, data };
}

export async function deleteTopic(client: KafkaClient, name: string): Promise<Shown> {
  const answer = await client.ask(DeleteTopicsRequest, DeleteTopicsResponse, (version) => (version >= 6 ? { topics: [{ name, topicId: NO_UUID }], timeoutMs: TIMEOUT_MS } : { topicNames: [name], timeoutMs: TIMEOUT_MS }));
  const result = answer.responses[0];
  if (result === undefined || result.errorCode !== 0) throw refused(`topic ${name} was not deleted`, result);
  return { text: `deleted ${name}`, data: { name, deleted: true } };
}

export async function describeTopic(client: KafkaClient, name: string): Promise<Shown> {
  const metadata = await client.ask(MetadataRequest, MetadataResponse, { topics: [{ name, topicId: NO_UUID }], allowAutoTopicCreation: false });
  const topic = metadata.topics[0];
  if (topic === undefined || topic.errorCode !== 0) throw refused(`topic ${name} cannot be described`, topic);
  const configs = await client.ask(DescribeConfigsRequest, DescribeConfigsResponse, { resources: [{ resourceType: TOPIC, resourceName: name, configurationKeys: null }] });
  const own = (configs.results[0]?.configs ?? []).filter((config) => config.configSource === 1 || config.name === "kontiki.acks.durable" || config.name === "min.insync.replicas");
  const partitions = [...topic.partitions]
    .sort((a, b) => a.partitionIndex - b.partitionIndex)
    .map((one) => ({ partition: one.partitionIndex, leader: one.leaderId, epoch: one.leaderEpoch, replicas: one.replicaNodes, isr: one.isrNodes, offline: one.offlineReplicas }));
  const rows = partitions.map((one) => [one.partition, one.leader < 0 ? "none" : String(one.leader), one.epoch, one.replicas.join(","), one.isr.join(","), one.offline.join(",")]);
  const settings = own.map((config) => `${config.name}=${config.value ?? ""}`);
  const text = [`${name}  id ${topic.topicId}`, ...settings.map((line) => `  ${line}`), table(["PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "OFFLINE"], rows)].join("\n");
  return { text, data: { name, id: topic.topicId, configs: Object.fromEntries(own.map((config) => [config.name, config.value])), partitions } };
}

export async function alterTopic(client: KafkaClient, name: string, options: { readonly partitions: number | null; readonly set: readonly (readonly [string, string])[]; readonly remove: readonly string[] }): Promise<Shown> {
  const done: string[] = [];
  if (options.set.length + options.remove.length > 0) {
    const configs = [
      ...options.set.map(([key, value]) => ({ name: key, configOperation: SET, value })),
      ...options.remove.map((key) => ({ name: key, configOperation: DELETE, value: null })),
    ];
    const answer = await client.ask(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, { resources: [{ resourceType: TOPIC, resourceName: name, configs }] });
    const result = answer.responses[0];
    if (result === undefined || result.errorCode !== 0) throw refused(`settings of ${name} were not changed`, result);
    for (const [key, value] of options.set) done.push(`${key}=${value}`);
    for (const key of options.remove) done.push(`${key} back to its default`);
  }
  if (options.partitions !== null) {
    const answer = await client.ask(CreatePartitionsRequest, CreatePartitionsResponse, { topics: [{ name, count: options.partitions, assignments: null }], timeoutMs: TIMEOUT_MS });
    const result = answer.results[0];
    if (result === undefined || result.errorCode !== 0) throw refused(`partitions of ${name} were not added`, result);
    done.push(`${options.partitions} partitions`);
  }
  if (done.length === 0) throw new CliError("nothing to change: give --partitions, --config name=value or --remove-config name");
  return { text: `${name}: ${done.join(", ")}`, data: { name, changed: done } };
}

function refused(what: string, result: { readonly errorCode: number; readonly errorMessage?: string | null } | undefined): CliError {
  const reason = result === undefined ? "no answer" : `${errorName(result.errorCode)}${result.errorMessage ? `: ${result.errorMessage}` : ""}`;
  return new CliError(`${what}: ${reason}`);
}

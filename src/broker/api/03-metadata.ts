/**
 * Metadata, versions 0-13. v0: an empty list means all topics; from v1 null does. v4 allowAutoTopicCreation, v7 leader epochs (KIP-320), v10 topic ids,
 * v12 asks by id with a null name, v13 a top-level error. Authorised operations are left at "not asked" until ACLs exist.
 */
import { NO_UUID } from "../../base/ids.js";
import type { MetadataImage, TopicImage } from "../../metadata/image.js";
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import { MetadataRequest, MetadataResponse } from "../../protocol/messages/03-metadata.js";
import type { Input } from "../../protocol/schema.js";
import { brokersOn, isInternal, isTopicName, partitionOn } from "../describe.js";
import { handler } from "../handler.js";
import type { RequestContext } from "../services.js";

type Body = Input<typeof MetadataResponse>;
type Topic = NonNullable<Body["topics"]>[number];

export const metadata = handler(MetadataRequest, MetadataResponse, (services, request, context) => {
  const image = services.coordination.image;
  const { version } = context;
  const all = request.topics === null || (version === 0 && request.topics.length === 0);
  let topics: readonly Topic[];
  if (all) {
    topics = Array.from(image.topics(), (topic) => describe(image, topic, context));
  } else {
    const asked = withoutRepeats(request.topics ?? []);
    const malformed = version >= 10 && version <= 11 && asked.some((one) => one.name === null || one.topicId !== NO_UUID);
    if (malformed) topics = asked.map((one) => ({ name: one.name ?? "", topicId: one.topicId, errorCode: errorCode("INVALID_REQUEST") }));
    else topics = asked.map((one) => answerFor(image, one, context));
    const create = malformed || !request.allowAutoTopicCreation ? [] : asked.filter((one) => one.name !== null && one.topicId === NO_UUID && isTopicName(one.name) && image.topic(one.name) === null);
    services.firstUse.create(create.map((one) => one.name ?? ""));
  }
  const brokers = brokersOn(image, context.connection.listener, { fenced: false });
  return {
    body: {
      brokers: brokers.map((broker) => ({ nodeId: broker.id, host: broker.host, port: broker.port, rack: broker.rack })),
      clusterId: image.clusterId === "" ? null : image.clusterId,
      controllerId: brokers[services.world.random.below(Math.max(1, brokers.length))]?.id ?? -1,
      topics,
    },
  };
});

/** A topic that is named more than once is told once, as by Kafka: the answer is no longer than what is known. */
function withoutRepeats<One extends { readonly name: string | null; readonly topicId: string }>(asked: readonly One[]): readonly One[] {
  return [...new Map(asked.map((one) => [`${one.topicId} ${one.name ?? ""}`, one])).values()];
}

function answerFor(image: MetadataImage, asked: NonNullable<MetadataRequest["topics"]>[number], context: RequestContext): Topic {
  const refusal = (error: ErrorName): Topic => ({ name: asked.name ?? (context.version >= 12 ? null : ""), topicId: asked.topicId, errorCode: errorCode(error) });
  if (asked.topicId !== NO_UUID) {
    const topic = image.topicById(asked.topicId);
    return topic === null ? { ...refusal("UNKNOWN_TOPIC_ID"), name: null } : describe(image, topic, context);
  }
  if (asked.name === null) return refusal("INVALID_REQUEST");
  const topic = image.topic(asked.name);
  if (topic !== null) return describe(image, topic, context);
  if (!isTopicName(asked.name)) return refusal("INVALID_TOPIC_EXCEPTION");
  return refusal("UNKNOWN_TOPIC_OR_PARTITION");
}

function describe(image: MetadataImage, topic: TopicImage, context: RequestContext): Topic {
  const partitions = [];
  for (let index = 0; index < topic.partitionCount; index++) {
    const partition = topic.partition(index);
    if (partition === null) continue;
    const view = partitionOn(image, partition, context.connection.listener);
    const error = view.error === "LISTENER_NOT_FOUND" && context.version < 6 ? "LEADER_NOT_AVAILABLE" : view.error;
    partitions.push({
      errorCode: errorCode(error),
      partitionIndex: index,
      leaderId: view.leader,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      offlineReplicas: view.offline,
    });
  }
  return { name: topic.name, topicId: topic.id, isInternal: isInternal(topic.name), partitions };
}

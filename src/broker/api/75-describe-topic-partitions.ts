/** DescribeTopicPartitions, version 0 (KIP-966): topics sorted by name, in pages, with eligible leader replicas. */
import { NO_UUID } from "../../base/ids.js";
import { errorCode } from "../../protocol/errors.js";
import { DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse } from "../../protocol/messages/75-describe-topic-partitions.js";
import type { Input } from "../../protocol/schema.js";
import { isInternal, isTopicName, partitionOn } from "../describe.js";
import { handler } from "../handler.js";

type Topic = NonNullable<Input<typeof DescribeTopicPartitionsResponse>["topics"]>[number];

export const describeTopicPartitions = handler(DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, (services, request, context) => {
  const image = services.coordination.image;
  const { cursor } = request;
  const all = request.topics.length === 0;
  const names = all ? Array.from(image.topics(), (topic) => topic.name) : [...new Set(request.topics.map((topic) => topic.name))].sort();
  const wanted = cursor === null ? names : names.filter((name) => name >= cursor.topicName);
  const limit = Math.max(1, Math.min(request.responsePartitionLimit, services.settings.number("max.request.partition.size.limit")));

  const topics: Topic[] = [];
  let left = limit;
  for (const name of wanted) {
    const topic = image.topic(name);
    if (topic === null) {
      if (!all) topics.push({ errorCode: errorCode(isTopicName(name) ? "UNKNOWN_TOPIC_OR_PARTITION" : "INVALID_TOPIC_EXCEPTION"), name, topicId: NO_UUID });
      continue;
    }
    const first = cursor !== null && cursor.topicName === name ? Math.max(0, cursor.partitionIndex) : 0;
    if (left === 0) return { body: { topics, nextCursor: { topicName: name, partitionIndex: first } } };
    const partitions = [];
    let index = first;
    for (; index < topic.partitionCount && left > 0; index++, left--) {
      const partition = topic.partition(index);
      if (partition === null) continue;
      const view = partitionOn(image, partition, context.connection.listener);
      partitions.push({
        errorCode: errorCode(view.error),
        partitionIndex: index,
        leaderId: view.leader,
        leaderEpoch: partition.leaderEpoch,
        replicaNodes: partition.replicas,
        isrNodes: partition.isr,
        eligibleLeaderReplicas: partition.elr,
        lastKnownElr: partition.lastKnownElr,
        offlineReplicas: view.offline,
      });
    }
    topics.push({ name, topicId: topic.id, isInternal: isInternal(name), partitions });
    if (index < topic.partitionCount) return { body: { topics, nextCursor: { topicName: name, partitionIndex: index } } };
  }
  return { body: { topics } };
});

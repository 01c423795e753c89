/**
 * DescribeTopicPartitions, Kafka protocol key 75. Topics and partitions page by page, with eligible leaders (KIP-966).
 */
import { array, bool, defaults, int16, int32, nullable, request, response, string, struct, uuid, type Infer } from "../schema.js";

export const DescribeTopicPartitionsRequest = request({ key: 75, versions: [0, 0], flexibleSince: 0 }, {
  topics: array(struct({
    name: string(),
  })),
  responsePartitionLimit: defaults(2000, int32()),
  cursor: defaults(null, nullable(struct({ // first partition wanted; null: from the beginning
    topicName: string(),
    partitionIndex: int32(),
  }))),
});
export type DescribeTopicPartitionsRequest = Infer<typeof DescribeTopicPartitionsRequest>;

export const DescribeTopicPartitionsResponse = response({ key: 75, versions: [0, 0], flexibleSince: 0 }, {
  throttleTimeMs: int32(),
  topics: array(struct({
    errorCode: int16(),
    name: nullable(string()),
    topicId: uuid(),
    isInternal: bool(),
    partitions: array(struct({
      errorCode: int16(),
      partitionIndex: int32(),
      leaderId: int32(),
      leaderEpoch: defaults(-1, int32()),
      replicaNodes: array(int32()),
      isrNodes: array(int32()),
      eligibleLeaderReplicas: defaults(null, nullable(array(int32()))),
      lastKnownElr: defaults(null, nullable(array(int32()))), // eligible ones before the last unclean shutdown
      offlineReplicas: array(int32()),
    })),
    topicAuthorizedOperations: defaults(-2147483648, int32()),
  })),
  nextCursor: defaults(null, nullable(struct({ // null: that was all
    topicName: string(),
    partitionIndex: int32(),
  }))),
});
export type DescribeTopicPartitionsResponse = Infer<typeof DescribeTopicPartitionsResponse>;

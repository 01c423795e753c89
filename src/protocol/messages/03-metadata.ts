/**
 * Metadata, Kafka protocol key 3. Who leads which partition, and where the brokers are.
 *
 *   v0  an empty list of topics means all
 *   v1  null means all; racks, the controller, internal topics
 *   v2  cluster id
 *   v3  throttle time
 *   v4  automatic creation can be declined
 *   v5  offline replicas
 *   v6  throttling after the answer
 *   v7  leader epochs (KIP-320)
 *   v8  authorised operations (KIP-430)
 *   v9  flexible
 *   v10 topic ids in both directions
 *   v11 the cluster's operations moved to DescribeCluster
 *   v12 topics by id alone (KIP-516)
 *   v13 an error for the whole answer (KIP-1102)
 */
import { array, between, bool, defaults, ignorable, int16, int32, nullable, nullableSince, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const MetadataRequest = request({ key: 3, versions: [0, 13], flexibleSince: 9 }, {
  topics: nullableSince(1, array(struct({ // null: all
    topicId: ignorable(since(10, uuid())),
    name: nullableSince(10, string()), // null: by id
  }))),
  allowAutoTopicCreation: since(4, defaults(true, bool())),
  includeClusterAuthorizedOperations: between(8, 10, bool()),
  includeTopicAuthorizedOperations: since(8, bool()),
});
export type MetadataRequest = Infer<typeof MetadataRequest>;

export const MetadataResponse = response({ key: 3, versions: [0, 13], flexibleSince: 9 }, {
  throttleTimeMs: ignorable(since(3, int32())),
  brokers: array(struct({
    nodeId: int32(),
    host: string(),
    port: int32(),
    rack: ignorable(since(1, defaults(null, nullable(string())))),
  })),
  clusterId: ignorable(since(2, defaults(null, nullable(string())))),
  controllerId: ignorable(since(1, defaults(-1, int32()))), // any broker: it forwards what controllers do
  topics: array(struct({
    errorCode: int16(),
    name: nullableSince(12, string()),
    topicId: ignorable(since(10, uuid())),
    isInternal: ignorable(since(1, bool())),
    partitions: array(struct({
      errorCode: int16(),
      partitionIndex: int32(),
      leaderId: int32(), // -1: none
      leaderEpoch: ignorable(since(7, defaults(-1, int32()))),
      replicaNodes: array(int32()),
      isrNodes: array(int32()),
      offlineReplicas: ignorable(since(5, array(int32()))),
    })),
    topicAuthorizedOperations: since(8, defaults(-2147483648, int32())), // bit n: operation n; the smallest number: not asked for
  })),
  clusterAuthorizedOperations: between(8, 10, defaults(-2147483648, int32())),
  errorCode: ignorable(since(13, int16())),
});
export type MetadataResponse = Infer<typeof MetadataResponse>;

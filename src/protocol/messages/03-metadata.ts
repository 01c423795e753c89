/** Metadata, Kafka protocol key 3. */
import { array, between, bool, defaults, int16, int32, nullable, nullableSince, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const MetadataRequest = request({ key: 3, versions: [0, 13], flexibleSince: 9 }, {
  topics: nullableSince(1, array(struct({
    topicId: since(10, uuid()),
    name: nullableSince(10, string()),
  }))),
  allowAutoTopicCreation: since(4, defaults(true, bool())),
  includeClusterAuthorizedOperations: between(8, 10, bool()),
  includeTopicAuthorizedOperations: since(8, bool()),
});
export type MetadataRequest = Infer<typeof MetadataRequest>;

export const MetadataResponse = response({ key: 3, versions: [0, 13], flexibleSince: 9 }, {
  throttleTimeMs: since(3, int32()),
  brokers: array(struct({
    nodeId: int32(),
    host: string(),
    port: int32(),
    rack: since(1, defaults(null, nullable(string()))),
  })),
  clusterId: since(2, defaults(null, nullable(string()))),
  controllerId: since(1, defaults(-1, int32())),
  topics: array(struct({
    errorCode: int16(),
    name: nullableSince(12, string()),
    topicId: since(10, uuid()),
    isInternal: since(1, bool()),
    partitions: array(struct({
      errorCode: int16(),
      partitionIndex: int32(),
      leaderId: int32(),
      leaderEpoch: since(7, defaults(-1, int32())),
      replicaNodes: array(int32()),
      isrNodes: array(int32()),
      offlineReplicas: since(5, array(int32())),
    })),
    topicAuthorizedOperations: since(8, defaults(-2147483648, int32())),
  })),
  clusterAuthorizedOperations: between(8, 10, defaults(-2147483648, int32())),
  errorCode: since(13, int16()),
});
export type MetadataResponse = Infer<typeof MetadataResponse>;

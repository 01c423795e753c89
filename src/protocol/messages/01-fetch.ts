/** Fetch, Kafka protocol key 1. */
import { array, between, defaults, int16, int32, int64, int8, nullable, records, request, response, since, string, struct, tagged, uuid, type Infer } from "../schema.js";

export const FetchRequest = request({ key: 1, versions: [4, 18], flexibleSince: 12 }, {
  clusterId: since(12, tagged(0, defaults(null, nullable(string())))),
  replicaId: between(0, 14, defaults(-1, int32())),
  replicaState: since(15, tagged(1, struct({
    replicaId: since(15, defaults(-1, int32())),
    replicaEpoch: since(15, defaults(-1n, int64())),
  }))),
  maxWaitMs: int32(),
  minBytes: int32(),
  maxBytes: defaults(2147483647, int32()),
  isolationLevel: int8(),
  sessionId: since(7, int32()),
  sessionEpoch: since(7, defaults(-1, int32())),
  topics: array(struct({
    topic: between(0, 12, string()),
    topicId: since(13, uuid()),
    partitions: array(struct({
      partition: int32(),
      currentLeaderEpoch: since(9, defaults(-1, int32())),
      fetchOffset: int64(),
      lastFetchedEpoch: since(12, defaults(-1, int32())),
      logStartOffset: since(5, defaults(-1n, int64())),
      partitionMaxBytes: int32(),
      replicaDirectoryId: since(17, tagged(0, uuid())),
      highWatermark: since(18, tagged(1, defaults(9223372036854775807n, int64()))),
    })),
  })),
  forgottenTopicsData: since(7, array(struct({
    topic: between(7, 12, string()),
    topicId: since(13, uuid()),
    partitions: since(7, array(int32())),
  }))),
  rackId: since(11, string()),
});
export type FetchRequest = Infer<typeof FetchRequest>;

export const FetchResponse = response({ key: 1, versions: [4, 18], flexibleSince: 12 }, {
  throttleTimeMs: int32(),
  errorCode: since(7, int16()),
  sessionId: since(7, int32()),
  responses: array(struct({
    topic: between(0, 12, string()),
    topicId: since(13, uuid()),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
      highWatermark: int64(),
      lastStableOffset: defaults(-1n, int64()),
      logStartOffset: since(5, defaults(-1n, int64())),
      divergingEpoch: since(12, tagged(0, struct({
        epoch: since(12, defaults(-1, int32())),
        endOffset: since(12, defaults(-1n, int64())),
      }))),
      currentLeader: since(12, tagged(1, struct({
        leaderId: since(12, defaults(-1, int32())),
        leaderEpoch: since(12, defaults(-1, int32())),
      }))),
      snapshotId: since(12, tagged(2, struct({
        endOffset: defaults(-1n, int64()),
        epoch: defaults(-1, int32()),
      }))),
      abortedTransactions: nullable(array(struct({
        producerId: int64(),
        firstOffset: int64(),
      }))),
      preferredReadReplica: since(11, defaults(-1, int32())),
      records: nullable(records()),
    })),
  })),
  nodeEndpoints: since(16, tagged(0, array(struct({
    nodeId: since(16, int32()),
    host: since(16, string()),
    port: since(16, int32()),
    rack: since(16, defaults(null, nullable(string()))),
  })))),
});
export type FetchResponse = Infer<typeof FetchResponse>;

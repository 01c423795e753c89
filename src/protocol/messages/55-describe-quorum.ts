/** DescribeQuorum, Kafka protocol key 55. */
import { array, defaults, int16, int32, int64, nullable, request, response, since, string, struct, uint16, uuid, type Infer } from "../schema.js";

export const DescribeQuorumRequest = request({ key: 55, versions: [0, 2], flexibleSince: 0 }, {
  topics: array(struct({
    topicName: string(),
    partitions: array(struct({
      partitionIndex: int32(),
    })),
  })),
});
export type DescribeQuorumRequest = Infer<typeof DescribeQuorumRequest>;

export const DescribeQuorumResponse = response({ key: 55, versions: [0, 2], flexibleSince: 0 }, {
  errorCode: int16(),
  errorMessage: since(2, nullable(string())),
  topics: array(struct({
    topicName: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
      errorMessage: since(2, nullable(string())),
      leaderId: int32(),
      leaderEpoch: int32(),
      highWatermark: int64(),
      currentVoters: array(struct({
        replicaId: int32(),
        replicaDirectoryId: since(2, uuid()),
        logEndOffset: int64(),
        lastFetchTimestamp: since(1, defaults(-1n, int64())),
        lastCaughtUpTimestamp: since(1, defaults(-1n, int64())),
      })),
      observers: array(struct({
        replicaId: int32(),
        replicaDirectoryId: since(2, uuid()),
        logEndOffset: int64(),
        lastFetchTimestamp: since(1, defaults(-1n, int64())),
        lastCaughtUpTimestamp: since(1, defaults(-1n, int64())),
      })),
    })),
  })),
  nodes: since(2, array(struct({
    nodeId: since(2, int32()),
    listeners: since(2, array(struct({
      name: since(2, string()),
      host: since(2, string()),
      port: since(2, uint16()),
    }))),
  }))),
});
export type DescribeQuorumResponse = Infer<typeof DescribeQuorumResponse>;

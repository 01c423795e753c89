/**
 * DescribeQuorum, Kafka protocol key 55. The metadata quorum: leader, voters, observers, their lag (KIP-595).
 *
 *   v1  times of the last fetch and of being caught up (KIP-836)
 *   v2  directory ids, messages, the voters' addresses (KIP-853)
 */
import { array, defaults, ignorable, int16, int32, int64, nullable, request, response, since, string, struct, uint16, uuid, type Infer } from "../schema.js";

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
  errorMessage: ignorable(since(2, nullable(string()))),
  topics: array(struct({
    topicName: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
      errorMessage: ignorable(since(2, nullable(string()))),
      leaderId: int32(),
      leaderEpoch: int32(),
      highWatermark: int64(),
      currentVoters: array(struct({
        replicaId: int32(),
        replicaDirectoryId: since(2, uuid()),
        logEndOffset: int64(),
        lastFetchTimestamp: ignorable(since(1, defaults(-1n, int64()))), // ms of wall time; -1: unknown
        lastCaughtUpTimestamp: ignorable(since(1, defaults(-1n, int64()))),
      })),
      observers: array(struct({
        replicaId: int32(),
        replicaDirectoryId: since(2, uuid()),
        logEndOffset: int64(),
        lastFetchTimestamp: ignorable(since(1, defaults(-1n, int64()))),
        lastCaughtUpTimestamp: ignorable(since(1, defaults(-1n, int64()))),
      })),
    })),
  })),
  nodes: since(2, array(struct({
    nodeId: int32(),
    listeners: array(struct({
      name: string(),
      host: string(),
      port: uint16(),
    })),
  }))),
});
export type DescribeQuorumResponse = Infer<typeof DescribeQuorumResponse>;

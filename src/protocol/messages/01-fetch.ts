/**
 * Fetch, Kafka protocol key 1. Reads batches of partitions, and waits for some; followers replicate with it.
 *
 *   v4  isolation level and aborted transactions (the least that is answered)
 *   v5  log start offsets
 *   v6  KAFKA_STORAGE_ERROR
 *   v7  fetch sessions (KIP-227)
 *   v8  throttling after the answer
 *   v9  leader epoch for fencing (KIP-320)
 *   v10 zstd is allowed (KIP-110)
 *   v11 rack and preferred read replica (KIP-392)
 *   v12 flexible; truncation by last fetched epoch (KIP-595)
 *   v13 topics by id (KIP-516)
 *   v14 tiered offsets (KIP-405)
 *   v15 the replica's state with its broker epoch (KIP-903)
 *   v16 current leaders' addresses (KIP-951)
 *   v17 directory id of a quorum's replica (KIP-853)
 *   v18 the follower's high watermark (KIP-1166)
 */
import { array, between, defaults, ignorable, int16, int32, int64, int8, nullable, records, request, response, since, string, struct, tagged, uuid, type Infer } from "../schema.js";

export const FetchRequest = request({ key: 1, versions: [4, 18], flexibleSince: 12 }, {
  clusterId: ignorable(since(12, tagged(0, defaults(null, nullable(string()))))), // set among controllers only
  replicaId: between(0, 14, defaults(-1, int32())), // -1: a consumer
  replicaState: since(15, tagged(1, struct({ // a follower shows its broker epoch, so that one from before its restart is fenced
    replicaId: defaults(-1, int32()),
    replicaEpoch: defaults(-1n, int64()),
  }))),
  maxWaitMs: int32(),
  minBytes: int32(), // the answer waits for so much
  maxBytes: defaults(2147483647, int32()), // the first batch may exceed it (KIP-74)
  isolationLevel: int8(), // 0: read uncommitted, 1: read committed
  sessionId: ignorable(since(7, int32())), // 0: none
  sessionEpoch: ignorable(since(7, defaults(-1, int32()))), // 0: begin a session, -1: none or end it
  topics: array(struct({
    topic: ignorable(between(0, 12, string())),
    topicId: ignorable(since(13, uuid())),
    partitions: array(struct({
      partition: int32(),
      currentLeaderEpoch: ignorable(since(9, defaults(-1, int32()))), // -1: no fencing
      fetchOffset: int64(),
      lastFetchedEpoch: since(12, defaults(-1, int32())), // of the follower's last batch, to find where it diverged
      logStartOffset: ignorable(since(5, defaults(-1n, int64()))), // a follower's; -1 from consumers
      partitionMaxBytes: int32(),
      replicaDirectoryId: ignorable(since(17, tagged(0, uuid()))),
      highWatermark: ignorable(since(18, tagged(1, defaults(9223372036854775807n, int64())))), // the follower's; the largest number: unknown
    })),
  })),
  forgottenTopicsData: since(7, array(struct({ // leave the session
    topic: ignorable(between(7, 12, string())),
    topicId: ignorable(since(13, uuid())),
    partitions: array(int32()),
  }))),
  rackId: ignorable(since(11, string())),
});
export type FetchRequest = Infer<typeof FetchRequest>;

export const FetchResponse = response({ key: 1, versions: [4, 18], flexibleSince: 12 }, {
  throttleTimeMs: int32(),
  errorCode: ignorable(since(7, int16())),
  sessionId: since(7, int32()),
  responses: array(struct({
    topic: ignorable(between(0, 12, string())),
    topicId: ignorable(since(13, uuid())),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
      highWatermark: int64(),
      lastStableOffset: defaults(-1n, int64()), // transactions below it are decided
      logStartOffset: ignorable(since(5, defaults(-1n, int64()))),
      divergingEpoch: since(12, tagged(0, struct({ // the follower truncates to it
        epoch: defaults(-1, int32()),
        endOffset: defaults(-1n, int64()),
      }))),
      currentLeader: since(12, tagged(1, struct({
        leaderId: defaults(-1, int32()),
        leaderEpoch: defaults(-1, int32()),
      }))),
      snapshotId: since(12, tagged(2, struct({ // controllers only: fetch this snapshot instead
        endOffset: defaults(-1n, int64()),
        epoch: defaults(-1, int32()),
      }))),
      abortedTransactions: nullable(array(struct({ // null unless read committed
        producerId: int64(),
        firstOffset: int64(),
      }))),
      preferredReadReplica: since(11, defaults(-1, int32())), // -1: read here
      records: nullable(records()), // may end in a batch that is cut off
    })),
  })),
  nodeEndpoints: since(16, tagged(0, array(struct({
    nodeId: int32(),
    host: string(),
    port: int32(),
    rack: defaults(null, nullable(string())),
  })))),
});
export type FetchResponse = Infer<typeof FetchResponse>;

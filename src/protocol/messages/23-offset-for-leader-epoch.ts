/**
 * OffsetForLeaderEpoch, Kafka protocol key 23. Where a leader epoch ends in the leader's log; how a follower or client finds where it diverged
 * (KIP-101, KIP-279).
 *
 *   v2  the reader's own idea of the epoch, for fencing; throttle time (the least that is answered)
 *   v3  the replica's id
 *   v4  flexible
 */
import { array, defaults, ignorable, int16, int32, int64, request, response, since, string, struct, type Infer } from "../schema.js";

export const OffsetForLeaderEpochRequest = request({ key: 23, versions: [2, 4], flexibleSince: 4 }, {
  replicaId: ignorable(since(3, defaults(-2, int32()))), // -2: old versions, which do not say
  topics: array(struct({
    topic: string(),
    partitions: array(struct({
      partition: int32(),
      currentLeaderEpoch: defaults(-1, int32()), // -1: no fencing
      leaderEpoch: int32(), // whose end is asked for
    })),
  })),
});
export type OffsetForLeaderEpochRequest = Infer<typeof OffsetForLeaderEpochRequest>;

export const OffsetForLeaderEpochResponse = response({ key: 23, versions: [2, 4], flexibleSince: 4 }, {
  throttleTimeMs: int32(),
  topics: array(struct({
    topic: string(),
    partitions: array(struct({
      errorCode: int16(),
      partition: int32(),
      leaderEpoch: defaults(-1, int32()), // the largest that is not above the one asked for
      endOffset: defaults(-1n, int64()), // exclusive; -1: unknown
    })),
  })),
});
export type OffsetForLeaderEpochResponse = Infer<typeof OffsetForLeaderEpochResponse>;

/** OffsetForLeaderEpoch, Kafka protocol key 23. */
import { array, defaults, int16, int32, int64, request, response, since, string, struct, type Infer } from "../schema.js";

export const OffsetForLeaderEpochRequest = request({ key: 23, versions: [2, 4], flexibleSince: 4 }, {
  replicaId: since(3, defaults(-2, int32())),
  topics: array(struct({
    topic: string(),
    partitions: array(struct({
      partition: int32(),
      currentLeaderEpoch: defaults(-1, int32()),
      leaderEpoch: int32(),
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
      leaderEpoch: defaults(-1, int32()),
      endOffset: defaults(-1n, int64()),
    })),
  })),
});
export type OffsetForLeaderEpochResponse = Infer<typeof OffsetForLeaderEpochResponse>;

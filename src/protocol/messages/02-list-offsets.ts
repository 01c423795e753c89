/**
 * ListOffsets, Kafka protocol key 2. Finds offsets by time, or a log's ends.
 *
 *   v1  one offset for each partition (the least that is answered)
 *   v2  isolation level
 *   v3  throttling after the answer
 *   v4  leader epochs (KIP-320)
 *   v5  OFFSET_NOT_AVAILABLE
 *   v6  flexible
 *   v7  timestamp -3: the record of the largest time (KIP-734)
 *   v8  timestamp -4: the local start (KIP-405)
 *   v9  timestamp -5: the end of what is tiered (KIP-1005)
 *   v10 a timeout, for tiered storage (KIP-1075)
 *   v11 timestamp -6: the first offset not yet tiered (KIP-1023)
 */
import { array, defaults, ignorable, int16, int32, int64, int8, request, response, since, string, struct, type Infer } from "../schema.js";

export const ListOffsetsRequest = request({ key: 2, versions: [1, 11], flexibleSince: 6 }, {
  replicaId: int32(), // -1: a consumer
  isolationLevel: since(2, int8()),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      currentLeaderEpoch: ignorable(since(4, defaults(-1, int32()))),
      timestamp: int64(), // below 0: see above, and -1 latest, -2 earliest
    })),
  })),
  timeoutMs: ignorable(since(10, int32())),
});
export type ListOffsetsRequest = Infer<typeof ListOffsetsRequest>;

export const ListOffsetsResponse = response({ key: 2, versions: [1, 11], flexibleSince: 6 }, {
  throttleTimeMs: ignorable(since(2, int32())),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
      timestamp: defaults(-1n, int64()),
      offset: defaults(-1n, int64()), // -1: no record is that late
      leaderEpoch: since(4, defaults(-1, int32())),
    })),
  })),
});
export type ListOffsetsResponse = Infer<typeof ListOffsetsResponse>;

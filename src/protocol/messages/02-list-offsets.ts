/** ListOffsets, Kafka protocol key 2. */
import { array, defaults, int16, int32, int64, int8, request, response, since, string, struct, type Infer } from "../schema.js";

export const ListOffsetsRequest = request({ key: 2, versions: [1, 11], flexibleSince: 6 }, {
  replicaId: int32(),
  isolationLevel: since(2, int8()),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      currentLeaderEpoch: since(4, defaults(-1, int32())),
      timestamp: int64(),
    })),
  })),
  timeoutMs: since(10, int32()),
});
export type ListOffsetsRequest = Infer<typeof ListOffsetsRequest>;

export const ListOffsetsResponse = response({ key: 2, versions: [1, 11], flexibleSince: 6 }, {
  throttleTimeMs: since(2, int32()),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
      timestamp: defaults(-1n, int64()),
      offset: defaults(-1n, int64()),
      leaderEpoch: since(4, defaults(-1, int32())),
    })),
  })),
});
export type ListOffsetsResponse = Infer<typeof ListOffsetsResponse>;

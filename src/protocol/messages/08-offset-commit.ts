/** OffsetCommit, Kafka protocol key 8. */
import { array, between, defaults, int16, int32, int64, nullable, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const OffsetCommitRequest = request({ key: 8, versions: [2, 10], flexibleSince: 8 }, {
  groupId: string(),
  generationIdOrMemberEpoch: defaults(-1, int32()),
  memberId: string(),
  groupInstanceId: since(7, defaults(null, nullable(string()))),
  retentionTimeMs: between(2, 4, defaults(-1n, int64())),
  topics: array(struct({
    name: between(0, 9, string()),
    topicId: since(10, uuid()),
    partitions: array(struct({
      partitionIndex: int32(),
      committedOffset: int64(),
      committedLeaderEpoch: since(6, defaults(-1, int32())),
      committedMetadata: nullable(string()),
    })),
  })),
});
export type OffsetCommitRequest = Infer<typeof OffsetCommitRequest>;

export const OffsetCommitResponse = response({ key: 8, versions: [2, 10], flexibleSince: 8 }, {
  throttleTimeMs: since(3, int32()),
  topics: array(struct({
    name: between(0, 9, string()),
    topicId: since(10, uuid()),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
    })),
  })),
});
export type OffsetCommitResponse = Infer<typeof OffsetCommitResponse>;

/**
 * OffsetCommit, Kafka protocol key 8. Keeps a group's offsets.
 *
 *   v2  retention time for all (the least that is answered)
 *   v3  throttle time
 *   v4  throttling after the answer
 *   v5  retention is the broker's affair (KIP-211)
 *   v6  leader epochs (KIP-320)
 *   v7  static members (KIP-345)
 *   v8  flexible
 *   v9  members of the consumer protocol (KIP-848)
 *   v10 topics by id (KIP-848)
 */
import { array, between, defaults, ignorable, int16, int32, int64, nullable, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const OffsetCommitRequest = request({ key: 8, versions: [2, 10], flexibleSince: 8 }, {
  groupId: string(),
  generationIdOrMemberEpoch: defaults(-1, int32()), // -1: no member, a simple consumer
  memberId: string(),
  groupInstanceId: since(7, defaults(null, nullable(string()))),
  retentionTimeMs: ignorable(between(2, 4, defaults(-1n, int64()))), // -1: the broker's own
  topics: array(struct({
    name: ignorable(between(0, 9, string())),
    topicId: ignorable(since(10, uuid())),
    partitions: array(struct({
      partitionIndex: int32(),
      committedOffset: int64(),
      committedLeaderEpoch: ignorable(since(6, defaults(-1, int32()))), // of the last record that was read; -1: unknown
      committedMetadata: nullable(string()),
    })),
  })),
});
export type OffsetCommitRequest = Infer<typeof OffsetCommitRequest>;

export const OffsetCommitResponse = response({ key: 8, versions: [2, 10], flexibleSince: 8 }, {
  throttleTimeMs: ignorable(since(3, int32())),
  topics: array(struct({
    name: ignorable(between(0, 9, string())),
    topicId: ignorable(since(10, uuid())),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
    })),
  })),
});
export type OffsetCommitResponse = Infer<typeof OffsetCommitResponse>;

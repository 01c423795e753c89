/**
 * OffsetFetch, Kafka protocol key 9. Reads a group's committed offsets.
 *
 *   v1  offsets kept in the log (the least that is answered)
 *   v2  null topics mean all; an error for the group
 *   v3  throttle time
 *   v4  throttling after the answer
 *   v5  leader epochs (KIP-320)
 *   v6  flexible
 *   v7  may ask to wait for open transactions (KIP-447)
 *   v8  several groups (KIP-709)
 *   v9  members of the consumer protocol (KIP-848)
 *   v10 topics by id (KIP-848)
 */
import { array, between, bool, defaults, ignorable, int16, int32, int64, nullable, nullableSince, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const OffsetFetchRequest = request({ key: 9, versions: [1, 10], flexibleSince: 6 }, {
  groupId: between(0, 7, string()),
  topics: between(0, 7, nullableSince(2, array(struct({ // null: all that the group has
    name: string(),
    partitionIndexes: array(int32()),
  })))),
  groups: since(8, array(struct({
    groupId: string(),
    memberId: ignorable(since(9, defaults(null, nullable(string())))),
    memberEpoch: ignorable(since(9, defaults(-1, int32()))),
    topics: nullable(array(struct({ // null: all that the group has
      name: ignorable(between(8, 9, string())),
      topicId: ignorable(since(10, uuid())),
      partitionIndexes: array(int32()),
    }))),
  }))),
  requireStable: since(7, bool()), // refuse while a transaction on the offset is open
});
export type OffsetFetchRequest = Infer<typeof OffsetFetchRequest>;

export const OffsetFetchResponse = response({ key: 9, versions: [1, 10], flexibleSince: 6 }, {
  throttleTimeMs: ignorable(since(3, int32())),
  topics: between(0, 7, array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      committedOffset: int64(), // -1: none, and no error
      committedLeaderEpoch: ignorable(since(5, defaults(-1, int32()))),
      metadata: nullable(string()),
      errorCode: int16(),
    })),
  }))),
  errorCode: ignorable(between(2, 7, int16())), // of the group
  groups: since(8, array(struct({
    groupId: string(),
    topics: array(struct({
      name: ignorable(between(8, 9, string())),
      topicId: ignorable(since(10, uuid())),
      partitions: array(struct({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: defaults(-1, int32()),
        metadata: nullable(string()),
        errorCode: int16(),
      })),
    })),
    errorCode: int16(),
  }))),
});
export type OffsetFetchResponse = Infer<typeof OffsetFetchResponse>;

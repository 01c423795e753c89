/** OffsetFetch, Kafka protocol key 9. */
import { array, between, bool, defaults, int16, int32, int64, nullable, nullableSince, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const OffsetFetchRequest = request({ key: 9, versions: [1, 10], flexibleSince: 6 }, {
  groupId: between(0, 7, string()),
  topics: between(0, 7, nullableSince(2, array(struct({
    name: between(0, 7, string()),
    partitionIndexes: between(0, 7, array(int32())),
  })))),
  groups: since(8, array(struct({
    groupId: since(8, string()),
    memberId: since(9, defaults(null, nullable(string()))),
    memberEpoch: since(9, defaults(-1, int32())),
    topics: since(8, nullable(array(struct({
      name: between(8, 9, string()),
      topicId: since(10, uuid()),
      partitionIndexes: since(8, array(int32())),
    })))),
  }))),
  requireStable: since(7, bool()),
});
export type OffsetFetchRequest = Infer<typeof OffsetFetchRequest>;

export const OffsetFetchResponse = response({ key: 9, versions: [1, 10], flexibleSince: 6 }, {
  throttleTimeMs: since(3, int32()),
  topics: between(0, 7, array(struct({
    name: between(0, 7, string()),
    partitions: between(0, 7, array(struct({
      partitionIndex: between(0, 7, int32()),
      committedOffset: between(0, 7, int64()),
      committedLeaderEpoch: between(5, 7, defaults(-1, int32())),
      metadata: between(0, 7, nullable(string())),
      errorCode: between(0, 7, int16()),
    }))),
  }))),
  errorCode: between(2, 7, int16()),
  groups: since(8, array(struct({
    groupId: since(8, string()),
    topics: since(8, array(struct({
      name: between(8, 9, string()),
      topicId: since(10, uuid()),
      partitions: since(8, array(struct({
        partitionIndex: since(8, int32()),
        committedOffset: since(8, int64()),
        committedLeaderEpoch: since(8, defaults(-1, int32())),
        metadata: since(8, nullable(string())),
        errorCode: since(8, int16()),
      }))),
    }))),
    errorCode: since(8, int16()),
  }))),
});
export type OffsetFetchResponse = Infer<typeof OffsetFetchResponse>;

/**
 * Records of `__consumer_offsets` that hold a group's offset of one partition: key type 1, and type 0 of long ago, which has the same layout.
 * A value of version 4 is what Kafka 4.3 writes; of version 1 where an old client asked for an expiry.
 */
import { between, data, defaults, ignorable, int32, int64, since, string, tagged, uuid, type Infer } from "../schema.js";

export const OffsetCommitKey = data({ versions: [0, 0], flexibleSince: null }, {
  group: string(),
  topic: string(),
  partition: int32(),
});
export type OffsetCommitKey = Infer<typeof OffsetCommitKey>;

export const OffsetCommitValue = data({ versions: [0, 4], flexibleSince: 4 }, {
  offset: int64(),
  leaderEpoch: ignorable(since(3, defaults(-1, int32()))), // of the last record that was read; -1: unknown
  metadata: string(), // whatever the consumer wrote along
  commitTimestamp: int64(), // ms of wall time
  expireTimestamp: ignorable(between(1, 1, defaults(-1n, int64()))), // -1: the broker's retention
  topicId: ignorable(since(4, tagged(0, uuid()))), // zero: committed by name alone
});
export type OffsetCommitValue = Infer<typeof OffsetCommitValue>;

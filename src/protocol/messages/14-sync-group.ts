/**
 * SyncGroup, Kafka protocol key 14. The leader hands in the assignment, everyone gets theirs.
 *
 *   v1  throttle time
 *   v2  throttling after the answer
 *   v3  static members (KIP-345)
 *   v4  flexible
 *   v5  protocol type and name are checked (KIP-559)
 */
import { array, bytes, defaults, ignorable, int16, int32, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const SyncGroupRequest = request({ key: 14, versions: [0, 5], flexibleSince: 4 }, {
  groupId: string(),
  generationId: int32(),
  memberId: string(),
  groupInstanceId: since(3, defaults(null, nullable(string()))),
  protocolType: ignorable(since(5, defaults(null, nullable(string())))),
  protocolName: ignorable(since(5, defaults(null, nullable(string())))),
  assignments: array(struct({ // from the leader only
    memberId: string(),
    assignment: bytes(),
  })),
});
export type SyncGroupRequest = Infer<typeof SyncGroupRequest>;

export const SyncGroupResponse = response({ key: 14, versions: [0, 5], flexibleSince: 4 }, {
  throttleTimeMs: ignorable(since(1, int32())),
  errorCode: int16(),
  protocolType: ignorable(since(5, defaults(null, nullable(string())))),
  protocolName: ignorable(since(5, defaults(null, nullable(string())))),
  assignment: bytes(),
});
export type SyncGroupResponse = Infer<typeof SyncGroupResponse>;

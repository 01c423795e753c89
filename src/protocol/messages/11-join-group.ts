/**
 * JoinGroup, Kafka protocol key 11. Enters a group's next generation; answered when the generation is complete.
 *
 *   v1  a rebalance timeout of its own
 *   v2  throttle time
 *   v3  throttling after the answer
 *   v4  a new member first gets its id and asks again (KIP-394)
 *   v5  static members (KIP-345)
 *   v6  flexible
 *   v7  protocol type and a nullable protocol in the answer
 *   v8  a reason (KIP-800)
 *   v9  a leader may be told not to assign (KIP-814)
 */
import { array, bool, bytes, defaults, ignorable, int16, int32, nullable, nullableSince, request, response, since, string, struct, type Infer } from "../schema.js";

export const JoinGroupRequest = request({ key: 11, versions: [0, 9], flexibleSince: 6 }, {
  groupId: string(),
  sessionTimeoutMs: int32(),
  rebalanceTimeoutMs: ignorable(since(1, defaults(-1, int32()))),
  memberId: string(), // empty: a new member
  groupInstanceId: since(5, defaults(null, nullable(string()))), // makes it a static member
  protocolType: string(),
  protocols: array(struct({ // in order of preference
    name: string(),
    metadata: bytes(), // opaque; consumers put a subscription here
  })),
  reason: ignorable(since(8, defaults(null, nullable(string())))),
});
export type JoinGroupRequest = Infer<typeof JoinGroupRequest>;

export const JoinGroupResponse = response({ key: 11, versions: [0, 9], flexibleSince: 6 }, {
  throttleTimeMs: ignorable(since(2, int32())),
  errorCode: int16(),
  generationId: defaults(-1, int32()),
  protocolType: ignorable(since(7, defaults(null, nullable(string())))),
  protocolName: nullableSince(7, string()),
  leader: string(), // member that assigns
  skipAssignment: since(9, bool()), // a static leader came back and nothing changed
  memberId: string(),
  members: array(struct({ // for the leader only
    memberId: string(),
    groupInstanceId: ignorable(since(5, defaults(null, nullable(string())))),
    metadata: bytes(),
  })),
});
export type JoinGroupResponse = Infer<typeof JoinGroupResponse>;

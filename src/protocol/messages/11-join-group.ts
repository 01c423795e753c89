/** JoinGroup, Kafka protocol key 11. */
import { array, bool, bytes, defaults, int16, int32, nullable, nullableSince, request, response, since, string, struct, type Infer } from "../schema.js";

export const JoinGroupRequest = request({ key: 11, versions: [0, 9], flexibleSince: 6 }, {
  groupId: string(),
  sessionTimeoutMs: int32(),
  rebalanceTimeoutMs: since(1, defaults(-1, int32())),
  memberId: string(),
  groupInstanceId: since(5, defaults(null, nullable(string()))),
  protocolType: string(),
  protocols: array(struct({
    name: string(),
    metadata: bytes(),
  })),
  reason: since(8, defaults(null, nullable(string()))),
});
export type JoinGroupRequest = Infer<typeof JoinGroupRequest>;

export const JoinGroupResponse = response({ key: 11, versions: [0, 9], flexibleSince: 6 }, {
  throttleTimeMs: since(2, int32()),
  errorCode: int16(),
  generationId: defaults(-1, int32()),
  protocolType: since(7, defaults(null, nullable(string()))),
  protocolName: nullableSince(7, string()),
  leader: string(),
  skipAssignment: since(9, bool()),
  memberId: string(),
  members: array(struct({
    memberId: string(),
    groupInstanceId: since(5, defaults(null, nullable(string()))),
    metadata: bytes(),
  })),
});
export type JoinGroupResponse = Infer<typeof JoinGroupResponse>;

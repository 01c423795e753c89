/**
 * LeaveGroup, Kafka protocol key 13. Leaves a group.
 *
 *   v1  throttle time
 *   v2  throttling after the answer
 *   v3  several members, static ones too (KIP-345)
 *   v4  flexible
 *   v5  reasons (KIP-800)
 */
import { array, between, defaults, ignorable, int16, int32, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const LeaveGroupRequest = request({ key: 13, versions: [0, 5], flexibleSince: 4 }, {
  groupId: string(),
  memberId: between(0, 2, string()),
  members: since(3, array(struct({
    memberId: string(),
    groupInstanceId: defaults(null, nullable(string())),
    reason: ignorable(since(5, defaults(null, nullable(string())))),
  }))),
});
export type LeaveGroupRequest = Infer<typeof LeaveGroupRequest>;

export const LeaveGroupResponse = response({ key: 13, versions: [0, 5], flexibleSince: 4 }, {
  throttleTimeMs: ignorable(since(1, int32())),
  errorCode: int16(),
  members: since(3, array(struct({
    memberId: string(),
    groupInstanceId: nullable(string()),
    errorCode: int16(),
  }))),
});
export type LeaveGroupResponse = Infer<typeof LeaveGroupResponse>;

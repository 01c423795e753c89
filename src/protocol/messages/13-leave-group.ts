/** LeaveGroup, Kafka protocol key 13. */
import { array, between, defaults, int16, int32, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const LeaveGroupRequest = request({ key: 13, versions: [0, 5], flexibleSince: 4 }, {
  groupId: string(),
  memberId: between(0, 2, string()),
  members: since(3, array(struct({
    memberId: since(3, string()),
    groupInstanceId: since(3, defaults(null, nullable(string()))),
    reason: since(5, defaults(null, nullable(string()))),
  }))),
});
export type LeaveGroupRequest = Infer<typeof LeaveGroupRequest>;

export const LeaveGroupResponse = response({ key: 13, versions: [0, 5], flexibleSince: 4 }, {
  throttleTimeMs: since(1, int32()),
  errorCode: int16(),
  members: since(3, array(struct({
    memberId: since(3, string()),
    groupInstanceId: since(3, nullable(string())),
    errorCode: since(3, int16()),
  }))),
});
export type LeaveGroupResponse = Infer<typeof LeaveGroupResponse>;

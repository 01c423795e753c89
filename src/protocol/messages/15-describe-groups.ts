/**
 * DescribeGroups, Kafka protocol key 15. Groups of the classic protocol with their members.
 *
 *   v1  throttle time
 *   v2  throttling after the answer
 *   v3  authorised operations (KIP-430)
 *   v4  static members (KIP-345)
 *   v5  flexible
 *   v6  a message, and GROUP_ID_NOT_FOUND for a group that is none (KIP-1043)
 */
import { array, bool, bytes, defaults, ignorable, int16, int32, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeGroupsRequest = request({ key: 15, versions: [0, 6], flexibleSince: 5 }, {
  groups: array(string()),
  includeAuthorizedOperations: since(3, bool()),
});
export type DescribeGroupsRequest = Infer<typeof DescribeGroupsRequest>;

export const DescribeGroupsResponse = response({ key: 15, versions: [0, 6], flexibleSince: 5 }, {
  throttleTimeMs: ignorable(since(1, int32())),
  groups: array(struct({
    errorCode: int16(),
    errorMessage: since(6, defaults(null, nullable(string()))),
    groupId: string(),
    groupState: string(),
    protocolType: string(), // "consumer" for consumers
    protocolData: string(), // the protocol that was chosen; consumers: the assignor
    members: array(struct({
      memberId: string(),
      groupInstanceId: ignorable(since(4, defaults(null, nullable(string())))),
      clientId: string(),
      clientHost: string(),
      memberMetadata: bytes(),
      memberAssignment: bytes(),
    })),
    authorizedOperations: since(3, defaults(-2147483648, int32())),
  })),
});
export type DescribeGroupsResponse = Infer<typeof DescribeGroupsResponse>;

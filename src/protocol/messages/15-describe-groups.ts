/** DescribeGroups, Kafka protocol key 15. */
import { array, bool, bytes, defaults, int16, int32, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeGroupsRequest = request({ key: 15, versions: [0, 6], flexibleSince: 5 }, {
  groups: array(string()),
  includeAuthorizedOperations: since(3, bool()),
});
export type DescribeGroupsRequest = Infer<typeof DescribeGroupsRequest>;

export const DescribeGroupsResponse = response({ key: 15, versions: [0, 6], flexibleSince: 5 }, {
  throttleTimeMs: since(1, int32()),
  groups: array(struct({
    errorCode: int16(),
    errorMessage: since(6, defaults(null, nullable(string()))),
    groupId: string(),
    groupState: string(),
    protocolType: string(),
    protocolData: string(),
    members: array(struct({
      memberId: string(),
      groupInstanceId: since(4, defaults(null, nullable(string()))),
      clientId: string(),
      clientHost: string(),
      memberMetadata: bytes(),
      memberAssignment: bytes(),
    })),
    authorizedOperations: since(3, defaults(-2147483648, int32())),
  })),
});
export type DescribeGroupsResponse = Infer<typeof DescribeGroupsResponse>;

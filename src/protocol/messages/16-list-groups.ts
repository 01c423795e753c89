/**
 * ListGroups, Kafka protocol key 16. The groups of one coordinator.
 *
 *   v1  throttle time
 *   v2  throttling after the answer
 *   v3  flexible
 *   v4  by state (KIP-518)
 *   v5  by type (KIP-848)
 */
import { array, ignorable, int16, int32, request, response, since, string, struct, type Infer } from "../schema.js";

export const ListGroupsRequest = request({ key: 16, versions: [0, 5], flexibleSince: 3 }, {
  statesFilter: since(4, array(string())), // empty: all
  typesFilter: since(5, array(string())),
});
export type ListGroupsRequest = Infer<typeof ListGroupsRequest>;

export const ListGroupsResponse = response({ key: 16, versions: [0, 5], flexibleSince: 3 }, {
  throttleTimeMs: ignorable(since(1, int32())),
  errorCode: int16(),
  groups: array(struct({
    groupId: string(),
    protocolType: string(),
    groupState: ignorable(since(4, string())),
    groupType: ignorable(since(5, string())),
  })),
});
export type ListGroupsResponse = Infer<typeof ListGroupsResponse>;

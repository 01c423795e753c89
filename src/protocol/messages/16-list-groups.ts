/** ListGroups, Kafka protocol key 16. */
import { array, int16, int32, request, response, since, string, struct, type Infer } from "../schema.js";

export const ListGroupsRequest = request({ key: 16, versions: [0, 5], flexibleSince: 3 }, {
  statesFilter: since(4, array(string())),
  typesFilter: since(5, array(string())),
});
export type ListGroupsRequest = Infer<typeof ListGroupsRequest>;

export const ListGroupsResponse = response({ key: 16, versions: [0, 5], flexibleSince: 3 }, {
  throttleTimeMs: since(1, int32()),
  errorCode: int16(),
  groups: array(struct({
    groupId: string(),
    protocolType: string(),
    groupState: since(4, string()),
    groupType: since(5, string()),
  })),
});
export type ListGroupsResponse = Infer<typeof ListGroupsResponse>;

/**
 * DeleteGroups, Kafka protocol key 42. Deletes groups that have no members.
 *
 *   v1  throttling after the answer
 *   v2  flexible
 */
import { array, int16, int32, request, response, string, struct, type Infer } from "../schema.js";

export const DeleteGroupsRequest = request({ key: 42, versions: [0, 2], flexibleSince: 2 }, {
  groupsNames: array(string()),
});
export type DeleteGroupsRequest = Infer<typeof DeleteGroupsRequest>;

export const DeleteGroupsResponse = response({ key: 42, versions: [0, 2], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  results: array(struct({
    groupId: string(),
    errorCode: int16(),
  })),
});
export type DeleteGroupsResponse = Infer<typeof DeleteGroupsResponse>;

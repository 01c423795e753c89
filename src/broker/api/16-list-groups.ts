/** ListGroups: decided by the group coordinator. */
import { ListGroupsRequest, ListGroupsResponse } from "../../protocol/messages/16-list-groups.js";
import { groupContext, handler } from "../handler.js";

export const listGroups = handler(ListGroupsRequest, ListGroupsResponse, async (services, request, context) => ({
  body: await services.groups.listGroups(request, groupContext(context)),
}));

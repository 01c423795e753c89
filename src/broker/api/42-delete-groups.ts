/** DeleteGroups: decided by the group coordinator. */
import { DeleteGroupsRequest, DeleteGroupsResponse } from "../../protocol/messages/42-delete-groups.js";
import { groupContext, handler } from "../handler.js";

export const deleteGroups = handler(DeleteGroupsRequest, DeleteGroupsResponse, async (services, request, context) => ({
  body: await services.groups.deleteGroups(request, groupContext(context)),
}));

/** SyncGroup: decided by the group coordinator. */
import { SyncGroupRequest, SyncGroupResponse } from "../../protocol/messages/14-sync-group.js";
import { groupContext, handler } from "../handler.js";

export const syncGroup = handler(SyncGroupRequest, SyncGroupResponse, async (services, request, context) => ({
  body: await services.groups.syncGroup(request, groupContext(context)),
}));

/** JoinGroup: decided by the group coordinator. */
import { JoinGroupRequest, JoinGroupResponse } from "../../protocol/messages/11-join-group.js";
import { groupContext, handler } from "../handler.js";

export const joinGroup = handler(JoinGroupRequest, JoinGroupResponse, async (services, request, context) => ({
  body: await services.groups.joinGroup(request, groupContext(context)),
}));

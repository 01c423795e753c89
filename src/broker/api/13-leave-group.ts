/** LeaveGroup: decided by the group coordinator. */
import { LeaveGroupRequest, LeaveGroupResponse } from "../../protocol/messages/13-leave-group.js";
import { groupContext, handler } from "../handler.js";

export const leaveGroup = handler(LeaveGroupRequest, LeaveGroupResponse, async (services, request, context) => ({
  body: await services.groups.leaveGroup(request, groupContext(context)),
}));

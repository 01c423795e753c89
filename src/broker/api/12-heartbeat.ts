/** Heartbeat: decided by the group coordinator. */
import { HeartbeatRequest, HeartbeatResponse } from "../../protocol/messages/12-heartbeat.js";
import { groupContext, handler } from "../handler.js";

export const heartbeat = handler(HeartbeatRequest, HeartbeatResponse, async (services, request, context) => ({
  body: await services.groups.heartbeat(request, groupContext(context)),
}));

/** FindCoordinator: decided by the group coordinator. */
import { FindCoordinatorRequest, FindCoordinatorResponse } from "../../protocol/messages/10-find-coordinator.js";
import { groupContext, handler } from "../handler.js";

export const findCoordinator = handler(FindCoordinatorRequest, FindCoordinatorResponse, async (services, request, context) => ({
  body: await services.groups.findCoordinator(request, groupContext(context)),
}));

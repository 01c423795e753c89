/** OffsetDelete: decided by the group coordinator. */
import { OffsetDeleteRequest, OffsetDeleteResponse } from "../../protocol/messages/47-offset-delete.js";
import { groupContext, handler } from "../handler.js";

export const offsetDelete = handler(OffsetDeleteRequest, OffsetDeleteResponse, async (services, request, context) => ({
  body: await services.groups.offsetDelete(request, groupContext(context)),
}));

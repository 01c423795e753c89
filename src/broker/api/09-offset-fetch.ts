/** OffsetFetch: decided by the group coordinator. */
import { OffsetFetchRequest, OffsetFetchResponse } from "../../protocol/messages/09-offset-fetch.js";
import { groupContext, handler } from "../handler.js";

export const offsetFetch = handler(OffsetFetchRequest, OffsetFetchResponse, async (services, request, context) => ({
  body: await services.groups.offsetFetch(request, groupContext(context)),
}));

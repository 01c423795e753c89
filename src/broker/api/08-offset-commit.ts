/** OffsetCommit: decided by the group coordinator. */
import { OffsetCommitRequest, OffsetCommitResponse } from "../../protocol/messages/08-offset-commit.js";
import { groupContext, handler } from "../handler.js";

export const offsetCommit = handler(OffsetCommitRequest, OffsetCommitResponse, async (services, request, context) => ({
  body: await services.groups.offsetCommit(request, groupContext(context)),
}));

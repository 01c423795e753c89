/** DescribeGroups: decided by the group coordinator. */
import { DescribeGroupsRequest, DescribeGroupsResponse } from "../../protocol/messages/15-describe-groups.js";
import { groupContext, handler } from "../handler.js";

export const describeGroups = handler(DescribeGroupsRequest, DescribeGroupsResponse, async (services, request, context) => ({
  body: await services.groups.describeGroups(request, groupContext(context)),
}));

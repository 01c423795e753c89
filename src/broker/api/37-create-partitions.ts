/** CreatePartitions, versions 0-3: more partitions for a topic. */
import { nodeId } from "../../base/ids.js";
import { errorCode } from "../../protocol/errors.js";
import { CreatePartitionsRequest, CreatePartitionsResponse } from "../../protocol/messages/37-create-partitions.js";
import { adminDeadline, refuseTwice } from "../admin.js";
import { handler } from "../handler.js";

export const createPartitions = handler(CreatePartitionsRequest, CreatePartitionsResponse, async (services, request) => {
  const { once, twice } = refuseTwice(request.topics, (topic) => topic.name);
  const reply = await services.coordination.admin(
    {
      kind: "create-partitions",
      validateOnly: request.validateOnly,
      topics: once.map((topic) => ({
        name: topic.name,
        count: topic.count,
        assignments: topic.assignments?.map((one) => one.brokerIds.map((id) => nodeId(Math.max(0, id)))) ?? null,
      })),
    },
    adminDeadline(request.timeoutMs),
  );
  const results = once.map((topic, i) => ({
    name: topic.name,
    errorCode: errorCode(reply.error ?? reply.results[i]?.error ?? "UNKNOWN_SERVER_ERROR"),
    errorMessage: reply.message ?? reply.results[i]?.message ?? null,
  }));
  return { body: { results: [...results, ...twice.map((name) => ({ name, errorCode: errorCode("INVALID_REQUEST"), errorMessage: "the request names this topic more than once" }))] } };
});

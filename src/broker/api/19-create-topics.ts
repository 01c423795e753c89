/** CreateTopics, versions 2-7. v4 defaults for counts of -1, v5 the effective settings in the answer (KIP-525), v7 topic ids. */
import { NO_UUID, nodeId } from "../../base/ids.js";
import type { AdminResult } from "../../coordination/admin.js";
import { errorCode } from "../../protocol/errors.js";
import { CreateTopicsRequest, CreateTopicsResponse } from "../../protocol/messages/19-create-topics.js";
import { adminDeadline, refuseTwice } from "../admin.js";
import { handler } from "../handler.js";

const FROM_TOPIC = 1;
const FROM_DEFAULT = 5;

export const createTopics = handler(CreateTopicsRequest, CreateTopicsResponse, async (services, request) => {
  const { once, twice } = refuseTwice(request.topics, (topic) => topic.name);
  const reply = await services.coordination.admin(
    {
      kind: "create-topics",
      validateOnly: request.validateOnly,
      topics: once.map((topic) => ({
        name: topic.name,
        partitions: topic.numPartitions,
        replicationFactor: topic.replicationFactor,
        assignments: topic.assignments.map((one) => ({ partition: one.partitionIndex, brokers: one.brokerIds.map((id) => nodeId(Math.max(0, id))) })),
        configs: topic.configs,
      })),
    },
    adminDeadline(request.timeoutMs),
  );
  const results: readonly AdminResult[] = reply.error === null ? reply.results : once.map((topic) => ({ name: topic.name, error: reply.error ?? "NONE", message: reply.message }));
  return {
    body: {
      topics: [
        ...results.map((result) => ({
          name: result.name,
          topicId: result.topicId ?? NO_UUID,
          errorCode: errorCode(result.error),
          errorMessage: result.message,
          numPartitions: result.partitionCount ?? -1,
          replicationFactor: result.replicationFactor ?? -1,
          configs: (result.configs ?? []).map((config) => ({ name: config.name, value: config.value, configSource: config.isDefault ? FROM_DEFAULT : FROM_TOPIC })),
        })),
        ...twice.map((name) => ({ name, errorCode: errorCode("INVALID_REQUEST"), errorMessage: "the request names this topic more than once" })),
      ],
    },
  };
});

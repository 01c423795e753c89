/** ElectLeaders, versions 0-2. v0 knows preferred elections only; null asks for all partitions, of which only those elected are listed. */
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import { ElectLeadersRequest, ElectLeadersResponse } from "../../protocol/messages/43-elect-leaders.js";
import { adminDeadline } from "../admin.js";
import { handler } from "../handler.js";

export const electLeaders = handler(ElectLeadersRequest, ElectLeadersResponse, async (services, request, context) => {
  const type = context.version === 0 || request.electionType === 0 ? "preferred" : request.electionType === 1 ? "unclean" : null;
  if (type === null) return { body: { errorCode: errorCode("INVALID_REQUEST") } };
  const partitions = request.topicPartitions?.flatMap((topic) => topic.partitions.map((partition) => ({ topic: topic.topic, partition }))) ?? null;
  const reply = await services.coordination.admin({ kind: "elect-leaders", type, partitions }, adminDeadline(request.timeoutMs));
  const byTopic = new Map<string, { partitionId: number; errorCode: number; errorMessage: string | null }[]>();
  const add = (topic: string, partitionId: number, error: ErrorName, message: string | null) => {
    const list = byTopic.get(topic) ?? [];
    list.push({ partitionId, errorCode: errorCode(error), errorMessage: message });
    byTopic.set(topic, list);
  };
  if (reply.error !== null) for (const one of partitions ?? []) add(one.topic, one.partition, reply.error, reply.message);
  for (const result of reply.results) add(result.name, result.partition ?? 0, result.error, result.message);
  return {
    body: {
      errorCode: errorCode(reply.error ?? "NONE"),
      replicaElectionResults: [...byTopic].map(([topic, partitionResult]) => ({ topic, partitionResult })),
    },
  };
});

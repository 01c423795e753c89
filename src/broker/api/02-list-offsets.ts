/** ListOffsets, versions 1-11. v2 isolation, v4 leader epochs, v7 the largest timestamp (KIP-734), v8 earliest local, v9 latest tiered, v11 earliest pending upload. */
import { errorCode } from "../../protocol/errors.js";
import { ListOffsetsRequest, ListOffsetsResponse } from "../../protocol/messages/02-list-offsets.js";
import { handler } from "../handler.js";

export const listOffsets = handler(ListOffsetsRequest, ListOffsetsResponse, async (services, request, context) => {
  const seen = new Map<string, number>();
  for (const topic of request.topics) for (const one of topic.partitions) seen.set(`${topic.name}/${one.partitionIndex}`, (seen.get(`${topic.name}/${one.partitionIndex}`) ?? 0) + 1);
  const topics = await Promise.all(
    request.topics.map(async (topic) => ({
      name: topic.name,
      partitions: await Promise.all(
        topic.partitions.map(async (one) => {
          const partitionIndex = one.partitionIndex;
          if ((seen.get(`${topic.name}/${partitionIndex}`) ?? 0) > 1) return { partitionIndex, errorCode: errorCode("INVALID_REQUEST") };
          const found = await services.replicas.listOffset(
            { topic: topic.name, partition: partitionIndex },
            { timestamp: one.timestamp, currentEpoch: one.currentLeaderEpoch, isolation: request.isolationLevel === 1 ? "read-committed" : "read-uncommitted", replicaId: request.replicaId, version: context.version },
          );
          if (found.error !== "NONE") return { partitionIndex, errorCode: errorCode(found.error) };
          return { partitionIndex, timestamp: found.timestamp, offset: found.offset, leaderEpoch: found.epoch };
        }),
      ),
    })),
  );
  return { body: { topics } };
});

/** DeleteRecords, versions 0-2: raises the log start on every live replica before it answers. */
import { errorCode } from "../../protocol/errors.js";
import { DeleteRecordsRequest, DeleteRecordsResponse } from "../../protocol/messages/21-delete-records.js";
import { adminDeadline } from "../admin.js";
import { handler } from "../handler.js";

export const deleteRecords = handler(DeleteRecordsRequest, DeleteRecordsResponse, async (services, request) => {
  const timeoutMs = adminDeadline(request.timeoutMs);
  const topics = await Promise.all(
    request.topics.map(async (topic) => ({
      name: topic.name,
      partitions: await Promise.all(
        topic.partitions.map(async (one) => {
          const done = await services.replicas.deleteRecords({ topic: topic.name, partition: one.partitionIndex }, { before: one.offset, timeoutMs });
          return { partitionIndex: one.partitionIndex, lowWatermark: done.lowWatermark, errorCode: errorCode(done.error) };
        }),
      ),
    })),
  );
  return { body: { topics } };
});

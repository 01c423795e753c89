/**
 * DeleteRecords, Kafka protocol key 21. Moves the start of logs up.
 *
 *   v1  throttling after the answer
 *   v2  flexible
 */
import { array, int16, int32, int64, request, response, string, struct, type Infer } from "../schema.js";

export const DeleteRecordsRequest = request({ key: 21, versions: [0, 2], flexibleSince: 2 }, {
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      offset: int64(), // -1: the high watermark
    })),
  })),
  timeoutMs: int32(),
});
export type DeleteRecordsRequest = Infer<typeof DeleteRecordsRequest>;

export const DeleteRecordsResponse = response({ key: 21, versions: [0, 2], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      lowWatermark: int64(),
      errorCode: int16(),
    })),
  })),
});
export type DeleteRecordsResponse = Infer<typeof DeleteRecordsResponse>;

/**
 * OffsetDelete, Kafka protocol key 47. Forgets a group's offsets of partitions that it does not read any more (KIP-496).
 */
import { array, int16, int32, request, response, string, struct, type Infer } from "../schema.js";

export const OffsetDeleteRequest = request({ key: 47, versions: [0, 0], flexibleSince: null }, {
  groupId: string(),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
    })),
  })),
});
export type OffsetDeleteRequest = Infer<typeof OffsetDeleteRequest>;

export const OffsetDeleteResponse = response({ key: 47, versions: [0, 0], flexibleSince: null }, {
  errorCode: int16(),
  throttleTimeMs: int32(),
  topics: array(struct({
    name: string(),
    partitions: array(struct({
      partitionIndex: int32(),
      errorCode: int16(),
    })),
  })),
});
export type OffsetDeleteResponse = Infer<typeof OffsetDeleteResponse>;

/**
 * CreatePartitions, Kafka protocol key 37. Adds partitions to topics.
 *
 *   v1  throttling after the answer
 *   v2  flexible
 *   v3  THROTTLING_QUOTA_EXCEEDED (KIP-599)
 */
import { array, bool, defaults, int16, int32, nullable, request, response, string, struct, type Infer } from "../schema.js";

export const CreatePartitionsRequest = request({ key: 37, versions: [0, 3], flexibleSince: 2 }, {
  topics: array(struct({
    name: string(),
    count: int32(), // afterwards
    assignments: nullable(array(struct({ // of the new ones; null: the controller chooses
      brokerIds: array(int32()),
    }))),
  })),
  timeoutMs: int32(),
  validateOnly: bool(),
});
export type CreatePartitionsRequest = Infer<typeof CreatePartitionsRequest>;

export const CreatePartitionsResponse = response({ key: 37, versions: [0, 3], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  results: array(struct({
    name: string(),
    errorCode: int16(),
    errorMessage: defaults(null, nullable(string())),
  })),
});
export type CreatePartitionsResponse = Infer<typeof CreatePartitionsResponse>;

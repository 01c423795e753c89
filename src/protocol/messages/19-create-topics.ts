/**
 * CreateTopics, Kafka protocol key 19. Creates topics.
 *
 *   v2  throttle time (the least that is answered)
 *   v3  throttling after the answer
 *   v4  -1 for the defaults of partitions and replication (KIP-464)
 *   v5  flexible; the settings in the answer (KIP-525)
 *   v6  THROTTLING_QUOTA_EXCEEDED (KIP-599)
 *   v7  topic ids in the answer
 */
import { array, bool, defaults, ignorable, int16, int32, int8, nullable, request, response, since, string, struct, tagged, uuid, type Infer } from "../schema.js";

export const CreateTopicsRequest = request({ key: 19, versions: [2, 7], flexibleSince: 5 }, {
  topics: array(struct({
    name: string(),
    numPartitions: int32(), // -1: the default, or by the assignments
    replicationFactor: int16(), // likewise
    assignments: array(struct({ // chosen by hand; empty: the controller chooses
      partitionIndex: int32(),
      brokerIds: array(int32()),
    })),
    configs: array(struct({
      name: string(),
      value: nullable(string()),
    })),
  })),
  timeoutMs: defaults(60000, int32()),
  validateOnly: bool(),
});
export type CreateTopicsRequest = Infer<typeof CreateTopicsRequest>;

export const CreateTopicsResponse = response({ key: 19, versions: [2, 7], flexibleSince: 5 }, {
  throttleTimeMs: int32(),
  topics: array(struct({
    name: string(),
    topicId: ignorable(since(7, uuid())),
    errorCode: int16(),
    errorMessage: nullable(string()),
    topicConfigErrorCode: ignorable(since(5, tagged(0, int16()))), // why the settings are not shown
    numPartitions: ignorable(since(5, defaults(-1, int32()))),
    replicationFactor: ignorable(since(5, defaults(-1, int16()))),
    configs: ignorable(since(5, nullable(array(struct({
      name: string(),
      value: nullable(string()),
      readOnly: bool(),
      configSource: defaults(-1, int8()), // as in DescribeConfigs
      isSensitive: bool(),
    }))))),
  })),
});
export type CreateTopicsResponse = Infer<typeof CreateTopicsResponse>;

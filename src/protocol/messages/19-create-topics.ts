/** CreateTopics, Kafka protocol key 19. */
import { array, bool, defaults, int16, int32, int8, nullable, request, response, since, string, struct, tagged, uuid, type Infer } from "../schema.js";

export const CreateTopicsRequest = request({ key: 19, versions: [2, 7], flexibleSince: 5 }, {
  topics: array(struct({
    name: string(),
    numPartitions: int32(),
    replicationFactor: int16(),
    assignments: array(struct({
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
    topicId: since(7, uuid()),
    errorCode: int16(),
    errorMessage: nullable(string()),
    topicConfigErrorCode: since(5, tagged(0, int16())),
    numPartitions: since(5, defaults(-1, int32())),
    replicationFactor: since(5, defaults(-1, int16())),
    configs: since(5, nullable(array(struct({
      name: since(5, string()),
      value: since(5, nullable(string())),
      readOnly: since(5, bool()),
      configSource: since(5, defaults(-1, int8())),
      isSensitive: since(5, bool()),
    })))),
  })),
});
export type CreateTopicsResponse = Infer<typeof CreateTopicsResponse>;

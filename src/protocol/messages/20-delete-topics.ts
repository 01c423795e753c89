/** DeleteTopics, Kafka protocol key 20. */
import { array, between, defaults, int16, int32, nullable, nullableSince, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const DeleteTopicsRequest = request({ key: 20, versions: [1, 6], flexibleSince: 4 }, {
  topics: since(6, array(struct({
    name: since(6, defaults(null, nullable(string()))),
    topicId: since(6, uuid()),
  }))),
  topicNames: between(0, 5, array(string())),
  timeoutMs: int32(),
});
export type DeleteTopicsRequest = Infer<typeof DeleteTopicsRequest>;

export const DeleteTopicsResponse = response({ key: 20, versions: [1, 6], flexibleSince: 4 }, {
  throttleTimeMs: int32(),
  responses: array(struct({
    name: nullableSince(6, string()),
    topicId: since(6, uuid()),
    errorCode: int16(),
    errorMessage: since(5, defaults(null, nullable(string()))),
  })),
});
export type DeleteTopicsResponse = Infer<typeof DeleteTopicsResponse>;

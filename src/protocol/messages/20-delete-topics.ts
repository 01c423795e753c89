/**
 * DeleteTopics, Kafka protocol key 20. Deletes topics.
 *
 *   v1  throttle time (the least that is answered)
 *   v2  throttling after the answer
 *   v3  TOPIC_DELETION_DISABLED
 *   v4  flexible
 *   v5  error messages, THROTTLING_QUOTA_EXCEEDED
 *   v6  topics by id (KIP-516)
 */
import { array, between, defaults, ignorable, int16, int32, nullable, nullableSince, request, response, since, string, struct, uuid, type Infer } from "../schema.js";

export const DeleteTopicsRequest = request({ key: 20, versions: [1, 6], flexibleSince: 4 }, {
  topics: since(6, array(struct({
    name: defaults(null, nullable(string())), // null: by id
    topicId: uuid(),
  }))),
  topicNames: ignorable(between(0, 5, array(string()))),
  timeoutMs: int32(),
});
export type DeleteTopicsRequest = Infer<typeof DeleteTopicsRequest>;

export const DeleteTopicsResponse = response({ key: 20, versions: [1, 6], flexibleSince: 4 }, {
  throttleTimeMs: int32(),
  responses: array(struct({
    name: nullableSince(6, string()),
    topicId: ignorable(since(6, uuid())),
    errorCode: int16(),
    errorMessage: ignorable(since(5, defaults(null, nullable(string())))),
  })),
});
export type DeleteTopicsResponse = Infer<typeof DeleteTopicsResponse>;

/**
 * FindCoordinator, Kafka protocol key 10. Which broker coordinates a group or a transactional id.
 *
 *   v1  transactional ids, an error message, throttle time
 *   v2  throttling after the answer
 *   v3  flexible
 *   v4  several keys (KIP-699)
 *   v5  TRANSACTION_ABORTABLE (KIP-890)
 *   v6  share groups (KIP-932)
 */
import { array, between, ignorable, int16, int32, int8, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const FindCoordinatorRequest = request({ key: 10, versions: [0, 6], flexibleSince: 3 }, {
  key: between(0, 3, string()),
  keyType: since(1, int8()), // 0: group, 1: transactional id, 2: share group partition
  coordinatorKeys: since(4, array(string())),
});
export type FindCoordinatorRequest = Infer<typeof FindCoordinatorRequest>;

export const FindCoordinatorResponse = response({ key: 10, versions: [0, 6], flexibleSince: 3 }, {
  throttleTimeMs: ignorable(since(1, int32())),
  errorCode: between(0, 3, int16()),
  errorMessage: ignorable(between(1, 3, nullable(string()))),
  nodeId: between(0, 3, int32()),
  host: between(0, 3, string()),
  port: between(0, 3, int32()),
  coordinators: since(4, array(struct({
    key: string(),
    nodeId: int32(),
    host: string(),
    port: int32(),
    errorCode: int16(),
    errorMessage: nullable(string()),
  }))),
});
export type FindCoordinatorResponse = Infer<typeof FindCoordinatorResponse>;

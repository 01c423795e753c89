/**
 * Heartbeat, Kafka protocol key 12. A member says it lives, and learns of a rebalance.
 *
 *   v1  throttle time
 *   v2  throttling after the answer
 *   v3  static members (KIP-345)
 *   v4  flexible
 */
import { defaults, ignorable, int16, int32, nullable, request, response, since, string, type Infer } from "../schema.js";

export const HeartbeatRequest = request({ key: 12, versions: [0, 4], flexibleSince: 4 }, {
  groupId: string(),
  generationId: int32(), // the rebalance it took part in
  memberId: string(),
  groupInstanceId: since(3, defaults(null, nullable(string()))), // static membership
});
export type HeartbeatRequest = Infer<typeof HeartbeatRequest>;

export const HeartbeatResponse = response({ key: 12, versions: [0, 4], flexibleSince: 4 }, {
  throttleTimeMs: ignorable(since(1, int32())),
  errorCode: int16(),
});
export type HeartbeatResponse = Infer<typeof HeartbeatResponse>;

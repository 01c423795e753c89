/** Heartbeat, Kafka protocol key 12. */
import { defaults, int16, int32, nullable, request, response, since, string, type Infer } from "../schema.js";

export const HeartbeatRequest = request({ key: 12, versions: [0, 4], flexibleSince: 4 }, {
  groupId: string(),
  generationId: int32(),
  memberId: string(),
  groupInstanceId: since(3, defaults(null, nullable(string()))),
});
export type HeartbeatRequest = Infer<typeof HeartbeatRequest>;

export const HeartbeatResponse = response({ key: 12, versions: [0, 4], flexibleSince: 4 }, {
  throttleTimeMs: since(1, int32()),
  errorCode: int16(),
});
export type HeartbeatResponse = Infer<typeof HeartbeatResponse>;

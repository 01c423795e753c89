/** SyncGroup, Kafka protocol key 14. */
import { array, bytes, defaults, int16, int32, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const SyncGroupRequest = request({ key: 14, versions: [0, 5], flexibleSince: 4 }, {
  groupId: string(),
  generationId: int32(),
  memberId: string(),
  groupInstanceId: since(3, defaults(null, nullable(string()))),
  protocolType: since(5, defaults(null, nullable(string()))),
  protocolName: since(5, defaults(null, nullable(string()))),
  assignments: array(struct({
    memberId: string(),
    assignment: bytes(),
  })),
});
export type SyncGroupRequest = Infer<typeof SyncGroupRequest>;

export const SyncGroupResponse = response({ key: 14, versions: [0, 5], flexibleSince: 4 }, {
  throttleTimeMs: since(1, int32()),
  errorCode: int16(),
  protocolType: since(5, defaults(null, nullable(string()))),
  protocolName: since(5, defaults(null, nullable(string()))),
  assignment: bytes(),
});
export type SyncGroupResponse = Infer<typeof SyncGroupResponse>;

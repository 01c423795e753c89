/** Records of `__consumer_offsets` that hold a classic group with its members, key type 2. Kafka 4.3 writes values of version 3. */
import { array, bytes, data, defaults, ignorable, int32, int64, nullable, since, string, struct, type Infer } from "../schema.js";

export const GroupMetadataKey = data({ versions: [0, 0], flexibleSince: null }, {
  group: string(),
});
export type GroupMetadataKey = Infer<typeof GroupMetadataKey>;

export const GroupMetadataValue = data({ versions: [0, 4], flexibleSince: 4 }, {
  protocolType: string(), // "consumer" for consumers
  generation: int32(),
  protocol: nullable(string()), // null: no generation is complete
  leader: nullable(string()),
  currentStateTimestamp: ignorable(since(2, defaults(-1n, int64()))), // ms of wall time; -1: unknown
  members: array(struct({
    memberId: string(),
    groupInstanceId: ignorable(since(3, defaults(null, nullable(string())))), // a static member
    clientId: string(),
    clientHost: string(),
    rebalanceTimeout: ignorable(since(1, defaults(-1, int32()))),
    sessionTimeout: int32(),
    subscription: bytes(),
    assignment: bytes(),
  })),
});
export type GroupMetadataValue = Infer<typeof GroupMetadataValue>;

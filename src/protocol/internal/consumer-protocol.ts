/** What consumers put into JoinGroup and SyncGroup: version (int16, see prefix.ts) and this. A version above those known here is read as the last one. */
import { array, bytes, data, defaults, ignorable, int32, nullable, since, string, struct, type Infer } from "../schema.js";

export const ConsumerProtocolSubscription = data({ versions: [0, 3], flexibleSince: null }, {
  topics: array(string()),
  userData: defaults(null, nullable(bytes())),
  ownedPartitions: ignorable(since(1, array(struct({ // cooperative rebalancing (KIP-429)
    topic: string(),
    partitions: array(int32()),
  })))),
  generationId: ignorable(since(2, defaults(-1, int32()))), // in which it owned them (KIP-792)
  rackId: ignorable(since(3, defaults(null, nullable(string())))), // KIP-881
});
export type ConsumerProtocolSubscription = Infer<typeof ConsumerProtocolSubscription>;

export const ConsumerProtocolAssignment = data({ versions: [0, 3], flexibleSince: null }, {
  assignedPartitions: array(struct({
    topic: string(),
    partitions: array(int32()),
  })),
  userData: defaults(null, nullable(bytes())),
});
export type ConsumerProtocolAssignment = Infer<typeof ConsumerProtocolAssignment>;

/** What members of a classic group tell each other through the coordinator, and how their leader deals partitions: by ranges, as Kafka's range assignor. */
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from "../../protocol/internal/consumer-protocol.js";
import { Reader } from "../../protocol/reader.js";

export function subscription(topics: readonly string[]): Uint8Array {
  return versioned(ConsumerProtocolSubscription.toBytes({ topics }, 0));
}

export function assignment(partitions: readonly { readonly topic: string; readonly index: number }[]): Uint8Array {
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  return versioned(ConsumerProtocolAssignment.toBytes({ assignedPartitions: topics.map((topic) => ({ topic, partitions: partitions.filter((one) => one.topic === topic).map(({ index }) => index) })) }, 0));
}

/** No bytes: nothing is assigned. */
export function assigned(bytes: Uint8Array): readonly { readonly topic: string; readonly index: number }[] {
  if (bytes.length === 0) return [];
  const { assignedPartitions } = ConsumerProtocolAssignment.read(new Reader(bytes.subarray(2)), 0);
  return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((index) => ({ topic, index })));
}

/** Each topic's partitions in contiguous shares, the first ones one larger. @param members in the order in which they are served */
export function deal(members: readonly string[], topics: readonly { readonly topic: string; readonly partitions: number }[]): ReadonlyMap<string, readonly { readonly topic: string; readonly index: number }[]> {
  const shares = new Map<string, { topic: string; index: number }[]>(members.map((member) => [member, []]));
  for (const { topic, partitions } of topics) {
    for (let index = 0; index < partitions; index++) {
      const member = members[Math.floor((index * members.length) / partitions)];
      if (member !== undefined) shares.get(member)?.push({ topic, index });
    }
  }
  return shares;
}

function versioned(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([0, 0]), bytes]);
}

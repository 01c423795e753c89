/** What a follower asks of a leader, in the shape of a Fetch request. */
import type { Uuid } from "../base/ids.js";
import type { FetchRequest } from "../protocol/messages/01-fetch.js";
import type { Input } from "../protocol/schema.js";

/** Where one partition stands, as the leader was last told. */
export interface Sent {
  readonly offset: number;
  readonly epoch: number;
  readonly lastEpoch: number;
  readonly logStart: number;
}

export interface Listed {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly at: Sent;
}

export interface Asking {
  readonly replica: { readonly id: number; readonly epoch: bigint };
  readonly session: { readonly id: number; readonly epoch: number };
  readonly listed: readonly Listed[];
  /** `topic id/partition` */
  readonly forgotten: Iterable<string>;
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
}

export type FollowerFetch = Input<typeof FetchRequest> & { readonly maxWaitMs: number };

const MIN_BYTES = 1;

export const isSame = (a: Sent, b: Sent): boolean => a.offset === b.offset && a.epoch === b.epoch && a.lastEpoch === b.lastEpoch && a.logStart === b.logStart;

export function followerFetch(asking: Asking): FollowerFetch {
  type Topic = NonNullable<Input<typeof FetchRequest>["topics"]>[number];
  const topics = new Map<string, { topicId: Uuid; partitions: NonNullable<Topic["partitions"]>[number][] }>();
  for (const { topicId, partition, at } of asking.listed) {
    const entry = topics.get(topicId) ?? { topicId, partitions: [] };
    entry.partitions.push({
      partition,
      currentLeaderEpoch: at.epoch,
      fetchOffset: BigInt(at.offset),
      lastFetchedEpoch: at.lastEpoch,
      logStartOffset: BigInt(at.logStart),
      partitionMaxBytes: asking.partitionMaxBytes,
    });
    topics.set(topicId, entry);
  }
  const forgotten = new Map<string, { topicId: Uuid; partitions: number[] }>();
  for (const key of asking.forgotten) {
    const [topicId = "", partition = ""] = key.split("/");
    const entry = forgotten.get(topicId) ?? { topicId: topicId as Uuid, partitions: [] }; // the key was made of one
    entry.partitions.push(Number(partition));
    forgotten.set(topicId, entry);
  }
  return {
    replicaState: { replicaId: asking.replica.id, replicaEpoch: asking.replica.epoch },
    maxWaitMs: asking.maxWaitMs,
    minBytes: MIN_BYTES,
    maxBytes: asking.maxBytes,
    sessionId: asking.session.id,
    sessionEpoch: asking.session.epoch,
    topics: [...topics.values()],
    forgottenTopicsData: [...forgotten.values()],
  };
}

/** OffsetCommit and OffsetFetch: what the requests say in each version, and how the answers are shaped. behaviours.md §7, §17. */
import { NO_UUID, type Uuid } from "../../base/ids.js";
import type { MetadataImage } from "../../metadata/image.js";
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import type { OffsetCommitRequest, OffsetCommitResponse } from "../../protocol/messages/08-offset-commit.js";
import type { OffsetFetchRequest, OffsetFetchResponse } from "../../protocol/messages/09-offset-fetch.js";
import type { Input } from "../../protocol/schema.js";
import type { CommitItem, GroupMachine } from "./group-machine.js";
import { findTopic, sameTopic } from "./topic-names.js";

type CommitAnswer = Input<typeof OffsetCommitResponse>;
type FetchAnswer = Input<typeof OffsetFetchResponse>;

export interface CommitPlan {
  readonly items: readonly CommitItem[];
  /** `error` for the partitions of `items`; the others keep their own. */
  answer(error: ErrorName): CommitAnswer;
}

/** v2-4 may ask for a retention; v6 brought leader epochs, v7 static members, v9 the consumer protocol, v10 topic ids. */
export function planCommit(request: OffsetCommitRequest, version: number, image: MetadataImage, options: { readonly wallMs: number; readonly metadataMaxBytes: number }): CommitPlan {
  const items: CommitItem[] = [];
  const expireMs = version <= 4 && request.retentionTimeMs >= 0n ? options.wallMs + Number(request.retentionTimeMs) : -1;
  const topics = request.topics.map((asked) => {
    const found = findTopic(image, { name: asked.name, id: asked.topicId, byId: version >= 10 });
    const partitions = asked.partitions.map((one): { readonly partitionIndex: number; readonly error: ErrorName | null } => {
      const { partitionIndex } = one;
      if (!found.ok) return { partitionIndex, error: found.error };
      if (found.topic.partition(partitionIndex) === null) return { partitionIndex, error: "UNKNOWN_TOPIC_OR_PARTITION" };
      const metadata = one.committedMetadata ?? "";
      if (Buffer.byteLength(metadata) > options.metadataMaxBytes) return { partitionIndex, error: "OFFSET_METADATA_TOO_LARGE" };
      const value = { offset: one.committedOffset, leaderEpoch: one.committedLeaderEpoch, metadata, commitMs: options.wallMs, expireMs, topicId: found.topic.id };
      items.push({ topic: found.topic.name, partition: partitionIndex, value });
      return { partitionIndex, error: null };
    });
    return { name: asked.name, topicId: asked.topicId, partitions };
  });
  return {
    items,
    answer: (error) => ({
      topics: topics.map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((one) => ({ partitionIndex: one.partitionIndex, errorCode: errorCode(one.error ?? error) })),
      })),
    }),
  };
}

/** One group as v8 asks for it; older versions ask for one in the same words. */
export interface FetchAsk {
  readonly groupId: string;
  readonly topics: readonly { readonly name: string; readonly topicId: Uuid; readonly partitionIndexes: readonly number[] }[] | null; // null: all
}

export interface FetchedGroup {
  readonly groupId: string;
  readonly error: ErrorName;
  readonly topics: readonly { readonly name: string; readonly topicId: Uuid; readonly partitions: readonly FetchedOffset[] }[];
}

interface FetchedOffset {
  readonly partitionIndex: number;
  readonly committedOffset: bigint;
  readonly committedLeaderEpoch: number;
  readonly metadata: string;
  readonly errorCode: number;
}

export function fetchAsks(request: OffsetFetchRequest, version: number): readonly FetchAsk[] {
  if (version >= 8) return request.groups;
  const topics = request.topics?.map((topic) => ({ name: topic.name, topicId: NO_UUID, partitionIndexes: topic.partitionIndexes })) ?? null;
  return [{ groupId: request.groupId, topics }];
}

/** What is applied now; it may be told once it is committed. */
export function readOffsets(machine: GroupMachine, ask: FetchAsk, image: MetadataImage, options: { readonly version: number; readonly requireStable: boolean }): FetchedGroup {
  const byId = options.version >= 10;
  const one = (name: string, topicId: Uuid | null, partitionIndex: number): FetchedOffset => {
    const { value, open } = machine.readOffset(ask.groupId, name, partitionIndex);
    if (open && options.requireStable) return noOffset(partitionIndex, "UNSTABLE_OFFSET_COMMIT");
    if (value === null || !sameTopic(value.topicId, topicId)) return noOffset(partitionIndex, "NONE");
    return { partitionIndex, committedOffset: value.offset, committedLeaderEpoch: value.leaderEpoch, metadata: value.metadata, errorCode: 0 };
  };
  if (ask.topics !== null) {
    const topics = ask.topics.map((asked) => {
      const found = findTopic(image, { name: asked.name, id: asked.topicId, byId });
      const unknown = byId && !found.ok ? found.error : null;
      const name = found.ok ? found.topic.name : asked.name;
      const partitions = asked.partitionIndexes.map((index) => (unknown === null ? one(name, found.ok ? found.topic.id : null, index) : noOffset(index, unknown)));
      return { name: asked.name, topicId: asked.topicId, partitions };
    });
    return { groupId: ask.groupId, error: "NONE", topics };
  }
  const topics = [];
  for (const [name, offsets] of machine.find(ask.groupId)?.book.topics ?? []) {
    const topicId = image.topic(name)?.id ?? null;
    if (byId && topicId === null) continue; // there is no way to name it
    const partitions = [...offsets.keys()].map((index) => one(name, topicId, index)).filter((offset) => offset.committedOffset >= 0n || offset.errorCode !== 0);
    if (partitions.length > 0) topics.push({ name, topicId: topicId ?? NO_UUID, partitions });
  }
  return { groupId: ask.groupId, error: "NONE", topics };
}

/** A group that cannot be asked here. Version 1 has no place for its error but the partitions. */
export function refusedFetch(ask: FetchAsk, error: ErrorName, version: number): FetchedGroup {
  if (version >= 2) return { groupId: ask.groupId, error, topics: [] };
  const topics = (ask.topics ?? []).map((topic) => ({ ...topic, partitions: topic.partitionIndexes.map((index) => noOffset(index, error)) }));
  return { groupId: ask.groupId, error, topics };
}

export function fetchAnswer(groups: readonly FetchedGroup[], version: number): FetchAnswer {
  if (version >= 8) return { groups: groups.map(({ groupId, topics, error }) => ({ groupId, topics, errorCode: errorCode(error) })) };
  const [only] = groups;
  return { topics: only?.topics ?? [], errorCode: errorCode(only?.error ?? "NONE") };
}

function noOffset(partitionIndex: number, error: ErrorName): FetchedOffset {
  return { partitionIndex, committedOffset: -1n, committedLeaderEpoch: -1, metadata: "", errorCode: errorCode(error) };
}

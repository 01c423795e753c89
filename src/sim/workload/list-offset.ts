/** Asks a leader where a log begins, ends, or was at a time. */
import { ListOffsetsRequest, ListOffsetsResponse } from "../../protocol/messages/02-list-offsets.js";
import type { Partition } from "../oracle/history.js";
import type { ClusterView } from "./cluster-view.js";
import type { Body } from "./context.js";

const LIST_MS = 5_000;

/** @returns null if it could not be learned; -1 if no record is so late */
export async function listOffset(body: Body, view: ClusterView, partition: Partition, what: "earliest" | "latest" | { readonly sinceMs: number }): Promise<number | null> {
  const { context, name, versions } = body;
  const leader = view.leader(partition);
  const link = leader === null ? null : await view.live(leader.node);
  if (leader === null || link === null) {
    await view.refresh();
    return null;
  }
  const { epoch } = leader;
  const invokedMs = context.nowMs();
  const timestamp = what === "latest" ? -1n : what === "earliest" ? -2n : BigInt(what.sinceMs);
  const answer = await link.ask(
    ListOffsetsRequest,
    ListOffsetsResponse,
    versions.listOffsets,
    { replicaId: -1, isolationLevel: 0, topics: [{ name: partition.topic, partitions: [{ partitionIndex: partition.index, currentLeaderEpoch: epoch, timestamp }] }], timeoutMs: LIST_MS },
    LIST_MS,
  );
  const found = answer.ok ? answer.body.topics[0]?.partitions[0] : undefined;
  context.tally(!answer.ok ? "info" : found?.errorCode === 0 ? "ok" : "fail");
  if (found === undefined || found.errorCode !== 0) {
    await view.refresh();
    return null;
  }
  const offset = Number(found.offset);
  const atMs = context.nowMs();
  if (what === "latest") context.add({ f: "end", atMs, shown: { reader: name, partition, epoch, invokedMs, end: offset, fetched: false } });
  if (what === "earliest") context.add({ f: "start", atMs, shown: { reader: name, partition, epoch, invokedMs, start: offset } });
  return offset;
}

/** ListOffsets of one partition: behaviours.md §5. */
import type { ErrorName } from "../protocol/errors.js";
import type { Finder } from "./producing.js";
import type { ListOffsetOutcome, Replicas } from "./replicas.js";

const LATEST = -1n;
const EARLIEST = -2n;
const MAX_TIMESTAMP = -3n;
const EARLIEST_LOCAL = -4n;
const LATEST_TIERED = -5n;
const EARLIEST_PENDING_UPLOAD = -6n;
/** The version that brought each special timestamp. */
const SINCE: ReadonlyMap<bigint, number> = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);

export async function listOffset(found: ReturnType<Finder["find"]>, options: Parameters<Replicas["listOffset"]>[1]): Promise<ListOffsetOutcome> {
  if (!found.ok) return refuse(found.error);
  const { replica } = found;
  if (replica.role.name !== "leader") return refuse("NOT_LEADER_OR_FOLLOWER");
  const { view } = replica.role;
  if (options.currentEpoch >= 0 && options.currentEpoch !== view.epoch) return refuse(options.currentEpoch < view.epoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH");
  const { timestamp } = options;
  if (timestamp < EARLIEST_PENDING_UPLOAD || options.version < (SINCE.get(timestamp) ?? 0)) return refuse("UNSUPPORTED_VERSION");

  const { log } = replica;
  const epoch = view.epoch;
  const nothing: ListOffsetOutcome = { error: "NONE", timestamp: -1n, offset: -1n, epoch: -1 };
  const asReplica = options.replicaId >= 0;
  const end = asReplica ? log.writtenEnd : options.isolation === "read-committed" ? replica.lastStable : replica.highWatermark;
  // A new leader that has not caught up with its own reign would tell an end below what clients have seen (KIP-207).
  const behind = !asReplica && view.highWatermark < view.epochStart;
  const unavailable = (): ListOffsetOutcome => refuse(options.version >= 5 ? "OFFSET_NOT_AVAILABLE" : "LEADER_NOT_AVAILABLE");
  if (timestamp === LATEST) return behind ? unavailable() : { error: "NONE", timestamp: -1n, offset: BigInt(end), epoch };
  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) return { error: "NONE", timestamp: -1n, offset: BigInt(log.start), epoch: log.start === log.end ? epoch : epochOfStart(log) };
  if (timestamp === LATEST_TIERED || timestamp === EARLIEST_PENDING_UPLOAD) return nothing;
  const hit = timestamp === MAX_TIMESTAMP ? await log.findMaxTimestamp(end) : await log.findTimestamp(Number(timestamp), end);
  if (hit === null) return behind ? unavailable() : nothing;
  return { error: "NONE", timestamp: BigInt(hit.timestampMs), offset: BigInt(hit.offset), epoch: hit.epoch };
}

function epochOfStart(log: { inspect(): { readonly epochs: readonly { readonly epoch: number; readonly start: number }[] }; readonly start: number }): number {
  return log.inspect().epochs.findLast((one) => one.start <= log.start)?.epoch ?? -1;
}

function refuse(error: Exclude<ErrorName, "NONE"> | ErrorName): ListOffsetOutcome {
  return { error: error === "NONE" ? "UNKNOWN_SERVER_ERROR" : error };
}

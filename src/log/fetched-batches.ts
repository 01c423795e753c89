/** What a follower checks of fetched batches before it appends them. */
import { isIntact, readBatchHeader, splitBatches, type BatchHeader } from "../records/batch.js";
import { LogError } from "./partition-log.js";

export interface FollowerPosition {
  readonly end: number;
  readonly lastEpoch: number;
  readonly fetchEpoch: number;
}

/**
 * Headers of the whole batches that a follower may take, in order. Those of an epoch above the one it fetched with are left out (KAFKA-18723).
 *
 * @throws LogError "corrupt-batch", "not-contiguous"; nothing is to be taken then
 */
export function checkFetched(batches: Uint8Array, log: FollowerPosition): BatchHeader[] {
  const { spans, end } = splitBatches(batches);
  if (end.reason === "bad-length" || end.reason === "bad-magic") throw new LogError("corrupt-batch", `a fetched batch is broken: ${end.reason}`, log.end);
  const headers: BatchHeader[] = [];
  let next = log.end;
  let lastEpoch = log.lastEpoch;
  for (const span of spans) {
    const header = readBatchHeader(batches, span.position);
    if (header.leaderEpoch > log.fetchEpoch) break;
    if (!isIntact(batches, span.position, span.bytes)) throw new LogError("corrupt-batch", `the checksum of fetched batch ${header.baseOffset} disagrees`, header.baseOffset);
    if (header.baseOffset !== next || header.lastOffsetDelta < 0) throw new LogError("not-contiguous", `batch ${header.baseOffset} does not follow ${next}`, header.baseOffset);
    if (header.leaderEpoch < lastEpoch) throw new LogError("not-contiguous", `epoch ${header.leaderEpoch} of batch ${header.baseOffset} follows ${lastEpoch}`, header.baseOffset);
    lastEpoch = header.leaderEpoch;
    next = header.lastOffset + 1;
    headers.push(header);
  }
  return headers;
}

/**
 * What a partition knows of its idempotent producers: the last five batches of each, so that a retry gets its first answer again
 * (record-format.md §7). Rules are pure functions of this state and one batch header; leader, follower and recovery all `apply`, only the leader asks `judge` first.
 */
import { assert } from "../base/assert.js";
import type { BatchHeader } from "../records/batch.js";
import { OpenTransactions, type AbortedTransaction } from "./transactions.js";

/** Five requests of a producer may be in flight. */
export const CACHED_BATCHES = 5;
/** A bound on memory, not a rule of the protocol: the longest unused makes room. */
const PRODUCERS_MAX = 100_000;
const SEQUENCE_MAX = 0x7fffffff;

export interface CachedBatch {
  /** -1 for batches without sequences: what a group coordinator writes in a transaction. */
  readonly lastSequence: number;
  readonly offsetDelta: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
}

export interface Producer {
  epoch: number;
  coordinatorEpoch: number;
  lastTimestampMs: number;
  /** When it was last heard of here; what expiry looks at. */
  usedMs: number;
  /** First offset of its open transaction. */
  openSince: number | null;
  /** Oldest first. */
  batches: CachedBatch[];
}

export type Verdict =
  | { readonly kind: "append" }
  | { readonly kind: "duplicate"; readonly base: number; readonly last: number; readonly timestampMs: number }
  | { readonly kind: "refused"; readonly error: "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_PRODUCER_EPOCH" | "INVALID_TXN_STATE"; readonly message: string };

const APPEND: Verdict = { kind: "append" };

/** What a control batch ends: parsed from its one record. */
export interface Marker {
  readonly commit: boolean;
  readonly coordinatorEpoch: number;
}

export class Producers {
  readonly #byId = new Map<bigint, Producer>();
  readonly transactions = new OpenTransactions();

  get size(): number {
    return this.#byId.size;
  }

  entries(): IterableIterator<[bigint, Producer]> {
    return this.#byId.entries();
  }

  get(id: bigint): Producer | undefined {
    return this.#byId.get(id);
  }

  restore(id: bigint, producer: Producer): void {
    this.#byId.set(id, producer);
    if (producer.openSince !== null) this.transactions.open(id, producer.openSince);
  }

  /** May the leader append this batch of a client? Touches nothing. */
  judge(header: BatchHeader, origin: "client" | "coordinator"): Verdict {
    if (header.producerId < 0n || origin === "coordinator") return APPEND;
    const known = this.#byId.get(header.producerId);
    if (known === undefined) return header.transactional ? refusal("INVALID_TXN_STATE", `producer ${header.producerId} has no verified transaction here`) : APPEND;

    const lastSequence = addSequence(header.baseSequence, header.lastOffsetDelta);
    if (known.epoch === header.producerEpoch) {
      const same = known.batches.find((batch) => batch.lastSequence === lastSequence && firstSequence(batch) === header.baseSequence);
      if (same !== undefined) return { kind: "duplicate", base: same.lastOffset - same.offsetDelta, last: same.lastOffset, timestampMs: same.timestampMs };
    }
    if (header.producerEpoch < known.epoch) {
      return refusal("INVALID_PRODUCER_EPOCH", `epoch ${header.producerEpoch} of producer ${header.producerId} is older than ${known.epoch}`);
    }
    if (header.producerEpoch > known.epoch) {
      if (header.baseSequence !== 0 && known.epoch >= 0) {
        return refusal("OUT_OF_ORDER_SEQUENCE_NUMBER", `producer ${header.producerId} opens epoch ${header.producerEpoch} at sequence ${header.baseSequence}, not at 0`);
      }
    } else {
      const previous = known.batches.at(-1)?.lastSequence ?? -1;
      const expected = previous === -1 ? 0 : addSequence(previous, 1);
      if (header.baseSequence !== expected) {
        return refusal("OUT_OF_ORDER_SEQUENCE_NUMBER", `producer ${header.producerId} sent sequence ${header.baseSequence} where ${expected} comes next`);
      }
    }
    if (header.transactional && known.openSince === null) return refusal("INVALID_TXN_STATE", `producer ${header.producerId} has no verified transaction here`);
    if (!header.transactional && known.openSince !== null) return refusal("INVALID_TXN_STATE", `producer ${header.producerId} has a transaction open here`);
    return APPEND;
  }

  /**
   * Takes a batch that is in the log. Refuses nothing.
   * @param marker of a control batch that ends a transaction, else null
   * @returns the aborted transaction that its marker closes, for the index of aborted transactions
   */
  apply(header: BatchHeader, marker: Marker | null, nowMs: number): AbortedTransaction | null {
    if (header.producerId < 0n || (header.control && marker === null)) return null;
    const known = this.#byId.get(header.producerId) ?? this.#add(header.producerId);
    if (header.producerEpoch !== known.epoch) {
      known.epoch = header.producerEpoch;
      known.batches = [];
    }
    known.lastTimestampMs = header.maxTimestamp;
    known.usedMs = nowMs;
    if (marker !== null) {
      known.coordinatorEpoch = marker.coordinatorEpoch;
      const since = known.openSince;
      known.openSince = null;
      return this.transactions.close(header.producerId, since, { marker: header.lastOffset, commit: marker.commit });
    }

    const lastSequence = header.baseSequence < 0 ? -1 : addSequence(header.baseSequence, header.lastOffsetDelta);
    known.batches.push({ lastSequence, offsetDelta: header.lastOffsetDelta, lastOffset: header.lastOffset, timestampMs: header.maxTimestamp });
    if (known.batches.length > CACHED_BATCHES) known.batches.shift();
    if (header.transactional && known.openSince === null) {
      known.openSince = header.baseOffset;
      this.transactions.open(header.producerId, header.baseOffset);
    }
    return null;
  }

  /** Forgets producers that were not heard of for so long and have no transaction open. @returns how many */
  expire(nowMs: number, expirationMs: number): number {
    let count = 0;
    for (const [id, producer] of this.#byId) {
      if (producer.openSince !== null || nowMs - producer.usedMs < expirationMs) continue;
      this.#byId.delete(id);
      count++;
    }
    return count;
  }

  clear(): void {
    this.#byId.clear();
    this.transactions.clear();
  }

  #add(id: bigint): Producer {
    if (this.#byId.size >= PRODUCERS_MAX) this.#makeRoom();
    const producer: Producer = { epoch: -1, coordinatorEpoch: -1, lastTimestampMs: -1, usedMs: 0, openSince: null, batches: [] };
    this.#byId.set(id, producer);
    return producer;
  }

  /** Drops the longest unused sixteenth at once, so that it is seldom done. */
  #makeRoom(): void {
    const idle = [...this.#byId].filter(([, producer]) => producer.openSince === null).sort(([, a], [, b]) => a.usedMs - b.usedMs);
    for (const [id] of idle.slice(0, PRODUCERS_MAX / 16)) this.#byId.delete(id);
  }
}

/** Sequences wrap from 2147483647 to 0. */
export function addSequence(sequence: number, count: number): number {
  assert(sequence >= 0 && count >= 0, "only real sequences are counted on");
  return sequence > SEQUENCE_MAX - count ? count - (SEQUENCE_MAX - sequence) - 1 : sequence + count;
}

export function firstSequence(batch: CachedBatch): number {
  if (batch.lastSequence < 0) return -1;
  return batch.lastSequence >= batch.offsetDelta ? batch.lastSequence - batch.offsetDelta : SEQUENCE_MAX - (batch.offsetDelta - batch.lastSequence) + 1;
}

function refusal(error: "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_PRODUCER_EPOCH" | "INVALID_TXN_STATE", message: string): Verdict {
  return { kind: "refused", error, message };
}

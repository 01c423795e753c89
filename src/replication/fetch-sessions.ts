/**
 * Incremental fetch sessions, KIP-227: the reader lists what changed, the answer holds what changed. A pure cache; the table of ids and epochs is
 * in behaviours.md §4.
 */
import { NO_UUID, type Uuid } from "../base/ids.js";
import type { ErrorName } from "../protocol/errors.js";
import type { FetchRequest } from "../protocol/messages/01-fetch.js";

export interface SessionPartition {
  readonly topic: string; // "" when asked for by id
  readonly topicId: Uuid;
  readonly partition: number;
  maxBytes: number;
  fetchOffset: bigint;
  logStart: bigint;
  currentEpoch: number;
  lastFetchedEpoch: number;
  /** What the last answer told; -2 before the first. */
  toldHighWatermark: number;
  toldLogStart: number;
  /** A follower's: records were sent from `fetchOffset`; there is nothing for it before it names its next one. */
  awaited: boolean;
}

export interface Session {
  readonly id: number;
  epoch: number; // expected next
  readonly usesIds: boolean;
  /** The broker that follows by it; null for a client's. */
  readonly replica: number | null;
  readonly madeMs: number;
  usedMs: number;
  partitions: Map<string, SessionPartition>;
  /** A follower's: those that may have something to say, longest waiting first. */
  readonly dirty: Set<SessionPartition>;
  /** A follower's: how to stop watching each of them. */
  readonly watches: Map<SessionPartition, () => void>;
  /** Set while a fetch waits. */
  wake: (() => void) | null;
}

export interface Resolved {
  readonly error: ErrorName;
  readonly sessionId: number;
  /** Only what changed is to be answered. */
  readonly incremental: boolean;
  readonly partitions: readonly SessionPartition[];
  /** What this request itself names. */
  readonly listed: readonly SessionPartition[];
  readonly session: Session | null;
  /** Sends served partitions to the end, so that none starves. Null without a session. */
  readonly rotate: ((served: readonly SessionPartition[]) => void) | null;
}

const EVICT_AFTER_MS = 120_000;
const FINAL_EPOCH = -1;

export class FetchSessions {
  readonly #sessions = new Map<number, Session>();

  constructor(readonly slots: () => number, readonly draw: () => number) {}

  get count(): number {
    return this.#sessions.size;
  }

  resolve(request: FetchRequest, options: { readonly version: number; readonly nowMs: number; readonly replica: number | null }): Resolved {
    const usesIds = options.version >= 13;
    if (options.version < 7 || request.sessionEpoch === FINAL_EPOCH || request.sessionEpoch === 0) {
      if (request.sessionId !== 0) this.#end(request.sessionId);
      const partitions = [...listed(request).values()];
      const without: Resolved = { error: "NONE", sessionId: 0, incremental: false, partitions, listed: partitions, session: null, rotate: null };
      if (options.version < 7 || request.sessionEpoch === FINAL_EPOCH) return without;
      const session = this.#make(usesIds, options);
      if (session === null) return without;
      for (const one of partitions) session.partitions.set(keyOf(one), one);
      return { ...without, sessionId: session.id, session, rotate: rotation(session) };
    }
    const session = this.#sessions.get(request.sessionId);
    const refuse = (error: ErrorName): Resolved => ({ error, sessionId: 0, incremental: false, partitions: [], listed: [], session: null, rotate: null });
    if (session === undefined) return refuse("FETCH_SESSION_ID_NOT_FOUND");
    if (request.sessionEpoch !== session.epoch) return refuse("INVALID_FETCH_SESSION_EPOCH");
    if (session.usesIds !== usesIds) return refuse("FETCH_SESSION_TOPIC_ID_ERROR");
    session.epoch = session.epoch === 0x7fffffff ? 1 : session.epoch + 1;
    session.usedMs = options.nowMs;
    for (const topic of request.forgottenTopicsData) for (const partition of topic.partitions) forget(session, keyOf({ topic: topic.topic, topicId: topic.topicId, partition }));
    const named: SessionPartition[] = [];
    for (const [key, one] of listed(request)) {
      const known = session.partitions.get(key);
      if (known === undefined) session.partitions.set(key, one);
      named.push(known ?? one);
      if (known !== undefined && known.currentEpoch !== one.currentEpoch) known.toldHighWatermark = -2; // a follower forgets it with the reign
      if (known !== undefined) Object.assign(known, { maxBytes: one.maxBytes, fetchOffset: one.fetchOffset, logStart: one.logStart, currentEpoch: one.currentEpoch, lastFetchedEpoch: one.lastFetchedEpoch });
    }
    const partitions = session.replica !== null ? [] : [...session.partitions.values()]; // a follower's are looked at as they change
    return { error: "NONE", sessionId: session.id, incremental: true, partitions, listed: named, session, rotate: rotation(session) };
  }

  #end(id: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    for (const stop of session.watches.values()) stop();
    session.watches.clear();
    session.dirty.clear();
  }

  /** Room is made by the oldest unused one, or for a follower by a client's. */
  #make(usesIds: boolean, options: { readonly nowMs: number; readonly replica: number | null }): Session | null {
    // A follower has one session with us: an earlier one belonged to a connection that is gone.
    if (options.replica !== null) for (const one of [...this.#sessions.values()]) if (one.replica === options.replica) this.#end(one.id);
    if (this.#sessions.size >= this.slots()) {
      const stale = [...this.#sessions.values()].sort((a, b) => a.usedMs - b.usedMs).find((one) => options.nowMs - one.usedMs > EVICT_AFTER_MS || (options.replica !== null && one.replica === null));
      if (stale === undefined) return null;
      this.#end(stale.id);
    }
    let id = 0;
    while (id === 0 || this.#sessions.has(id)) id = 1 + Math.floor(this.draw() * 0x7ffffffe);
    const session: Session = { id, epoch: 1, usesIds, replica: options.replica, madeMs: options.nowMs, usedMs: options.nowMs, partitions: new Map(), dirty: new Set(), watches: new Map(), wake: null };
    this.#sessions.set(id, session);
    return session;
  }
}

function listed(request: FetchRequest): Map<string, SessionPartition> {
  const found = new Map<string, SessionPartition>();
  for (const topic of request.topics) {
    for (const one of topic.partitions) {
      const partition: SessionPartition = {
        topic: topic.topic,
        topicId: topic.topicId,
        partition: one.partition,
        maxBytes: one.partitionMaxBytes,
        fetchOffset: one.fetchOffset,
        logStart: one.logStartOffset,
        currentEpoch: one.currentLeaderEpoch,
        lastFetchedEpoch: one.lastFetchedEpoch,
        toldHighWatermark: -2,
        toldLogStart: -2,
        awaited: false,
      };
      found.set(keyOf(partition), partition);
    }
  }
  return found;
}

function keyOf(one: { readonly topic: string; readonly topicId: Uuid; readonly partition: number }): string {
  return `${one.topicId === NO_UUID ? one.topic : one.topicId}/${one.partition}`;
}

function forget(session: Session, key: string): void {
  const one = session.partitions.get(key);
  if (one === undefined) return;
  session.partitions.delete(key);
  session.dirty.delete(one);
  session.watches.get(one)?.();
  session.watches.delete(one);
}

function rotation(session: Session): (served: readonly SessionPartition[]) => void {
  return (served) => {
    for (const one of served) {
      const key = keyOf(one);
      if (session.partitions.delete(key)) session.partitions.set(key, one);
    }
  };
}

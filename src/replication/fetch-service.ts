/** From a decoded FetchRequest to its answer: sessions, who asks, and what is left out of an incremental answer. */
import { NO_UUID, nodeId } from "../base/ids.js";
import type { Coordination } from "../coordination/coordination.js";
import { errorCode, type ErrorName } from "../protocol/errors.js";
import type { FetchRequest, FetchResponse } from "../protocol/messages/01-fetch.js";
import type { Input } from "../protocol/schema.js";
import type { World } from "../world/world.js";
import { FetchSessions, type Session, type SessionPartition } from "./fetch-sessions.js";
import { leaderEndpoints } from "./leader-hints.js";
import { REPLICA_SOFTWARE, versionAsToken } from "./replica-handshake.js";
import type { FetchedPartition, FetchItem, FetchOptions, Replicas } from "./replicas.js";

/** What a connection has said about itself. */
export interface FetchConnection {
  readonly listener: string;
  readonly softwareName: string;
  readonly softwareVersion: string;
  onClose(callback: () => void): () => void;
}

export interface Fetched {
  readonly body: Input<typeof FetchResponse>;
  readonly drop: boolean;
  readonly release: () => void;
}


/** Calls back after each move of a replica led here. */
export interface Watched {
  watch(topicId: SessionPartition["topicId"], partition: number, onMove: () => void): () => void;
}

/** How long a high watermark that has moved waits for records to travel with. */
const NEWS_MS = 10;

export class FetchService {
  readonly sessions: FetchSessions;

  constructor(readonly world: World, readonly replicas: Replicas & Watched, readonly coordination: Coordination, readonly settings: { number(name: string): number }) {
    this.sessions = new FetchSessions(() => settings.number("max.incremental.fetch.session.cache.slots"), () => world.random.fraction());
  }

  async fetch(request: FetchRequest, context: { readonly version: number; readonly clientId: string | null; readonly connection: FetchConnection }): Promise<Fetched> {
    const { version, connection } = context;
    const nothing = (error: ErrorName, drop = false): Fetched => ({ body: { errorCode: errorCode(error), sessionId: 0 }, drop, release: () => undefined });
    const claimed = version >= 15 ? request.replicaState : { replicaId: request.replicaId, replicaEpoch: -1n };
    let replica: { readonly id: ReturnType<typeof nodeId>; readonly brokerEpoch: bigint } | null = null;
    if (claimed.replicaId >= 0) {
      // Otherwise any client could move the high watermark (CVE-2018-1288): v15 on, from a broker, on a connection that has shown its token.
      const from = nodeId(claimed.replicaId);
      const shown = version >= 15 && connection.softwareName === REPLICA_SOFTWARE && this.coordination.checkSessionToken(from, claimed.replicaEpoch, versionAsToken(connection.softwareVersion));
      if (!shown) return nothing("CLUSTER_AUTHORIZATION_FAILED");
      replica = { id: from, brokerEpoch: claimed.replicaEpoch };
    }
    if (request.isolationLevel !== 0 && request.isolationLevel !== 1) return nothing("UNKNOWN_SERVER_ERROR"); // as Kafka 4.3 answers

    const resolved = this.sessions.resolve(request, { version, nowMs: this.world.clock.nowMs(), replica: replica?.id ?? null });
    if (resolved.error !== "NONE") return nothing(resolved.error);
    if (replica !== null && resolved.session !== null) return this.#fetchChanged(request, resolved.session, { listed: resolved.listed, incremental: resolved.incremental, replica, version, connection });
    const items = resolved.partitions.map((one) => itemOf(one, version));
    let forget = () => undefined as unknown;
    const answer = await this.replicas.fetch(items, {
      maxWaitMs: request.maxWaitMs,
      minBytes: request.minBytes,
      maxBytes: Math.min(request.maxBytes, this.settings.number("fetch.max.bytes")),
      isolation: request.isolationLevel === 1 ? "read-committed" : "read-uncommitted",
      version,
      replica,
      onCancel: (cancel) => void (forget = connection.onClose(cancel)),
      incremental: resolved.incremental,
    });
    forget();
    const told = resolved.partitions.map((one, i) => ({ one, found: answer.partitions[i] as FetchedPartition })).filter(({ one, found }) => isNews(one, found, resolved.incremental));
    note(told);
    resolved.rotate?.(told.filter(({ found }) => found.bytes > 0).map(({ one }) => one));
    return { body: { errorCode: 0, sessionId: resolved.sessionId, ...this.#body(told, version, connection.listener) }, drop: false, release: answer.release };
  }

  /**
   * A follower's fetch in a session: a round costs what changed, not what exists. Partitions of the session mark themselves as they move, and only those, and
   * what the request lists, are looked at. What was sent is not sent again before the follower names its next offset: while its disk is busy with one partition
   * it goes on with the others, and leaves that one out. (A session that did send it twice would do no harm: the follower knows what it has asked for.)
   */
  async #fetchChanged(request: FetchRequest, session: Session, round: { readonly listed: readonly SessionPartition[]; readonly incremental: boolean; readonly replica: NonNullable<FetchOptions["replica"]>; readonly version: number; readonly connection: FetchConnection }): Promise<Fetched> {
    const { replica, version, connection } = round;
    const deadline = this.world.clock.nowMs() + request.maxWaitMs;
    session.wake?.(); // one fetch at a time: an earlier one that still waits has lost its reader
    for (const one of round.listed) {
      one.awaited = false;
      session.dirty.add(one);
      if (!session.watches.has(one)) session.watches.set(one, this.replicas.watch(one.topicId, one.partition, () => this.#mark(session, one)));
    }
    let gone = false;
    const forget = connection.onClose(() => {
      gone = true;
      session.wake?.();
    });
    let newsMs = Infinity;
    for (;;) {
      const looked = [...session.dirty];
      session.dirty.clear();
      const answer = await this.replicas.fetch(looked.map((one) => itemOf(one, version)), {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: Math.min(request.maxBytes, this.settings.number("fetch.max.bytes")),
        isolation: "read-uncommitted",
        version,
        replica,
        onCancel: () => undefined,
        incremental: round.incremental,
      });
      const bytes = answer.partitions.reduce((sum, found) => sum + found.bytes, 0);
      const urgent = bytes >= Math.max(1, request.minBytes) || !round.incremental || answer.partitions.some((found) => found.error !== "NONE" || found.diverging !== null);
      const nowMs = this.world.clock.nowMs();
      const news = urgent ? [] : looked.filter((one, i) => isNews(one, answer.partitions[i] as FetchedPartition, true));
      if (news.length > 0) newsMs = Math.min(newsMs, nowMs + NEWS_MS);
      const leftMs = Math.min(deadline, newsMs) - nowMs;
      if (!urgent && leftMs > 0 && !gone) {
        answer.release();
        const moved = session.dirty.size > 0; // while we looked
        for (const one of news) session.dirty.add(one);
        if (!moved) await this.#moveOrDeadline(session, leftMs);
        continue;
      }
      forget();
      const found = looked.map((one, i) => ({ one, found: answer.partitions[i] as FetchedPartition }));
      for (const each of found) {
        if (each.found.bytes > 0) {
          each.one.awaited = true;
          session.dirty.delete(each.one); // it may have moved while we looked
        } else if (bytes > 0 && each.found.error === "NONE") session.dirty.add(each.one); // it may not have fitted
      }
      const told = found.filter((each) => isNews(each.one, each.found, round.incremental));
      note(told);
      return { body: { errorCode: 0, sessionId: session.id, ...this.#body(told, version, connection.listener) }, drop: false, release: answer.release };
    }
  }

  #mark(session: Session, one: SessionPartition): void {
    if (one.awaited) return;
    session.dirty.add(one);
    session.wake?.();
  }

  /** Resolves at the end of the tick in which a partition moved, or when the time is over. */
  #moveOrDeadline(session: Session, leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.world.clock.after(leftMs, () => session.wake?.());
      session.wake = () => {
        session.wake = null;
        timer.cancel();
        this.world.clock.soon(resolve);
      };
    });
  }

  #body(told: readonly { readonly one: SessionPartition; readonly found: FetchedPartition }[], version: number, listener: string): Pick<Input<typeof FetchResponse>, "responses" | "nodeEndpoints"> {
    type Topic = NonNullable<Input<typeof FetchResponse>["responses"]>[number];
    const byTopic = new Map<string, { topic: string; topicId: SessionPartition["topicId"]; partitions: NonNullable<Topic["partitions"]>[number][] }>();
    for (const { one, found } of told) {
      const key = one.topicId === NO_UUID ? one.topic : one.topicId;
      let entry = byTopic.get(key);
      if (entry === undefined) byTopic.set(key, (entry = { topic: one.topic, topicId: one.topicId, partitions: [] }));
      const error: ErrorName = version <= 5 && found.error === "KAFKA_STORAGE_ERROR" ? "NOT_LEADER_OR_FOLLOWER" : found.error;
      entry.partitions.push({
        partitionIndex: one.partition,
        errorCode: errorCode(error),
        highWatermark: BigInt(found.highWatermark),
        lastStableOffset: BigInt(found.lastStable),
        logStartOffset: BigInt(found.logStart),
        abortedTransactions: found.aborted?.map((aborted) => ({ producerId: aborted.producerId, firstOffset: BigInt(aborted.firstOffset) })) ?? null,
        records: found.records?.parts ?? [],
        ...(found.diverging === null ? {} : { divergingEpoch: { epoch: found.diverging.epoch, endOffset: BigInt(found.diverging.end) } }),
        ...(found.currentLeader === null ? {} : { currentLeader: { leaderId: found.currentLeader.id, leaderEpoch: found.currentLeader.epoch } }),
      });
    }
    const hints = told.flatMap(({ found }) => (found.currentLeader === null ? [] : [found.currentLeader.id]));
    return { responses: [...byTopic.values()], nodeEndpoints: leaderEndpoints(this.coordination.image, hints, listener) };
  }
}

function itemOf(one: SessionPartition, version: number): FetchItem {
  return {
    ref: version >= 13 ? { topicId: one.topicId, partition: one.partition } : { topic: one.topic, partition: one.partition },
    fetchOffset: one.fetchOffset,
    currentEpoch: one.currentEpoch,
    lastFetchedEpoch: one.lastFetchedEpoch,
    logStart: one.logStart,
    maxBytes: one.maxBytes,
    knownHighWatermark: null,
  };
}

function note(told: readonly { readonly one: SessionPartition; readonly found: FetchedPartition }[]): void {
  for (const { one, found } of told) {
    one.toldHighWatermark = found.highWatermark;
    one.toldLogStart = found.logStart;
  }
}

/** A full answer holds everything; an incremental one what has records, an error, or something new to tell. */
function isNews(one: SessionPartition, found: FetchedPartition, incremental: boolean): boolean {
  if (!incremental || found.error !== "NONE" || found.diverging !== null || found.bytes > 0) return true;
  return found.highWatermark !== one.toldHighWatermark || found.logStart !== one.toldLogStart;
}


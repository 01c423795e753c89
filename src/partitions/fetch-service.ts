/** From a decoded FetchRequest to its answer: sessions, who asks, and what is left out of an incremental answer. */
import { NO_UUID, nodeId } from "../base/ids.js";
import type { Coordination } from "../coordination/coordination.js";
import { errorCode, type ErrorName } from "../protocol/errors.js";
import type { FetchRequest, FetchResponse } from "../protocol/messages/01-fetch.js";
import type { Input } from "../protocol/schema.js";
import type { World } from "../world/world.js";
import { FetchSessions, type SessionPartition } from "./fetch-sessions.js";
import { leaderEndpoints } from "./leader-hints.js";
import { REPLICA_SOFTWARE, versionAsToken } from "./replica-handshake.js";
import type { FetchedPartition, FetchItem, Replicas } from "../replication/replicas.js";

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


export class FetchService {
  readonly sessions: FetchSessions;

  constructor(readonly world: World, readonly replicas: Replicas, readonly coordination: Coordination, readonly settings: { number(name: string): number }) {
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

    const resolved = this.sessions.resolve(request, { version, nowMs: this.world.clock.nowMs(), replica: replica !== null });
    if (resolved.error !== "NONE") return nothing(resolved.error);
    const items = resolved.partitions.map((one): FetchItem => ({
      ref: version >= 13 ? { topicId: one.topicId, partition: one.partition } : { topic: one.topic, partition: one.partition },
      fetchOffset: one.fetchOffset,
      currentEpoch: one.currentEpoch,
      lastFetchedEpoch: one.lastFetchedEpoch,
      logStart: one.logStart,
      maxBytes: one.maxBytes,
      knownHighWatermark: null,
    }));
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
    for (const { one, found } of told) {
      one.toldHighWatermark = found.highWatermark;
      one.toldLogStart = found.logStart;
    }
    resolved.rotate?.(told.filter(({ found }) => found.bytes > 0).map(({ one }) => one));
    return { body: { errorCode: 0, sessionId: resolved.sessionId, ...this.#body(told, version, connection.listener) }, drop: false, release: answer.release };
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

/** A full answer holds everything; an incremental one what has records, an error, or something new to tell. */
function isNews(one: SessionPartition, found: FetchedPartition, incremental: boolean): boolean {
  if (!incremental || found.error !== "NONE" || found.diverging !== null || found.bytes > 0) return true;
  return found.highWatermark !== one.toldHighWatermark || found.logStart !== one.toldLogStart;
}


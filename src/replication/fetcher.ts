/**
 * Follows all partitions that one broker leads: one connection, one session, one fetch at a time. What came is appended and synced before the partition is
 * named again, so that the offset asked for is what is on this disk. A round waits for its syncs, within bounds: whose sync hangs sits out, in the session but
 * unnamed, and holds nobody else up.
 */
import { BufferPool } from "../base/buffer-pool.js";
import { backoffMs } from "../base/backoff.js";
import { epoch as toEpoch, offset as toOffset, type NodeId } from "../base/ids.js";
import type { Coordination } from "../coordination/coordination.js";
import { LogError } from "../log/partition-log.js";
import { errorName } from "../protocol/errors.js";
import { ProtocolError } from "../protocol/frame.js";
import type { FetchResponse } from "../protocol/messages/01-fetch.js";
import { NetworkFault } from "../world/network.js";
import type { World } from "../world/world.js";
import { ConnectionLost, ReplicaClient } from "./replica-client.js";
import { followerFetch, isSame, type FollowerFetch, type Listed, type Sent } from "./fetch-request.js";
import { onReply } from "./follower-steps.js";
import type { Replica } from "./replica.js";

const REDIAL = { firstMs: 10, maxMs: 500 };
const FETCH_SLACK_MS = 5_000;
/** A partition whose leader refuses it, or whose part could not be used, is left out for so long. */
const DELAY_MS = 50;
/** Newcomers that come one after the other share one new connection. */
const NEWCOMERS_MS = 5;
/** Memory for answers that is kept while nothing comes, and the largest answer it is kept for. */
const FRAMES = { keepMaxBytes: 8 * 1024 * 1024, largestBytes: 8 * 1024 * 1024 };
/**
 * How long a fetch may wait at the leader while a partition of ours cannot take part yet: so long, or this share of the time it could not. A disk that is
 * slow costs a few empty rounds then, and the partition's offset is told little later than it could be.
 */
const UNREADY_WAIT_MS = 20;
const UNREADY_SHARE = 0.25;
/**
 * How long a round waits for its syncs. Long, since going on with those that are ready was measured to be slower, on fast disks and slow ones: groups get smaller,
 * so that a record costs more rounds and more syncs. It bounds what one hanging file does to the others.
 */
const SYNC_PATIENCE_MS = 500;
/** So often in a row a partition may be refused before people are told: about a second. */
const REFUSALS_TOLD = 20;

export interface FetcherSettings {
  number(name: string): number;
}

type PartitionAnswer = FetchResponse["responses"][number]["partitions"][number];

export class Fetcher {
  readonly #replicas = new Map<string, Replica>();
  /** Those that may have something new to list, and how to stop watching each. */
  readonly #changed = new Set<string>();
  readonly #watches = new Map<string, () => void>();
  #client: ReplicaClient | null = null;
  readonly #frames = new BufferPool(FRAMES);
  #session: { id: number; epoch: number; sent: Map<string, Sent> } = { id: 0, epoch: 0, sent: new Map() };
  #running = false;
  #stopped = false;
  #fetching = false;
  #wake: (() => void) | null = null;
  #attempt = 0;
  #newcomers = false;
  /** In the leader's session, and no longer wanted there. */
  readonly #forgotten = new Set<string>();
  /** Left out until then, on the monotonic clock. */
  readonly #delayed = new Map<string, number>();
  /** Since when each cannot take part: its disk has not all of it, or it is being cut. */
  readonly #unready = new Map<string, number>();
  /** How often each was refused in a row. */
  readonly #refusals = new Map<string, number>();

  constructor(readonly world: World, readonly coordination: Coordination, readonly self: NodeId, readonly leader: NodeId, readonly listener: string, readonly settings: FetcherSettings) {}

  get size(): number {
    return this.#replicas.size;
  }

  /** Follows this replica from now on. A fetch that is waiting at the leader is given up, so that the newcomer need not wait for its end. */
  add(replica: Replica): void {
    this.#unwatch(replica.key);
    this.#replicas.set(replica.key, replica);
    const mark = () => void this.#changed.add(replica.key);
    replica.alsoOnMove(mark);
    this.#watches.set(replica.key, () => replica.offMove(mark));
    mark();
    this.#delayed.delete(replica.key);
    if (this.#fetching && !this.#session.sent.has(replica.key)) {
      this.#newcomers = true;
      this.#client?.close();
    }
    this.#wake?.();
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.world.own(this.#run(), `following broker ${this.leader}`);
  }

  /** The image tells of brokers: the leader's address, our registration or its may be there now. */
  onBrokers(): void {
    if (this.#client === null) this.#wake?.();
  }

  remove(replica: Replica): void {
    if (this.#replicas.get(replica.key) !== replica) return;
    this.#unwatch(replica.key);
    this.#replicas.delete(replica.key);
    this.#delayed.delete(replica.key);
    this.#changed.delete(replica.key);
    this.#refusals.delete(replica.key);
    this.#unready.delete(replica.key);
    if (this.#session.sent.has(replica.key)) this.#forgotten.add(replica.key);
  }

  #unwatch(key: string): void {
    this.#watches.get(key)?.();
    this.#watches.delete(key);
  }

  stop(): void {
    this.#stopped = true;
    for (const key of [...this.#watches.keys()]) this.#unwatch(key);
    this.#client?.close();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#replicas.size === 0) {
        this.#drop();
        await this.#pause(null);
        continue;
      }
      try {
        if (await this.#round()) this.#attempt = 0;
      } catch (error) {
        if (!(error instanceof NetworkFault || error instanceof ConnectionLost || error instanceof ProtocolError)) throw error;
        this.#drop();
        if (this.#stopped) break;
        const newcomers = this.#newcomers;
        this.#newcomers = false;
        if (!newcomers && this.#attempt === 0) this.world.logger.info({ leader: this.leader, partitions: this.#replicas.size, detail: error.message }, "the leader cannot be followed right now");
        await this.#pause(newcomers ? NEWCOMERS_MS : backoffMs(this.#attempt++, REDIAL, this.world.random.fraction()));
      }
    }
    this.#drop();
    this.#running = false;
  }

  #drop(): void {
    this.#client?.close();
    this.#client = null;
    this.#session = { id: 0, epoch: 0, sent: new Map() };
    this.#forgotten.clear();
    for (const key of this.#replicas.keys()) this.#changed.add(key);
  }

  /** Waits until woken, or for a time. */
  #pause(delayMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = delayMs === null ? null : this.world.clock.after(delayMs, () => this.#wake?.());
      this.#wake = () => {
        timer?.cancel();
        this.#wake = null;
        resolve();
      };
    });
  }

  /** @returns true when the leader has answered: the next failure is a first one again */
  async #round(): Promise<boolean> {
    const client = this.#client ?? (await this.#connect());
    if (client === null) {
      await this.#pause(backoffMs(this.#attempt++, REDIAL, this.world.random.fraction()));
      return false;
    }
    const request = this.#request();
    if (request === null) {
      await this.#pause(UNREADY_WAIT_MS);
      return false;
    }
    const { maxWaitMs } = request;
    this.#fetching = true;
    let answer: FetchResponse;
    try {
      answer = await client.fetch(request, maxWaitMs + FETCH_SLACK_MS);
    } finally {
      this.#fetching = false;
    }
    if (answer.errorCode !== 0) {
      const error = errorName(answer.errorCode);
      this.world.logger.info({ leader: this.leader, error }, "replica fetch refused");
      this.#drop();
      await this.#pause(backoffMs(this.#attempt++ + 2, REDIAL, this.world.random.fraction()));
      return false;
    }
    this.#session.id = answer.sessionId;
    this.#session.epoch = answer.sessionId === 0 ? 0 : this.#session.epoch + 1;
    const taken = this.#take(answer);
    client.recycle(); // the logs have taken what they need
    await taken;
    if (answer.sessionId === 0) {
      this.#session.sent.clear(); // refused a session: everything is listed each time
      for (const key of this.#replicas.keys()) this.#changed.add(key);
    }
    return true;
  }

  async #connect(): Promise<ReplicaClient | null> {
    const broker = this.coordination.image.broker(this.leader);
    const where = broker?.listeners.find((one) => one.name === this.listener);
    const token = this.coordination.sessionToken(this.leader);
    if (where === undefined || token === null || this.coordination.brokerEpoch === null) return null;
    const client = await ReplicaClient.connect(this.world, where, { clientId: `replica-${this.self}`, token, frames: this.#frames });
    if (this.#stopped) {
      client.close();
      throw new ConnectionLost("stopped");
    }
    this.#client = client;
    return client;
  }

  /** A new session lists everything; afterwards only what has changed. Null when there is nothing to ask for yet. */
  #request(): FollowerFetch | null {
    const { sent } = this.#session;
    const nowMs = this.world.clock.nowMs();
    let maxWaitMs = this.settings.number("replica.fetch.wait.max.ms");
    const forgotten = [...this.#forgotten];
    this.#forgotten.clear();
    for (const key of forgotten) sent.delete(key);
    const listed: Listed[] = [];
    for (const key of [...this.#changed]) {
      const replica = this.#replicas.get(key);
      if (replica === undefined) {
        this.#changed.delete(key);
        continue;
      }
      const { log } = replica;
      const untilMs = this.#delayed.get(key);
      if (untilMs !== undefined && untilMs > nowMs) {
        maxWaitMs = Math.min(maxWaitMs, Math.ceil(untilMs - nowMs));
        continue;
      }
      if (replica.busy || replica.countedEnd < log.end) {
        const sinceMs = this.#unready.get(key) ?? nowMs;
        this.#unready.set(key, sinceMs);
        maxWaitMs = Math.min(maxWaitMs, Math.max(UNREADY_WAIT_MS, Math.ceil((nowMs - sinceMs) * UNREADY_SHARE)));
        continue; // it sits out until its disk holds all that was written
      }
      this.#unready.delete(key);
      this.#delayed.delete(key);
      this.#changed.delete(key);
      const at: Sent = { offset: replica.countedEnd, epoch: replica.epoch, lastEpoch: log.lastEpoch, logStart: log.start };
      const before = sent.get(key);
      if (before !== undefined && isSame(before, at)) continue;
      sent.set(key, at);
      listed.push({ topicId: log.topicId, partition: log.partition, at });
    }
    if (sent.size === 0 && forgotten.length === 0) return null;
    return followerFetch({
      replica: { id: this.self, epoch: this.coordination.brokerEpoch ?? -1n },
      session: this.#session,
      listed,
      forgotten,
      maxWaitMs,
      maxBytes: this.settings.number("replica.fetch.response.max.bytes"),
      partitionMaxBytes: this.settings.number("replica.fetch.max.bytes"),
    });
  }

  /** Appends all; the syncs of one round run together. */
  async #take(answer: FetchResponse): Promise<void> {
    const pending: Promise<void>[] = [];
    for (const topic of answer.responses) {
      for (const one of topic.partitions) {
        const key = `${topic.topicId}/${one.partitionIndex}`;
        const replica = this.#replicas.get(key);
        const sent = this.#session.sent.get(key);
        this.#changed.add(key); // listed again if anything is other than it was
        // The partition may have left us, or begun another epoch, while the answer was on its way (KAFKA-13207).
        if (this.#stopped || replica === undefined || sent === undefined) continue;
        const stands = !replica.busy && replica.role.name === "follower" && replica.role.leader === this.leader && replica.epoch === sent.epoch;
        if (!stands || replica.countedEnd !== sent.offset || replica.log.end !== sent.offset) {
          this.#session.sent.delete(key); // named again in any case: the leader takes what it has sent as read
          continue;
        }
        const wait = this.#takeOne(replica, one, sent);
        if (wait === "delay") {
          this.#noteRefusal(replica, errorName(one.errorCode));
          this.#delayed.set(key, this.world.clock.nowMs() + DELAY_MS);
          this.#forgotten.add(key);
          this.#session.sent.delete(key);
        } else {
          this.#refusals.delete(key);
          if (wait !== null) pending.push(wait);
        }
      }
    }
    if (pending.length > 0) await this.#patience(Promise.all(pending));
  }

  #noteRefusal({ key, topic, partition, log }: Replica, error: string): void {
    const count = (this.#refusals.get(key) ?? 0) + 1;
    this.#refusals.set(key, count);
    if (count % REFUSALS_TOLD === 0) this.world.logger.warn({ leader: this.leader, topic, partition, from: log.end, error, count }, "the leader refuses a partition again and again");
  }

  #patience(synced: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.world.clock.after(SYNC_PATIENCE_MS, resolve);
      const over = synced.then(() => {
        timer.cancel();
        resolve();
      });
      this.world.own(over, "syncs of what was fetched");
    });
  }

  #takeOne(replica: Replica, one: PartitionAnswer, sent: Sent): Promise<void> | "delay" | null {
    const { log } = replica;
    const { epoch: epochOf, endOffset } = one.divergingEpoch;
    const diverging = endOffset >= 0n ? { epoch: epochOf, end: Number(endOffset) } : null;
    const ours = { start: log.start, end: log.end, endOfEpoch: (which: number) => log.endOfEpoch(toEpoch(which)) };
    const step = onReply(ours, { error: errorName(one.errorCode), diverging, logStart: Number(one.logStartOffset) });
    const where = { topic: log.topic, partition: log.partition, from: log.end, highWatermark: replica.highWatermark };
    switch (step.do) {
      case "delay":
        return "delay";
      case "reset":
        this.world.logger.warn({ ...where, to: step.start }, "the leader's log begins after ours ends: starting again there");
        return this.#alone(replica, () => log.resetTo(toOffset(step.start)));
      case "truncate":
        this.world.logger.info({ ...where, to: step.to, epoch: epochOf }, "truncated to where the leader's log parts from ours");
        return this.#alone(replica, () => log.truncateTo(toOffset(step.to)));
      case "append":
        return this.#append(replica, one, sent);
    }
  }

  /** The offset is asked for anew afterwards, even if it came out the same. */
  #alone(replica: Replica, work: () => Promise<void>): Promise<void> {
    this.#session.sent.delete(replica.key);
    return replica.alone(work);
  }

  #append(replica: Replica, one: PartitionAnswer, sent: Sent): Promise<void> | "delay" | null {
    const { log } = replica;
    const { records } = one;
    let wait: Promise<void> | null = null;
    if (records !== null && records.length > 0) {
      try {
        log.appendAsFollower(records, { fetchEpoch: toEpoch(sent.epoch), nowMs: this.world.clock.wallMs() });
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        this.world.logger.error({ topic: log.topic, partition: log.partition, detail: error.message }, "what the leader served cannot be appended: fetched again");
        return "delay";
      }
      if (log.end === sent.offset) return "delay"; // nothing of it could be used: the leader takes it as read, so it is asked for anew
      wait = this.#counted(replica, log.end);
    }
    replica.learnHighWatermark(Number(one.highWatermark));
    if (Number(one.logStartOffset) > log.start) {
      const raise = log.raiseStart(toOffset(Math.min(Number(one.logStartOffset), replica.highWatermark)));
      return wait === null ? raise : Promise.all([wait, raise]).then(() => undefined);
    }
    return wait;
  }

  /** Resolves when this disk holds everything below `end`, or the partition is no longer followed here. */
  #counted(replica: Replica, end: number): Promise<void> {
    if (replica.rules.durable) replica.log.requestSync();
    return new Promise((resolve) => {
      const look = () => {
        if (replica.countedEnd >= end || this.#replicas.get(replica.key) !== replica || this.#stopped) {
          replica.offMove(look);
          resolve();
        }
      };
      replica.alsoOnMove(look);
      look();
    });
  }
}

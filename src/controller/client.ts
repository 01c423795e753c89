/** Coordination over our own quorum: one session with the active controller, one feed from any. Never gives up by itself. */
import { backoffMs } from "../base/backoff.js";
import type { NodeId, Uuid } from "../base/ids.js";
import type { AdminCommand, AdminReply } from "../coordination/admin.js";
import type { BrokerRegistration, Coordination, IsrChange, IsrOutcome, QuorumDescription, Refusal, SessionState } from "../coordination/coordination.js";
import type { ImageChanges, MetadataImage } from "../metadata/image.js";
import { FEATURE_LEVEL } from "../metadata/records.js";
import { checkSessionToken, sessionToken } from "../metadata/session-token.js";
import type { RpcAddress } from "../world/rpc.js";
import type { Timer } from "../world/clock.js";
import type { World } from "../world/world.js";
import { CallStream } from "./call-stream.js";
import { FeedClient } from "./feed-client.js";
import { News } from "./news.js";
import { SESSION, type Question, type Reply } from "./wire.js";

export interface ControllerClientConfig {
  readonly nodeId: NodeId;
  /** Controllers by id. The own node's, if it is one, is asked for the feed first. */
  readonly controllers: readonly { readonly id: NodeId; readonly host: string; readonly port: number }[];
  readonly heartbeatMs: number;
  readonly leaseMs: number;
}

export interface ClientInspection {
  readonly state: SessionState;
  readonly controller: NodeId | null;
  readonly epoch: bigint | null;
  readonly leased: boolean;
  /** When the last answered heartbeat was sent; -Infinity before that. */
  readonly answeredMs: number;
  readonly connected: boolean;
  /** Questions that are not answered yet. */
  readonly open: number;
  /** Callers that wait for a session or for a newer image. */
  readonly waiting: number;
  readonly ends: number;
  readonly lost: number;
  readonly feed: ReturnType<FeedClient["inspect"]>;
}

const REDIAL = { firstMs: 20, maxMs: 200 };
/** Two controllers that take each other for the active one must not make a tight loop. */
const HINT_MS = 5;
/** How long the own feed may lag behind an answer before it goes to another controller. */
const FEED_LAG_MS = 2_000;
const ASK_MS = 10_000;
const CAUGHT_UP_MS = 500;
/** How soon it asks again whether it may go. */
const STOPPING_MS = 20;
const NO_SESSION: Refusal = { ok: false, error: "NOT_CONTROLLER", message: "no controller is active right now" };

type Answer<K extends Reply["kind"]> = Extract<Reply, { kind: K }> | Refusal;

export class ControllerClient implements Coordination {
  readonly #feed: FeedClient;
  readonly #images: ((image: MetadataImage, previous: MetadataImage | null, changes: ImageChanges) => void)[] = [];
  readonly #sessions: ((state: SessionState) => void)[] = [];
  readonly #registered: News;
  readonly #newImage: News;
  #told = false;
  #broker: BrokerRegistration | null = null;
  #call: CallStream<Question, Reply> | null = null;
  #state: SessionState = "registering";
  #epoch: bigint | null = null;
  #controller: NodeId | null = null;
  #hint: NodeId | null = null;
  /** A controller that gave no answer is not gone back to before then: it may be frozen while the others have another one. */
  #shunned: { readonly id: NodeId; readonly untilMs: number } | null = null;
  #turn = 0;
  #attempt = 0;
  #answeredMs = -Infinity;
  #stopping = false;
  #safe: (() => void) | null = null;
  #closed = false;
  #redial: Timer | null = null;
  #nextBeat: Timer | null = null;
  #nextAsk: Timer | null = null;
  #lost: readonly { readonly topicId: Uuid; readonly partition: number }[] = [];
  readonly #ends = new Map<string, { readonly topicId: Uuid; readonly partition: number; readonly lastEpoch: number; readonly end: number }>();
  #beating = false;
  #stuckAt = -1n;
  #stuckMs = 0;

  constructor(readonly world: World, readonly config: ControllerClientConfig) {
    const { controllers, nodeId } = config;
    this.#registered = new News(world);
    this.#newImage = new News(world);
    const own = controllers.filter((one) => one.id === nodeId);
    const addresses: RpcAddress[] = [...own, ...controllers.filter((one) => one.id !== nodeId)];
    this.#feed = new FeedClient(world, addresses, (image, previous, changes) => {
      const first = !this.#told;
      this.#told = true;
      this.#newImage.happened();
      for (const listener of this.#images) listener(image, first ? null : previous, changes);
      this.#beatSoon();
    });
  }

  start(broker: BrokerRegistration): void {
    this.#broker = broker;
    this.#feed.start();
    this.#dial();
    this.#beatLater();
  }

  get brokerEpoch(): bigint | null {
    return this.#epoch;
  }

  get leased(): boolean {
    return this.#state === "active" && this.world.clock.nowMs() - this.#answeredMs < this.config.leaseMs;
  }

  get controller(): NodeId | null {
    return this.#controller;
  }

  get image(): MetadataImage {
    return this.#feed.image;
  }

  onImage(listener: (image: MetadataImage, previous: MetadataImage | null, changes: ImageChanges) => void): void {
    this.#images.push(listener);
  }

  onSession(listener: (state: SessionState) => void): void {
    this.#sessions.push(listener);
  }

  /** Plain data for simulators and tests; no effects. */
  inspect(): ClientInspection {
    return {
      state: this.#state, controller: this.#controller, epoch: this.#epoch, leased: this.leased, answeredMs: this.#answeredMs, open: this.#call?.open ?? 0, connected: this.#call !== null,
      waiting: this.#registered.waiting + this.#newImage.waiting, ends: this.#ends.size, lost: this.#lost.length, feed: this.#feed.inspect(),
    };
  }

  // ---- session

  #dial(): void {
    if (this.#closed || this.#broker === null) return;
    const target = this.#target();
    this.#hint = null;
    if (target === undefined) return;
    const call = new CallStream<Question, Reply>(this.world, this.world.rpc.open(target, SESSION), () => this.#lostSession(call));
    this.#call = call;
    this.world.own(this.#register(call, target.id, this.#broker), "registering with the controller");
  }

  #target(): ControllerClientConfig["controllers"][number] | undefined {
    const { controllers } = this.config;
    const shunned = this.#shunned !== null && this.world.clock.nowMs() < this.#shunned.untilMs ? this.#shunned.id : null;
    const hinted = controllers.find((one) => one.id === this.#hint && one.id !== shunned);
    if (hinted !== undefined) return hinted;
    const next = controllers[this.#turn++ % controllers.length];
    return next?.id === shunned ? controllers[this.#turn++ % controllers.length] : next;
  }

  async #register(call: CallStream<Question, Reply>, at: NodeId, broker: BrokerRegistration): Promise<void> {
    const askedMs = this.world.clock.nowMs();
    const reply = await call.ask({ kind: "register", broker: { ...broker, clusterId: this.image.clusterId, lost: this.#lost, features: { min: 1, max: FEATURE_LEVEL } } }, this.config.leaseMs);
    if (this.#call !== call) return;
    if (reply?.kind === "registered") {
      this.#attempt = 0;
      this.#lost = [];
      this.#controller = at;
      this.#registered.happened();
      const epoch = BigInt(reply.epoch);
      if (epoch !== this.#epoch) this.world.logger.info({ controller: at, epoch }, "registered");
      this.#epoch = epoch;
      this.#answeredMs = askedMs;
      this.#move(reply.fenced ? "fenced" : "active");
      this.#beatSoon();
      return;
    }
    if (reply?.kind === "not-active") this.#hint = reply.leader === at ? null : reply.leader;
    if (reply?.kind === "refused" && reply.error !== "REQUEST_TIMED_OUT") this.world.logger.warn({ controller: at, error: reply.error, detail: reply.message }, "registration refused");
    call.close();
  }

  #lostSession(call: CallStream<Question, Reply>): void {
    if (this.#call !== call) return;
    this.#call = null;
    if (this.#controller !== null) this.#move("lost");
    this.#controller = null;
    if (this.#closed) return;
    const delayMs = this.#hint !== null && this.#hint !== this.#shunned?.id ? HINT_MS : backoffMs(this.#attempt++, REDIAL, this.world.random.fraction());
    this.#redial = this.world.clock.after(delayMs, () => this.#dial());
  }

  #move(state: SessionState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#sessions) listener(state);
  }

  #beatLater(): void {
    this.#nextBeat = this.world.clock.after(this.config.heartbeatMs, () => {
      this.#beatSoon();
      this.#beatLater();
    });
  }

  /** One heartbeat under way at a time; news (a new image while fenced, the wish to stop) need not wait for the next turn. */
  #beatSoon(): void {
    if (this.#beating || this.#call === null || this.#controller === null || this.#closed) return;
    this.#beating = true;
    this.world.own(this.#beat(this.#call), "heartbeat");
  }

  async #beat(call: CallStream<Question, Reply>): Promise<void> {
    const applied = this.image.position;
    const askedMs = this.world.clock.nowMs();
    const stopping = this.#stopping;
    const ends = [...this.#ends.values()].filter((one) => isOpen(this.image, one.topicId, one.partition));
    const reply = await call.ask({ kind: "heartbeat", applied, stopping, ends }, this.config.leaseMs / 2);
    this.#beating = false;
    if (this.#call !== call) return;
    if (reply?.kind === "heartbeat") {
      this.#answeredMs = askedMs; // the lease counts from when we are known to have lived
      this.#watchFeed(reply.position);
      this.#move(stopping ? "stopping" : reply.fenced ? "fenced" : "active");
      if (stopping && reply.safeToStop) this.#safe?.();
      else if (stopping && !this.#closed) this.#nextAsk = this.world.clock.after(STOPPING_MS, () => this.#beatSoon());
      const more = (reply.fenced && this.image.position !== applied && this.image.position >= (this.#epoch ?? 0n)) || (this.#stopping && !stopping);
      if (more) this.#beatSoon();
      return;
    }
    if (reply === null) return this.#forsake(call);
    if (reply.kind === "not-active") this.#hint = reply.leader;
    call.close(); // another incarnation, or not the active one: begin again
  }

  /**
   * No answer for half a lease. Who hangs does not see the stream out either, so its end is not waited for: the lease is as long as the successor waits
   * for us, and everything from the first silence to a session there has to fit into it.
   */
  #forsake(call: CallStream<Question, Reply>): void {
    if (this.#controller !== null) this.#shunned = { id: this.#controller, untilMs: this.world.clock.nowMs() + this.config.leaseMs };
    call.abandon();
    this.#lostSession(call);
  }

  /** A feed whose controller hangs brings no news and no end: answers of the active one tell how far we should be. */
  #watchFeed(position: bigint): void {
    const now = this.world.clock.nowMs();
    if (this.image.position >= position || this.image.position !== this.#stuckAt) {
      this.#stuckAt = this.image.position;
      this.#stuckMs = now;
    } else if (now - this.#stuckMs > FEED_LAG_MS) {
      this.#stuckMs = now;
      this.#feed.goElsewhere();
    }
  }

  async #ask<K extends Reply["kind"]>(question: Question, want: K, deadlineMs: number): Promise<Answer<K>> {
    const call = this.#call;
    if (call === null || this.#controller === null) return this.#whenRegistered(question, want, deadlineMs);
    const reply = await call.ask(question, deadlineMs);
    if (reply === null) return { ok: false, error: "REQUEST_TIMED_OUT", message: "the controller did not answer: it may or may not have happened" };
    if (reply.kind === want) return reply as Extract<Reply, { kind: K }>; // kinds are compared above
    if (reply.kind === "refused") return { ok: false, error: reply.error, message: reply.message };
    if (reply.kind === "not-active") {
      this.#hint = reply.leader;
      call.close();
    }
    return NO_SESSION;
  }

  /** Waits for a session, within the deadline, then asks once. */
  async #whenRegistered<K extends Reply["kind"]>(question: Question, want: K, deadlineMs: number): Promise<Answer<K>> {
    const deadline = this.world.clock.nowMs() + deadlineMs;
    while (this.#controller === null || this.#call === null) {
      const leftMs = deadline - this.world.clock.nowMs();
      if (leftMs <= 0 || this.#closed) return NO_SESSION;
      await this.#registered.wait(leftMs);
    }
    return this.#ask(question, want, Math.max(1, deadline - this.world.clock.nowMs()));
  }

  // ---- what brokers ask

  async alterIsr(changes: readonly IsrChange[]): Promise<readonly IsrOutcome[]> {
    const reply = await this.#ask({ kind: "alter-isr", changes }, "alter-isr", ASK_MS);
    return "kind" in reply ? reply.outcomes : changes.map(() => ({ ok: false, error: "REQUEST_TIMED_OUT" }));
  }

  async allocateProducerIds(): Promise<{ readonly ok: true; readonly first: bigint; readonly count: number } | Refusal> {
    const reply = await this.#ask({ kind: "producer-ids" }, "producer-ids", ASK_MS);
    return "kind" in reply ? { ok: true, first: BigInt(reply.first), count: reply.count } : reply;
  }

  /** NOT_CONTROLLER means that nothing has happened: asked again, within the deadline. */
  async admin(command: AdminCommand, deadlineMs: number): Promise<AdminReply> {
    const deadline = this.world.clock.nowMs() + deadlineMs;
    for (;;) {
      const reply = await this.#ask({ kind: "admin", command }, "admin", Math.max(1, deadline - this.world.clock.nowMs()));
      if ("kind" in reply) {
        await this.#caughtUp(reply.position, Math.min(deadline, this.world.clock.nowMs() + CAUGHT_UP_MS));
        return reply.reply;
      }
      const again = reply.error === "NOT_CONTROLLER" && this.world.clock.nowMs() < deadline && !this.#closed;
      if (!again) return { error: reply.error === "NOT_CONTROLLER" ? "REQUEST_TIMED_OUT" : reply.error, message: reply.message, results: [] };
      await this.world.clock.sleep(20);
    }
  }

  /** The answer is committed; a moment for our own image to show it spares clients a retry. */
  async #caughtUp(position: bigint, deadline: number): Promise<void> {
    for (let leftMs = deadline - this.world.clock.nowMs(); this.image.position < position && leftMs > 0 && !this.#closed; leftMs = deadline - this.world.clock.nowMs()) await this.#newImage.wait(leftMs);
  }

  async describeQuorum(deadlineMs: number): Promise<QuorumDescription | Refusal> {
    const reply = await this.#ask({ kind: "describe-quorum" }, "describe-quorum", deadlineMs);
    return "kind" in reply ? reply.quorum : reply;
  }

  async confirmLease(deadlineMs: number): Promise<boolean> {
    const reply = await this.#ask({ kind: "confirm" }, "confirm", deadlineMs);
    return "kind" in reply && reply.ok;
  }

  sessionToken(to: NodeId): string | null {
    return sessionToken(this.#feed.image, this.config.nodeId, to);
  }

  checkSessionToken(from: NodeId, brokerEpoch: bigint, token: string): boolean {
    return checkSessionToken(this.#feed.image, { from, brokerEpoch, to: this.config.nodeId }, token);
  }

  reportLost(partitions: readonly { readonly topicId: Uuid; readonly partition: number }[]): void {
    this.#lost = [...this.#lost, ...partitions];
  }

  reportEnds(partitions: readonly { readonly topicId: Uuid; readonly partition: number; readonly lastEpoch: number; readonly end: number }[]): void {
    for (const one of partitions) this.#ends.set(`${one.topicId}/${one.partition}`, one);
    this.#beatSoon();
  }

  stopping(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    return new Promise((resolve) => {
      const timer = this.world.clock.after(deadlineMs, resolve);
      this.#safe = () => {
        timer.cancel();
        resolve();
      };
      if (this.#state === "registering" || this.#call === null) this.#safe();
      else this.#beatSoon();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of [this.#redial, this.#nextBeat, this.#nextAsk]) timer?.cancel();
    this.#registered.happened();
    this.#newImage.happened();
    this.#feed.close();
    this.#call?.tell({ kind: "goodbye" });
    this.#call?.close();
    await this.world.clock.yield();
  }
}

/** Does this partition still wait for the ends of its replicas? */
function isOpen(image: MetadataImage, topicId: Uuid, partition: number): boolean {
  const p = image.topicById(topicId)?.partition(partition) ?? null;
  return p !== null && p.leader === null && p.isr.length === 0 && p.elr.length === 0;
}

/**
 * Writes to every partition of a topic as librdkafka and the Java producer do: batches of a partition go to its leader in order, at most `inFlight`
 * unanswered; what fails for a reason that may pass is sent again, byte for byte. An idempotent producer numbers its batches, sends none past one that it
 * has to repeat, and never leaves a gap: a batch that it must give up ends its identity, and it goes on as a new producer with a new id.
 */
import { errorName, type ErrorName } from "../../protocol/errors.js";
import { ProduceRequest, ProduceResponse } from "../../protocol/messages/00-produce.js";
import { InitProducerIdRequest, InitProducerIdResponse } from "../../protocol/messages/22-init-producer-id.js";
import type { Uuid } from "../../base/ids.js";
import { type NewRecord, buildBatch } from "../../records/builder.js";
import { type Partition, valueOf, type Write, type Writer } from "../oracle/history.js";
import { outcomeOf, outcomeOfAll } from "../oracle/outcomes.js";
import type { ClientPlan } from "../plan.js";
import { ClusterView, type Leader } from "./cluster-view.js";
import type { Actor, Body } from "./context.js";
import type { Answer, Link } from "./link.js";
import { payload } from "./payload.js";

export type ProducerPlan = Extract<ClientPlan, { kind: "producer" }>;

/** One batch on its way. */
interface Flight {
  readonly write: Write;
  readonly bytes: Uint8Array;
  readonly giveUpMs: number;
  state: "waits" | "in-flight" | "over";
}

interface Lane {
  readonly partition: Partition;
  readonly queue: Flight[];
  last: Write | null;
  sequence: number;
  /** Something of this identity was acknowledged here: the leader knows the producer. */
  known: boolean;
  pumping: boolean;
}

interface Identity {
  readonly writer: Writer;
  readonly producer: { readonly id: bigint; readonly epoch: number } | null;
}

const SEQUENCES = 2 ** 31;
const RETRY_MS = 100;
const INIT_MS = 5_000;

/** Another try cannot help. */
const FATAL: ReadonlySet<ErrorName> = new Set<ErrorName>([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_REQUIRED_ACKS",
  "INVALID_TOPIC_EXCEPTION",
  "INVALID_TIMESTAMP",
  "INVALID_RECORD",
  "INVALID_PRODUCER_EPOCH",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_TXN_STATE",
  "UNSUPPORTED_FOR_MESSAGE_FORMAT",
  "UNSUPPORTED_COMPRESSION_TYPE",
  "POLICY_VIOLATION",
]);

export class Producer implements Actor {
  readonly #view: ClusterView;
  readonly #lanes: Lane[] = [];
  readonly #giveUpAfterMs: number;
  readonly #retries: number;
  /** Brokers answer with their own timeout before we give up on the connection, or at the same time. */
  readonly #brokerTimeoutMs: number;
  #identity: Identity | null = null;
  #renewing = false;
  #dead = false;

  constructor(readonly body: Body, readonly plan: ProducerPlan) {
    this.#view = new ClusterView(body, new Set([plan.topic]));
    const draws = body.draws.fork("habits");
    this.#giveUpAfterMs = draws.pick([10_000, 30_000]);
    this.#retries = plan.idempotent ? Infinity : draws.pick([0, 0, 3, 20]);
    this.#brokerTimeoutMs = Math.round(plan.requestTimeoutMs * draws.pick([0.5, 0.8, 1]));
  }

  async run(): Promise<void> {
    const { world } = this.body;
    while (!this.#view.knows) {
      await world.clock.sleep(this.body.draws.between(100, 400));
      await this.#view.refresh();
    }
    for (const partition of this.#view.partitions(this.plan.topic)) this.#lanes.push({ partition, queue: [], last: null, sequence: 0, known: false, pumping: false });
    await this.#renew();
    for (const lane of this.#lanes) this.#tick(lane);
  }

  died(): void {
    this.#dead = true;
    for (const lane of this.#lanes) for (const flight of lane.queue) this.#end(flight, flight.state === "in-flight" ? "info" : outcomeOfAll(flight.write), "its producer died");
  }

  get isQuiet(): boolean {
    return this.#lanes.every((lane) => lane.queue.length === 0);
  }

  inspect(): object {
    return { writer: this.#identity?.writer.number ?? null, queues: this.#lanes.map((lane) => `${lane.partition.text}: ${lane.queue.map(({ write, state }) => `${write.index} ${state}`).join(", ")}`) };
  }

  // ------------------------------------------------------------------------------------------------------------ identity

  /** A new numbering of values and, if it is idempotent, a new producer id. */
  async #renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const { context, world, draws, name } = this.body;
    this.#identity = null;
    const producer = this.plan.idempotent ? await this.#producerId() : null;
    const writer = context.writer(name, { idempotent: this.plan.idempotent, perBatch: this.plan.recordsPerBatch });
    for (const lane of this.#lanes) {
      lane.last = null;
      lane.sequence = 0;
      lane.known = false;
    }
    this.#identity = { writer, producer };
    this.#renewing = false;
    await world.clock.sleep(draws.between(0, 20));
  }

  async #producerId(): Promise<{ readonly id: bigint; readonly epoch: number }> {
    const { context, world, draws, versions } = this.body;
    for (;;) {
      const link = await this.#view.any();
      if (link !== null) {
        const answer = await link.ask(InitProducerIdRequest, InitProducerIdResponse, versions.initProducerId, { transactionalId: null, transactionTimeoutMs: 0 }, INIT_MS);
        context.tally(!answer.ok ? "info" : answer.body.errorCode === 0 ? "ok" : "fail");
        if (answer.ok && answer.body.errorCode === 0) return { id: answer.body.producerId, epoch: answer.body.producerEpoch };
      }
      await world.clock.sleep(draws.between(RETRY_MS, RETRY_MS * 3));
    }
  }

  /** Gives up all that is under way and begins anew. */
  #fall(why: string): void {
    if (this.#renewing) return;
    for (const lane of this.#lanes) {
      for (const flight of [...lane.queue]) {
        if (flight.state === "in-flight") flight.write.unknowns++;
        this.#end(flight, outcomeOfAll(flight.write), why);
      }
      lane.queue.length = 0;
    }
    this.body.world.own(this.#renew(), "a new producer id");
  }

  // ------------------------------------------------------------------------------------------------------------ batches

  #tick(lane: Lane): void {
    const { world, context, draws } = this.body;
    if (context.stopping) return;
    const identity = this.#identity;
    if (identity !== null && lane.queue.length < this.plan.inFlight) {
      lane.queue.push(this.#batch(lane, identity));
      this.#pump(lane);
    }
    world.clock.after(draws.around(this.plan.everyMs, this.plan.everyMs * 10), () => this.#tick(lane));
  }

  #batch(lane: Lane, { writer, producer }: Identity): Flight {
    const { context, world } = this.body;
    const { acks, recordsPerBatch: count, recordBytes, codec } = this.plan;
    const write = context.invokeWrite(writer, lane.partition, { count, acks, before: lane.last });
    const wallMs = world.clock.wallMs();
    const records: NewRecord[] = [];
    for (let i = 0; i < count; i++) records.push({ key: null, value: payload(valueOf(writer.number, write.index * count + i), recordBytes), timestamp: wallMs });
    const bytes = buildBatch(records, { codec, ...(producer === null ? {} : { producer: { ...producer, sequence: lane.sequence } }) });
    lane.last = write;
    lane.sequence = (lane.sequence + count) % SEQUENCES;
    return { write, bytes, giveUpMs: world.clock.nowMs() + this.#giveUpAfterMs, state: "waits" };
  }

  #pump(lane: Lane): void {
    if (lane.pumping) return;
    lane.pumping = true;
    this.body.world.own(
      this.#send(lane).finally(() => {
        lane.pumping = false;
      }),
      "sending batches",
    );
  }

  /** Sends what may go now, in order. */
  async #send(lane: Lane): Promise<void> {
    const { world, draws } = this.body;
    for (;;) {
      if (this.#next(lane) === null) return;
      const leader = this.#view.leader(lane.partition);
      const link = leader === null ? null : await this.#view.live(leader.node);
      const flight = this.#next(lane); // time has passed
      if (flight === null) return;
      if (leader === null || link === null) {
        await this.#view.refresh();
        await world.clock.sleep(draws.between(RETRY_MS / 2, RETRY_MS));
      } else this.#write(lane, flight, leader, link);
    }
  }

  #next(lane: Lane): Flight | null {
    const nowMs = this.body.world.clock.nowMs();
    for (;;) {
      const first = lane.queue.find((flight) => flight.state === "waits");
      if (first === undefined) return null;
      if (nowMs < first.giveUpMs) break;
      this.#giveUp(lane, first, "it took too long");
    }
    const inFlight = lane.queue.filter((flight) => flight.state === "in-flight").length;
    const first = lane.queue.find((flight) => flight.state === "waits");
    if (first === undefined) return null;
    const repeats = lane.queue.some(({ write, state }) => write.attempts > (state === "waits" ? 0 : 1));
    const limit = this.plan.idempotent && (!lane.known || repeats) ? 1 : this.plan.inFlight;
    return inFlight < limit ? first : null;
  }

  #write(lane: Lane, flight: Flight, leader: Leader, link: Link): void {
    const { context, versions } = this.body;
    const { write } = flight;
    const { partition } = lane;
    const request = {
      acks: this.plan.acks,
      timeoutMs: this.#brokerTimeoutMs,
      topicData: [{ name: partition.topic, topicId: partition.topicId as Uuid, partitionData: [{ index: partition.index, records: flight.bytes }] }], // it came as one
    };
    write.attempts++;
    write.epoch = leader.epoch;
    write.sentMs = context.nowMs();
    if (this.plan.acks === 0) {
      const sent = link.tell(ProduceRequest, versions.produce, request);
      if (!sent) write.attempts--;
      context.tally(sent ? "ok" : "fail");
      this.#remove(lane, flight);
      return this.#end(flight, sent ? "info" : outcomeOfAll(write), "");
    }
    flight.state = "in-flight";
    link.askThen(ProduceRequest, ProduceResponse, versions.produce, request, this.plan.requestTimeoutMs, (answer) => {
      if (answer instanceof Error) throw answer;
      if (!this.#dead && flight.state === "in-flight") this.#answered(lane, flight, answer);
    });
  }

  #answered(lane: Lane, flight: Flight, answer: Answer<ProduceResponse>): void {
    const { context, world, draws } = this.body;
    const { write } = flight;
    const found = answer.ok ? answer.body.responses[0]?.partitionResponses[0] : undefined;
    if (found?.errorCode === 0) {
      context.tally("ok");
      lane.known = true;
      this.#remove(lane, flight);
      this.#end(flight, "ok", "", Number(found.baseOffset));
      return this.#pump(lane);
    }
    const outcome = found === undefined ? (answer.ok || answer.sent ? "info" : "fail") : outcomeOf("produce", found.errorCode);
    const why = found === undefined ? (answer.ok ? "no answer for it" : answer.why) : errorName(found.errorCode);
    context.tally(outcome === "ok" ? "info" : outcome);
    if (outcome !== "fail") write.unknowns++;
    flight.state = "waits";
    write.why = why;
    const isFirst = lane.queue[0] === flight;
    if (why === "OUT_OF_ORDER_SEQUENCE_NUMBER" && isFirst) {
      context.add({ f: "sequence-broken", atMs: context.nowMs(), write });
      return this.#giveUp(lane, flight, why);
    }
    if (FATAL.has(why as ErrorName) || write.attempts > this.#retries || (context.stopping && !this.plan.idempotent)) return this.#giveUp(lane, flight, why); // a name or a reason
    const again = async () => {
      await this.#view.refresh();
      await world.clock.sleep(draws.between(RETRY_MS / 2, RETRY_MS * 2));
      this.#pump(lane);
    };
    world.own(again(), "sending a batch again");
  }

  #giveUp(lane: Lane, flight: Flight, why: string): void {
    this.#remove(lane, flight);
    this.#end(flight, outcomeOfAll(flight.write), why);
    if (this.plan.idempotent) this.#fall(`the producer gave up ${flight.write.index}: ${why}`);
    else this.#pump(lane);
  }

  #remove(lane: Lane, flight: Flight): void {
    const at = lane.queue.indexOf(flight);
    if (at >= 0) lane.queue.splice(at, 1);
  }

  #end(flight: Flight, outcome: "ok" | "fail" | "info", why: string, offset = -1): void {
    flight.state = "over";
    this.body.context.endWrite(flight.write, outcome, why, offset);
  }
}

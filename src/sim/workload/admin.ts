/**
 * Makes, changes and deletes topics of its own, again and again under the same few names, writes a little into them and reads it back; deletes records
 * of one topic that it keeps; has preferred leaders elected.
 */
import type { Uuid } from "../../base/ids.js";
import { errorName } from "../../protocol/errors.js";
import { ProduceRequest, ProduceResponse } from "../../protocol/messages/00-produce.js";
import { FetchRequest, FetchResponse } from "../../protocol/messages/01-fetch.js";
import { CreateTopicsRequest, CreateTopicsResponse } from "../../protocol/messages/19-create-topics.js";
import { DeleteTopicsRequest, DeleteTopicsResponse } from "../../protocol/messages/20-delete-topics.js";
import { DeleteRecordsRequest, DeleteRecordsResponse } from "../../protocol/messages/21-delete-records.js";
import { CreatePartitionsRequest, CreatePartitionsResponse } from "../../protocol/messages/37-create-partitions.js";
import { ElectLeadersRequest, ElectLeadersResponse } from "../../protocol/messages/43-elect-leaders.js";
import { IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse } from "../../protocol/messages/44-incremental-alter-configs.js";
import type { Message } from "../../protocol/schema.js";
import { buildBatch } from "../../records/builder.js";
import { type AdminWork, type Partition, valueOf, type Writer } from "../oracle/history.js";
import { outcomeOf } from "../oracle/outcomes.js";
import type { ClientPlan } from "../plan.js";
import { ClusterView } from "./cluster-view.js";
import type { Actor, Body } from "./context.js";
import { readAll } from "./fetcher.js";
import { payload } from "./payload.js";

export type AdminPlan = Extract<ClientPlan, { kind: "admin" }>;

interface Own {
  readonly id: string;
  partitions: number;
}

const ASK_MS = 8_000;
const NAMES = 3;
const PARTITIONS_MAX = 6;
const BATCH = 5;
const RECORD_BYTES = 60;
const TOPIC = 2; // as a resource type

/** The names that an admin gives its topics; the last one is never deleted. */
export function adminTopics(name: string): readonly string[] {
  return [...Array.from({ length: NAMES }, (_, i) => `${name}-x${i + 1}`), `${name}-trim`];
}

export class Admin implements Actor {
  readonly #view: ClusterView;
  readonly #writer: Writer;
  readonly #own = new Map<string, Own>();
  readonly #names: readonly string[];
  readonly #last = new Map<Partition, number>();
  #busy = false;

  constructor(readonly body: Body, readonly plan: AdminPlan) {
    this.#names = adminTopics(plan.name);
    this.#view = new ClusterView(body, new Set(this.#names));
    this.#writer = body.context.writer(body.name, { idempotent: false, perBatch: BATCH });
  }

  async run(): Promise<void> {
    const { world, draws, context } = this.body;
    for (;;) {
      await world.clock.sleep(draws.around(this.plan.everyMs, this.plan.everyMs * 8));
      if (context.stopping) return;
      this.#busy = true;
      await this.#act();
      this.#busy = false;
    }
  }

  died(): void {
    this.#open?.();
    for (const write of this.#writer.writes) if (write.outcome === "open") this.body.context.endWrite(write, "info", "its writer died");
  }

  get isQuiet(): boolean {
    return !this.#busy;
  }

  inspect(): object {
    return { own: [...this.#own].map(([name, { id, partitions }]) => `${name} ${id} ${partitions}`), busy: this.#busy };
  }

  async #act(): Promise<void> {
    const { draws } = this.body;
    await this.#view.refresh();
    for (const name of this.#names) {
      const seen = this.#view.topics.get(name);
      if (seen !== undefined && !this.#own.has(name)) this.#own.set(name, { id: seen.id, partitions: seen.partitions.length });
    }
    const trim = this.#names[NAMES] ?? "";
    const name = draws.chance(0.3) ? trim : draws.pick(this.#names);
    const own = this.#own.get(name);
    if (own === undefined) return this.#create(name);
    const what = draws.pick(["write", "write", "read", "change", "change"] as const);
    if (what === "write") return this.#write(name);
    if (what === "read") return this.#read(name);
    if (name === trim) return draws.chance(0.7) ? this.#trim(name) : this.#elect(name);
    const change = draws.pick(["delete", "delete", "grow", "alter", "elect"] as const);
    if (change === "delete") return this.#delete(name, own);
    if (change === "grow") return this.#grow(name, own);
    if (change === "alter") return this.#alter(name, own);
    return this.#elect(name);
  }

  // ------------------------------------------------------------------------------------------------------------ topics

  #open: (() => void) | null = null;

  /** One operation by any broker. @param codeOf what its answer says; null: nothing about it */
  async #ask<Q, QIn, R, RIn>(work: AdminWork, request: Message<Q, QIn>, response: Message<R, RIn>, version: number, value: QIn, codeOf: (body: R) => number | undefined, node: number | null = null): Promise<string> {
    const { context, client } = this.body;
    const link = node === null ? await this.#view.any() : await this.#view.live(node);
    if (link === null) return "not connected";
    const op = context.invokeAdmin(client, work);
    this.#open = () => context.endAdmin(op, "info", "its client died");
    const answer = await link.ask(request, response, version, value, ASK_MS + 2_000);
    this.#open = null;
    const code = answer.ok ? codeOf(answer.body) : undefined;
    const outcome = code === undefined ? (answer.ok || answer.sent ? "info" : "fail") : outcomeOf("admin", code);
    context.endAdmin(op, outcome, code === undefined ? (answer.ok ? "no answer for it" : answer.why) : code === 0 ? "" : errorName(code));
    return code === undefined ? "unknown" : errorName(code);
  }

  async #create(name: string): Promise<void> {
    const { draws, context } = this.body;
    const partitions = 1 + draws.below(3);
    const replicationFactor = Math.min(3, context.run.plan.nodes);
    const work: AdminWork = { kind: "create", topic: name, topicId: "", partitions };
    await this.#ask(work, CreateTopicsRequest, CreateTopicsResponse, 7, { topics: [{ name, numPartitions: partitions, replicationFactor, assignments: [], configs: [] }], timeoutMs: ASK_MS, validateOnly: false }, (body) => {
      const found = body.topics[0];
      if (found?.errorCode === 0) {
        work.topicId = found.topicId;
        this.#own.set(name, { id: found.topicId, partitions });
      }
      return found?.errorCode;
    });
  }

  async #delete(name: string, own: Own): Promise<void> {
    const byId = this.body.draws.chance(0.5);
    this.#own.delete(name);
    const topicId = own.id as Uuid; // it came as one
    // By name it may hit another incarnation than the one we know of: then we made none of it.
    const work: AdminWork = { kind: "delete", topic: name, topicId: own.id };
    await this.#ask(work, DeleteTopicsRequest, DeleteTopicsResponse, byId ? 6 : 5, byId ? { topics: [{ name: null, topicId }], timeoutMs: ASK_MS } : { topicNames: [name], timeoutMs: ASK_MS }, (body) => body.responses[0]?.errorCode);
    this.#view.topics.delete(name);
  }

  async #grow(name: string, own: Own): Promise<void> {
    const count = own.partitions + 1;
    if (count > PARTITIONS_MAX) return;
    const said = await this.#ask({ kind: "grow", topic: name, topicId: own.id, partitions: count }, CreatePartitionsRequest, CreatePartitionsResponse, 3, { topics: [{ name, count, assignments: null }], timeoutMs: ASK_MS, validateOnly: false }, (body) => body.results[0]?.errorCode);
    if (said === "NONE") own.partitions = count;
    else if (said !== "not connected") this.#own.delete(name); // to be looked up again
  }

  async #alter(name: string, own: Own): Promise<void> {
    const value = String(600_000 + this.body.draws.below(1_000));
    await this.#ask({ kind: "alter", topic: name, topicId: own.id, setting: "segment.ms", value }, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, 1, { resources: [{ resourceType: TOPIC, resourceName: name, configs: [{ name: "segment.ms", configOperation: 0, value }] }], validateOnly: false }, (body) => body.responses[0]?.errorCode);
  }

  async #elect(name: string): Promise<void> {
    const partitions = this.#view.partitions(name).map(({ index }) => index);
    if (partitions.length === 0) return;
    await this.#ask({ kind: "elect", topic: name }, ElectLeadersRequest, ElectLeadersResponse, 2, { electionType: 0, topicPartitions: [{ topic: name, partitions }], timeoutMs: ASK_MS }, (body) => (body.errorCode !== 0 ? body.errorCode : body.replicaElectionResults[0]?.partitionResult[0]?.errorCode));
  }

  // ------------------------------------------------------------------------------------------------------------ data

  #pick(name: string): { readonly partition: Partition; readonly node: number; readonly epoch: number } | null {
    const partitions = this.#view.partitions(name);
    if (partitions.length === 0) return null;
    const partition = this.body.draws.pick(partitions);
    const leader = this.#view.leader(partition);
    return leader === null ? null : { partition, node: leader.node, epoch: leader.epoch };
  }

  async #write(name: string): Promise<void> {
    const { context, world, draws } = this.body;
    const to = this.#pick(name);
    const link = to === null ? null : await this.#view.live(to.node);
    if (to === null || link === null) return;
    const { partition, epoch } = to;
    const count = 1 + draws.below(BATCH);
    const write = context.invokeWrite(this.#writer, partition, { count, acks: -1, before: null });
    const wallMs = world.clock.wallMs();
    const records = buildBatch(Array.from({ length: count }, (_, i) => ({ key: null, value: payload(valueOf(this.#writer.number, write.index * BATCH + i), RECORD_BYTES), timestamp: wallMs })));
    write.attempts++;
    write.epoch = epoch;
    // By id: under the name there may be another topic by now.
    const answer = await link.ask(ProduceRequest, ProduceResponse, 13, { acks: -1, timeoutMs: ASK_MS, topicData: [{ topicId: partition.topicId as Uuid, partitionData: [{ index: partition.index, records }] }] }, ASK_MS); // it came as one
    const found = answer.ok ? answer.body.responses[0]?.partitionResponses[0] : undefined;
    const outcome = found === undefined ? (answer.ok || answer.sent ? "info" : "fail") : outcomeOf("produce", found.errorCode);
    context.tally(outcome);
    if (outcome === "info") write.unknowns++;
    context.endWrite(write, outcome, found === undefined ? "lost" : found.errorCode === 0 ? "" : errorName(found.errorCode), outcome === "ok" ? Number(found?.baseOffset ?? -1n) : -1);
    if (outcome === "ok" && found !== undefined) this.#last.set(partition, Number(found.baseOffset) + count);
  }

  /** From the log's beginning, by name: an old topic's records would show. */
  async #read(name: string): Promise<void> {
    const { context, client } = this.body;
    const from = this.#pick(name);
    const link = from === null ? null : await this.#view.live(from.node);
    if (from === null || link === null) return;
    const { partition, epoch } = from;
    const invokedMs = context.nowMs();
    const byName = this.body.draws.chance(0.5);
    const answer = await link.ask(
      FetchRequest,
      FetchResponse,
      byName ? 12 : 13,
      { maxWaitMs: 0, minBytes: 0, isolationLevel: 0, sessionId: 0, sessionEpoch: -1, topics: [{ topic: name, topicId: partition.topicId as Uuid, partitions: [{ partition: partition.index, currentLeaderEpoch: epoch, fetchOffset: 0n, partitionMaxBytes: 200_000 }] }], forgottenTopicsData: [], rackId: "" }, // it came as one
      ASK_MS,
    );
    const found = answer.ok ? answer.body.responses[0]?.partitions[0] : undefined;
    if (found?.errorCode !== 0) return;
    // By name the answer may be of a topic that was made anew meanwhile; its leader epochs begin anew too, so that nothing but its records tells.
    const read = readAll(found.records ?? new Uint8Array(0), 0);
    if (read.offsets.length > 0 && (!byName || this.#isOf(partition, read.values))) context.add({ f: "poll", atMs: context.nowMs(), poll: { reader: client, partition, position: 0, epoch: byName ? -1 : epoch, invokedMs, ...read, highWatermark: byName ? -1 : Number(found.highWatermark), logStart: Number(found.logStartOffset) } });
  }

  /** A newer incarnation under the same name has newer values; those of an older one are what must not be. */
  #isOf(partition: Partition, values: readonly number[]): boolean {
    const { seen } = this.body.context.oracle;
    return values.every((value) => {
      const write = seen.write(value);
      return write === null || write.partition === partition || write.partition.number < partition.number;
    });
  }

  async #trim(name: string): Promise<void> {
    const { draws } = this.body;
    const of = this.#pick(name);
    if (of === null) return;
    const { partition, node } = of;
    const offset = draws.below((this.#last.get(partition) ?? 0) + 1);
    const work: AdminWork = { kind: "trim", partition, offset, lowWatermark: -1 };
    await this.#ask(
      work,
      DeleteRecordsRequest,
      DeleteRecordsResponse,
      2,
      { topics: [{ name, partitions: [{ partitionIndex: partition.index, offset: BigInt(offset) }] }], timeoutMs: ASK_MS },
      (body) => {
        const found = body.topics[0]?.partitions[0];
        if (found?.errorCode === 0) work.lowWatermark = Number(found.lowWatermark);
        return found?.errorCode;
      },
      node,
    );
  }
}

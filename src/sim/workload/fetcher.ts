/** Reads partitions from their leaders, one loop a broker, from where each position is; with fetch sessions or without. For readers and group members. */
import type { Uuid } from "../../base/ids.js";
import { errorName } from "../../protocol/errors.js";
import { FetchRequest, FetchResponse } from "../../protocol/messages/01-fetch.js";
import { isIntact, readBatchHeader, splitBatches } from "../../records/batch.js";
import { eachRecord } from "../../records/record.js";
import { FOREIGN, type Partition, type Poll } from "../oracle/history.js";
import type { ClusterView } from "./cluster-view.js";
import type { Body } from "./context.js";
import type { Link } from "./link.js";
import { listOffset } from "./list-offset.js";
import { valueIn } from "./payload.js";

export interface FetcherOptions {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  /** Between an answer and the next question to the same broker: what was read is dealt with meanwhile. */
  readonly pauseMs: number;
  readonly sessions: boolean;
  readonly readCommitted: boolean;
  /** Records were shown, or the end moved. */
  readonly onPoll?: (poll: Poll) => void;
}

interface Position {
  readonly partition: Partition;
  at: number;
  /** Of the last batch that was read. */
  epoch: number;
  /** Not asked for before then: something was wrong. */
  restUntilMs: number;
  /** The last end that was told, and in which epoch. */
  end: number;
  endEpoch: number;
}

interface Session {
  link: Link;
  id: number;
  epoch: number;
  /** What the broker thinks it is asked for. */
  readonly known: Map<Position, { at: number; epoch: number }>;
}

const REST_MS = 120;
const IDLE_MS = 400;
const SLACK_MS = 4_000; // for an answer beyond what it may wait

export class Fetcher {
  readonly positions = new Map<Partition, Position>();
  #stopped = false;
  /** Wakes loops that have nothing to ask. */
  #wakers: (() => void)[] = [];

  constructor(readonly body: Body, readonly view: ClusterView, readonly options: FetcherOptions) {
    view.onChange = () => this.wake();
  }

  add(partition: Partition, at: number): void {
    this.positions.set(partition, { partition, at, epoch: -1, restUntilMs: -Infinity, end: -1, endEpoch: -1 });
    this.wake();
  }

  wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  stop(): void {
    this.#stopped = true;
    this.wake();
  }

  /** One loop a broker, until `stop`. */
  async run(): Promise<void> {
    await Promise.all(this.body.context.run.cluster.nodes.map(({ id }) => this.#loop(id)));
  }

  async #loop(node: number): Promise<void> {
    const { world, draws } = this.body;
    let session: Session | null = null;
    while (!this.#stopped) {
      const nowMs = world.clock.nowMs();
      const mine = [...this.positions.values()].filter((one) => one.restUntilMs <= nowMs && this.view.leader(one.partition)?.node === node);
      if (mine.length === 0) {
        if (node === 1 && [...this.positions.values()].some((one) => this.view.leader(one.partition) === null)) await this.view.refresh();
        await this.#nap(IDLE_MS);
        continue;
      }
      const link = await this.view.live(node, "fetch");
      if (link === null) {
        for (const one of mine) one.restUntilMs = world.clock.nowMs() + REST_MS;
        await this.view.refresh();
        await world.clock.sleep(draws.between(20, REST_MS));
        continue;
      }
      if (session === null || session.link !== link) session = { link, id: 0, epoch: this.options.sessions ? 0 : -1, known: new Map() };
      if (!(await this.#ask(session, mine))) session = null;
      if (this.options.pauseMs > 0 && !this.#stopped && !this.body.context.stopping) await world.clock.sleep(draws.around(this.options.pauseMs));
    }
  }

  #nap(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.body.world.clock.after(ms, resolve);
      this.#wakers.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** @returns false if the session is of no use any more */
  async #ask(session: Session, mine: readonly Position[]): Promise<boolean> {
    const { context, versions, world } = this.body;
    const { maxWaitMs, maxBytes, readCommitted } = this.options;
    const asked = new Map(mine.map((one) => [one, { at: one.at, epoch: this.view.leader(one.partition)?.epoch ?? -1 }]));
    const incremental = session.id !== 0;
    const listed = mine.filter((one) => {
      const before = session.known.get(one);
      const now = asked.get(one);
      return !incremental || before === undefined || now === undefined || before.at !== now.at || before.epoch !== now.epoch;
    });
    const forgotten = incremental ? [...session.known.keys()].filter((one) => !asked.has(one)) : [];
    const invokedMs = context.nowMs();
    const answer = await session.link.ask(
      FetchRequest,
      FetchResponse,
      versions.fetch,
      {
        maxWaitMs,
        minBytes: 1,
        maxBytes,
        isolationLevel: readCommitted ? 1 : 0,
        sessionId: session.id,
        sessionEpoch: session.epoch,
        topics: byTopic(listed).map(({ topic, topicId, ones }) => ({
          topic,
          topicId,
          partitions: ones.map((one) => ({ partition: one.partition.index, currentLeaderEpoch: asked.get(one)?.epoch ?? -1, fetchOffset: BigInt(one.at), lastFetchedEpoch: versions.fetch >= 12 ? one.epoch : -1, partitionMaxBytes: maxBytes })),
        })),
        forgottenTopicsData: byTopic(forgotten).map(({ topic, topicId, ones }) => ({ topic, topicId, partitions: ones.map((one) => one.partition.index) })),
        rackId: "",
      },
      maxWaitMs + SLACK_MS,
    );
    if (this.#stopped) return false;
    if (!answer.ok) {
      session.link.close();
      await this.view.refresh();
      return false;
    }
    const { errorCode, sessionId, responses } = answer.body;
    if (errorCode !== 0) {
      await world.clock.sleep(REST_MS / 4);
      return false;
    }
    if (this.options.sessions) {
      if (incremental) for (const one of forgotten) session.known.delete(one);
      else session.known.clear();
      for (const [one, now] of asked) session.known.set(one, now);
      session.id = sessionId;
      session.epoch = sessionId === 0 ? 0 : session.epoch + 1;
    }
    let stale = false;
    for (const response of responses) {
      for (const found of response.partitions) {
        const one = mine.find(({ partition }) => partition.index === found.partitionIndex && (versions.fetch >= 13 ? partition.topicId === response.topicId : partition.topic === response.topic));
        const question = one === undefined ? undefined : asked.get(one);
        if (one === undefined || question === undefined || this.positions.get(one.partition) !== one) continue;
        if (found.errorCode === 0 && found.divergingEpoch.epoch < 0) this.#shown(one, question, found, invokedMs);
        else if (errorName(found.errorCode) === "OFFSET_OUT_OF_RANGE" || found.errorCode === 0) await this.#refused(one, question, invokedMs, found.errorCode === 0);
        else {
          one.restUntilMs = world.clock.nowMs() + REST_MS;
          stale = true;
        }
      }
    }
    if (stale) await this.view.refresh();
    return true;
  }

  #shown(one: Position, question: { readonly at: number; readonly epoch: number }, found: { readonly highWatermark: bigint; readonly logStartOffset: bigint; readonly records: Uint8Array | null }, invokedMs: number): void {
    const { context, name } = this.body;
    const end = Number(found.highWatermark);
    const bytes = found.records ?? new Uint8Array(0);
    if (bytes.length === 0 && one.end === end && one.endEpoch === question.epoch) return;
    one.end = end;
    one.endEpoch = question.epoch;
    const read = readAll(bytes, question.at);
    const poll: Poll = { reader: name, partition: one.partition, position: question.at, epoch: question.epoch, invokedMs, ...read, highWatermark: end, logStart: Number(found.logStartOffset) };
    if (read.last >= one.at) {
      one.at = read.last + 1;
      one.epoch = read.batchEpoch;
    }
    context.add({ f: "poll", atMs: context.nowMs(), poll });
    this.options.onPoll?.(poll);
  }

  /** The position that it read up to is not there. */
  async #refused(one: Position, question: { readonly at: number; readonly epoch: number }, invokedMs: number, diverged: boolean): Promise<void> {
    const { context, name, world } = this.body;
    const start = await listOffset(this.body, this.view, one.partition, "earliest");
    if (this.#stopped || this.positions.get(one.partition) !== one) return;
    if (start === null) {
      one.restUntilMs = world.clock.nowMs() + REST_MS;
      return;
    }
    context.add({ f: "out-of-range", atMs: context.nowMs(), refused: { reader: name, partition: one.partition, epoch: question.epoch, invokedMs, position: question.at, start: diverged ? 0 : start } });
    one.at = start;
    one.epoch = -1;
  }
}

function byTopic(ones: readonly Position[]): readonly { readonly topic: string; readonly topicId: Uuid; readonly ones: readonly Position[] }[] {
  const topics = new Map<string, { topic: string; topicId: Uuid; ones: Position[] }>();
  for (const one of ones) {
    const { topic, topicId } = one.partition;
    const known = topics.get(topicId);
    if (known === undefined) topics.set(topicId, { topic, topicId: topicId as Uuid, ones: [one] }); // it came as one
    else known.ones.push(one);
  }
  return [...topics.values()];
}

/** What the batches of an answer hold from `from` on. The last one may be cut off. */
export function readAll(bytes: Uint8Array, from: number): Pick<Poll, "offsets" | "values" | "last" | "batchEpoch" | "damage"> {
  const offsets: number[] = [];
  const values: number[] = [];
  let last = -1;
  let batchEpoch = -1;
  let damage: string | null = null;
  const { spans, end } = splitBatches(bytes);
  if (end.reason === "bad-length" || end.reason === "bad-magic") damage = `no batch at byte ${end.at} of ${bytes.length}: ${end.reason}`;
  for (const span of spans) {
    const header = readBatchHeader(bytes, span.position);
    if (!isIntact(bytes, span.position, span.bytes)) {
      damage ??= `the checksum of the batch at offset ${header.baseOffset} does not hold`;
      continue;
    }
    try {
      for (const record of eachRecord(bytes.subarray(span.position, span.position + span.bytes))) {
        if (record.offset < from) continue;
        offsets.push(record.offset);
        values.push(valueIn(record.value));
      }
    } catch (error) {
      damage ??= `the records of the batch at offset ${header.baseOffset} cannot be read: ${String(error)}`;
    }
    last = header.lastOffset;
    batchEpoch = Math.max(batchEpoch, header.leaderEpoch);
  }
  if (damage === null && values.includes(FOREIGN)) damage = `the record at offset ${offsets[values.indexOf(FOREIGN)] ?? 0} is not whole or none of ours`;
  return { offsets, values, last, batchEpoch, damage };
}

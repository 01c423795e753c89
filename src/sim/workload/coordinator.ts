/** Where a group's coordinator is, and the requests that go there. */
import type { Uuid } from "../../base/ids.js";
import { errorName, type ErrorName } from "../../protocol/errors.js";
import { OffsetFetchRequest, OffsetFetchResponse } from "../../protocol/messages/09-offset-fetch.js";
import { FindCoordinatorRequest, FindCoordinatorResponse } from "../../protocol/messages/10-find-coordinator.js";
import type { Message } from "../../protocol/schema.js";
import type { Member, Partition } from "../oracle/history.js";
import type { ClusterView } from "./cluster-view.js";
import type { Body } from "./context.js";
import type { Answer } from "./link.js";

const ASK_MS = 5_000;
const RETRY_MS = 150;
const MOVED: ReadonlySet<ErrorName> = new Set<ErrorName>(["NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS", "NETWORK_EXCEPTION"]);

export class Coordinator {
  #node: number | null = null;

  constructor(readonly body: Body, readonly view: ClusterView, readonly group: string) {}

  /** Null: it cannot be reached now. */
  async ask<Q, QIn, R, RIn>(request: Message<Q, QIn>, response: Message<R, RIn>, version: number, value: QIn, timeoutMs = ASK_MS): Promise<Answer<R>> {
    const node = this.#node ?? (await this.#find());
    const link = node === null ? null : await this.view.live(node, "coordinator");
    if (link === null) {
      this.#node = null;
      await this.body.world.clock.sleep(this.body.draws.between(RETRY_MS / 2, RETRY_MS));
      return { ok: false, sent: false, why: "no coordinator" };
    }
    const answer = await link.ask(request, response, version, value, timeoutMs);
    if (!answer.ok) this.#node = null;
    return answer;
  }

  /** Looks at an answer's code: after some the coordinator has to be found anew. Waits a little before another try. */
  async judge(code: number): Promise<ErrorName> {
    const error = errorName(code);
    if (MOVED.has(error)) {
      if (error !== "COORDINATOR_LOAD_IN_PROGRESS") this.#node = null;
      await this.body.world.clock.sleep(this.body.draws.between(RETRY_MS / 2, RETRY_MS));
    }
    return error;
  }

  /** What is committed, once for each partition; null if it was not told. */
  async committed(member: Member, partitions: readonly Partition[]): Promise<ReadonlyMap<Partition, number> | null> {
    const { context, versions } = this.body;
    const invokedMs = context.nowMs();
    const topics = [...new Set(partitions.map(({ topic }) => topic))].map((topic) => {
      const ones = partitions.filter((one) => one.topic === topic);
      return { name: topic, topicId: ones[0]?.topicId as Uuid, partitionIndexes: ones.map(({ index }) => index) }; // it came as one
    });
    const version = versions.offsetFetch;
    const answer = await this.ask(OffsetFetchRequest, OffsetFetchResponse, version, version >= 8 ? { groups: [{ groupId: this.group, topics }], requireStable: true } : { groupId: this.group, topics });
    if (!answer.ok) return null;
    const { body } = answer;
    const group = version >= 8 ? body.groups[0] : body;
    if (group === undefined) return null;
    if (group.errorCode !== 0) {
      await this.judge(group.errorCode);
      return null;
    }
    const offsets = new Map<Partition, number>();
    for (const topic of group.topics) {
      for (const found of topic.partitions) {
        const partition = partitions.find((one) => one.index === found.partitionIndex && ("topicId" in topic && version >= 10 ? one.topicId === topic.topicId : one.topic === topic.name));
        if (partition === undefined || found.errorCode !== 0) continue;
        offsets.set(partition, Number(found.committedOffset));
        context.add({ f: "committed", atMs: context.nowMs(), shown: { member, partition, invokedMs, offset: Number(found.committedOffset) } });
      }
    }
    return offsets.size === partitions.length ? offsets : null;
  }

  async #find(): Promise<number | null> {
    const { versions } = this.body;
    const link = await this.view.any();
    if (link === null) return null;
    const version = versions.findCoordinator;
    const answer = await link.ask(FindCoordinatorRequest, FindCoordinatorResponse, version, version >= 4 ? { keyType: 0, coordinatorKeys: [this.group] } : { key: this.group, keyType: 0 }, ASK_MS);
    if (!answer.ok) return null;
    const found = version >= 4 ? answer.body.coordinators[0] : answer.body;
    if (found === undefined || found.errorCode !== 0) return null;
    this.#node = found.nodeId;
    return found.nodeId;
  }
}

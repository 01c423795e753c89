/** From a decoded ProduceRequest to its answer. KIP-467 (record errors), KIP-951 (leader hints). */
import { NO_UUID } from "../base/ids.js";
import type { Coordination } from "../coordination/coordination.js";
import { errorCode } from "../protocol/errors.js";
import type { ProduceRequest, ProduceResponse } from "../protocol/messages/00-produce.js";
import type { Input } from "../protocol/schema.js";
import { leaderEndpoints } from "./leader-hints.js";
import type { ProduceItem, ProduceOutcome, Replicas } from "./replicas.js";

export interface ProduceContext {
  readonly version: number;
  readonly clientId: string | null;
  readonly listener: string;
  /** The connection's next request may begin. */
  admit(): void;
  /** Nobody looks at the request's bytes any more. */
  recycle(): void;
}

export interface Produced {
  readonly body: Input<typeof ProduceResponse> | null;
  readonly drop: boolean;
}

export class ProduceService {
  constructor(readonly replicas: Replicas, readonly coordination: Coordination) {}

  async produce(request: ProduceRequest, context: ProduceContext): Promise<Produced> {
    const slots = request.topicData.flatMap((topic) => topic.partitionData.map((one) => ({ topic, one })));
    const { acks } = request;
    if (acks !== 0 && acks !== 1 && acks !== -1) return this.#answer(slots, slots.map(() => refused("INVALID_REQUIRED_ACKS")), acks, context);
    const items = slots.map(({ topic, one }): ProduceItem => ({
      ref: context.version >= 13 ? { topicId: topic.topicId, partition: one.index } : { topic: topic.name, partition: one.index },
      records: one.records,
    }));
    const { admitted, done, written } = this.replicas.produce(items, { acks, timeoutMs: request.timeoutMs, version: context.version, transactionalId: request.transactionalId, clientId: context.clientId, origin: "client" });
    if (admitted !== null) await admitted;
    context.admit();
    const outcomes = await done;
    if (written()) context.recycle();
    return this.#answer(slots, outcomes, acks, context);
  }

  #answer(slots: readonly { readonly topic: ProduceRequest["topicData"][number]; readonly one: { readonly index: number } }[], outcomes: readonly ProduceOutcome[], acks: number, context: ProduceContext): Produced {
    if (acks === 0) return { body: null, drop: outcomes.some((outcome) => outcome.error !== "NONE") };
    type Topic = NonNullable<Input<typeof ProduceResponse>["responses"]>[number];
    const byTopic = new Map<string, { topic: Topic; partitions: NonNullable<Topic["partitionResponses"]>[number][] }>();
    slots.forEach(({ topic, one }, i) => {
      const outcome = outcomes[i] ?? refused("UNKNOWN_SERVER_ERROR");
      const key = topic.topicId === NO_UUID ? topic.name : topic.topicId;
      let entry = byTopic.get(key);
      if (entry === undefined) byTopic.set(key, (entry = { topic: { name: topic.name, topicId: topic.topicId }, partitions: [] }));
      entry.partitions.push({
        index: one.index,
        errorCode: errorCode(outcome.error),
        baseOffset: BigInt(outcome.baseOffset),
        logAppendTimeMs: BigInt(outcome.appendTimeMs),
        logStartOffset: BigInt(outcome.logStart),
        recordErrors: outcome.recordErrors.map((wrong) => ({ batchIndex: wrong.index, batchIndexErrorMessage: wrong.message })),
        errorMessage: outcome.message,
        ...(outcome.currentLeader === null ? {} : { currentLeader: { leaderId: outcome.currentLeader.id, leaderEpoch: outcome.currentLeader.epoch } }),
      });
    });
    const hints = outcomes.flatMap((outcome) => (outcome.currentLeader === null ? [] : [outcome.currentLeader.id]));
    return {
      body: {
        responses: [...byTopic.values()].map((entry) => ({ ...entry.topic, partitionResponses: entry.partitions })),
        nodeEndpoints: leaderEndpoints(this.coordination.image, hints, context.listener),
      },
      drop: false,
    };
  }
}

function refused(error: ProduceOutcome["error"]): ProduceOutcome {
  return { error, message: null, recordErrors: [], baseOffset: -1, appendTimeMs: -1, logStart: -1, currentLeader: null };
}

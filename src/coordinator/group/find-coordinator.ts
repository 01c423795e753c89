/**
 * FindCoordinator: the leader of the partition that a group id hashes to. The first question makes the topic (behaviours.md §6).
 * Transaction and share coordinators do not exist yet: such keys get a final error, since asking again cannot help.
 */
import type { Coordination } from "../../coordination/coordination.js";
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import type { FindCoordinatorRequest, FindCoordinatorResponse } from "../../protocol/messages/10-find-coordinator.js";
import type { Input } from "../../protocol/schema.js";
import type { World } from "../../world/world.js";
import { coordinatorPartition } from "../../protocol/hashes.js";

export const OFFSETS_TOPIC = "__consumer_offsets";

const GROUP = 0;
const TRANSACTION = 1;
const SHARE = 2;
const CREATE_DEADLINE_MS = 30_000;
const SEGMENT_LEAST_BYTES = 1024 * 1024;

interface Place {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly error: ErrorName;
  readonly message: string;
}

export interface OffsetsTopicSettings {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly segmentBytes: number;
}

export class CoordinatorFinder {
  #creating = false;

  constructor(readonly world: World, readonly coordination: Coordination, readonly settings: OffsetsTopicSettings) {}

  /** @param listener name of the listener that the client came through: it is told of the same one elsewhere */
  answer(request: FindCoordinatorRequest, version: number, listener: string | null): Input<typeof FindCoordinatorResponse> {
    const place = (key: string) => this.#place(request.keyType, key, listener);
    if (version >= 4) {
      return {
        coordinators: request.coordinatorKeys.map((key) => {
          const { nodeId, host, port, error, message } = place(key);
          return { key, nodeId, host, port, errorCode: errorCode(error), errorMessage: message };
        }),
      };
    }
    const { nodeId, host, port, error, message } = place(request.key);
    return { errorCode: errorCode(error), errorMessage: message, nodeId, host, port };
  }

  #place(keyType: number, key: string, listener: string | null): Place {
    switch (keyType) {
      case GROUP:
        return this.#group(key, listener);
      case TRANSACTION:
        return nowhere("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "This cluster has no transactions.");
      case SHARE:
        return nowhere("INVALID_REQUEST", "This cluster has no share groups.");
      default:
        return nowhere("INVALID_REQUEST", `There is no coordinator of type ${keyType}.`);
    }
  }

  #group(key: string, listener: string | null): Place {
    const { image } = this.coordination;
    const topic = image.topic(OFFSETS_TOPIC);
    if (topic === null) {
      this.#create();
      return nowhere("COORDINATOR_NOT_AVAILABLE", "The topic of committed offsets is being made.");
    }
    const leader = topic.partition(coordinatorPartition(key, topic.partitionCount))?.leader ?? null;
    const broker = leader === null ? null : image.broker(leader);
    if (broker === null || broker.fenced) return nowhere("COORDINATOR_NOT_AVAILABLE", "The group's partition has no leader.");
    const at = broker.listeners.find((one) => one.name === listener) ?? (listener === null ? broker.listeners[0] : undefined);
    if (at === undefined) return nowhere("COORDINATOR_NOT_AVAILABLE", "The group's coordinator has no such listener.");
    return { nodeId: broker.id, host: at.host, port: at.port, error: "NONE", message: "" };
  }

  #create(): void {
    if (this.#creating) return;
    this.#creating = true;
    this.world.own(this.#ask(), `creating ${OFFSETS_TOPIC}`);
  }

  async #ask(): Promise<void> {
    const { partitions, replicationFactor, segmentBytes } = this.settings;
    const configs = [
      { name: "cleanup.policy", value: "compact" },
      { name: "compression.type", value: "producer" },
      // The broker's setting begins at 1, a topic's at 1 MiB: smaller ones are for tests, and go by the name that takes them.
      { name: segmentBytes < SEGMENT_LEAST_BYTES ? "internal.segment.bytes" : "segment.bytes", value: String(segmentBytes) },
    ];
    const topic = { name: OFFSETS_TOPIC, partitions, replicationFactor, assignments: [], configs };
    const reply = await this.coordination.admin({ kind: "create-topics", topics: [topic], validateOnly: false }, CREATE_DEADLINE_MS);
    this.#creating = false;
    const result = reply.results[0];
    const error = reply.error ?? result?.error ?? "NONE";
    if (error === "NONE" || error === "TOPIC_ALREADY_EXISTS") return;
    this.world.logger.warn({ topic: OFFSETS_TOPIC, partitions, replicationFactor, error, detail: reply.message ?? result?.message ?? null }, "groups have no coordinator: their topic was not made");
  }
}

function nowhere(error: ErrorName, message: string): Place {
  return { nodeId: -1, host: "", port: -1, error, message };
}

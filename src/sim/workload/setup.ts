/** Makes the plan's topics; tries until each is there. */
import { errorName } from "../../protocol/errors.js";
import { CreateTopicsRequest, CreateTopicsResponse } from "../../protocol/messages/19-create-topics.js";
import type { TopicPlan } from "../plan.js";
import { ClusterView } from "./cluster-view.js";
import type { Actor, Body } from "./context.js";

const ASK_MS = 5_000;
const RETRY_MS = 300;

export class Setup implements Actor {
  #left: readonly TopicPlan[];
  readonly #view: ClusterView;

  constructor(readonly body: Body, topics: readonly TopicPlan[]) {
    this.#left = topics;
    this.#view = new ClusterView(body, new Set());
  }

  async run(): Promise<void> {
    const { world, draws } = this.body;
    while (this.#left.length > 0) {
      await world.clock.sleep(draws.between(RETRY_MS / 2, RETRY_MS));
      const link = await this.#view.any();
      if (link === null) continue;
      const topics = this.#left.map(({ name, partitions, replicas, configs }) => ({ name, numPartitions: partitions, replicationFactor: replicas, assignments: [], configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })) }));
      const answer = await link.ask(CreateTopicsRequest, CreateTopicsResponse, 7, { topics, timeoutMs: ASK_MS, validateOnly: false }, ASK_MS + 1_000);
      if (!answer.ok) continue;
      const codes = new Map(answer.body.topics.map(({ name, errorCode, errorMessage }) => [name, { error: errorName(errorCode), errorMessage }]));
      for (const { error, errorMessage } of codes.values()) if (error === "INVALID_CONFIG" || error === "INVALID_REQUEST" || error === "INVALID_PARTITIONS") throw new Error(`the plan's topics cannot be made: ${error} ${errorMessage ?? ""}`);
      this.#left = this.#left.filter(({ name }) => !["NONE", "TOPIC_ALREADY_EXISTS"].includes(codes.get(name)?.error ?? ""));
    }
    this.#view.close();
  }

  died(): void {
    return;
  }

  readonly isQuiet = true;

  inspect(): object {
    return { left: this.#left.map(({ name }) => name) };
  }
}

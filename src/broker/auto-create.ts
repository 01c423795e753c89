/** Topics made by first use. The client is answered at once and retries; what was asked for already is not asked for again. */
import type { Coordination } from "../coordination/coordination.js";
import type { World } from "../world/world.js";
import type { BrokerSettings } from "./broker-settings-view.js";

const DEADLINE_MS = 30_000;
const PENDING_MAX = 1_000;

export class TopicsOnFirstUse {
  readonly #pending = new Set<string>();

  constructor(readonly world: World, readonly coordination: Coordination, readonly settings: BrokerSettings) {}

  create(names: readonly string[]): void {
    if (names.length === 0 || !this.settings.flag("auto.create.topics.enable")) return;
    const fresh = [...new Set(names)].filter((name) => !this.#pending.has(name)).slice(0, Math.max(0, PENDING_MAX - this.#pending.size));
    if (fresh.length === 0) return;
    for (const name of fresh) this.#pending.add(name);
    this.world.own(this.#ask(fresh), "creating topics on first use");
  }

  async #ask(names: readonly string[]): Promise<void> {
    const topics = names.map((name) => ({ name, partitions: -1, replicationFactor: -1, assignments: [], configs: [] }));
    const reply = await this.coordination.admin({ kind: "create-topics", topics, validateOnly: false }, DEADLINE_MS);
    for (const result of reply.results) {
      if (result.error === "NONE" || result.error === "TOPIC_ALREADY_EXISTS") continue;
      this.world.logger.warn({ topic: result.name, error: result.error, detail: result.message }, "topic not created on first use");
    }
    for (const name of names) this.#pending.delete(name);
  }
}

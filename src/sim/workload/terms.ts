/** What may be gone without blame in a run: by its settings, and by faults that are more than a topic's settings promise to outlive. */
import type { Partition } from "../oracle/history.js";
import type { Terms } from "../oracle/rule.js";
import type { MachineHalt } from "../machine.js";
import type { Plan } from "../plan.js";

const DAY_MS = 86_400_000;

export class RunTerms implements Terms {
  readonly producerExpiryMs: number;
  readonly offsetsExpiryMs: number;
  /** Nodes that lost what they had not synced. */
  readonly #lost = new Set<string>();
  readonly #topics: ReadonlyMap<string, { readonly retains: boolean; readonly unclean: boolean; readonly lossesMax: number }>;

  constructor(plan: Plan) {
    const { settings } = plan;
    this.producerExpiryMs = Number(settings["producer.id.expiration.ms"] ?? DAY_MS);
    this.offsetsExpiryMs = Number(settings["offsets.retention.minutes"] ?? 7 * 24 * 60) * 60_000;
    const brokerRetains = ["log.retention.ms", "log.retention.bytes", "log.retention.minutes"].some((name) => name in settings);
    this.#topics = new Map(
      plan.topics.map(({ name, configs, replicas }) => {
        const durable = (configs["kontiki.acks.durable"] ?? settings["kontiki.acks.durable"] ?? "true") === "true";
        const minIsr = Math.min(replicas, Number(configs["min.insync.replicas"] ?? settings["min.insync.replicas"] ?? (plan.nodes >= 3 ? 2 : 1)));
        return [
          name,
          {
            retains: brokerRetains || "retention.ms" in configs || "retention.bytes" in configs,
            unclean: (configs["unclean.leader.election.enable"] ?? settings["unclean.leader.election.enable"]) === "true",
            lossesMax: durable ? Infinity : minIsr - 1,
          },
        ];
      }),
    );
  }

  halted(halt: MachineHalt): void {
    if (halt.reason === "power lost" || halt.cause !== undefined) this.#lost.add(halt.machine);
  }

  mayLose({ topic }: Partition): boolean {
    const terms = this.#topics.get(topic);
    return terms !== undefined && (terms.unclean || this.#lost.size > terms.lossesMax);
  }

  hasRetention({ topic }: Partition): boolean {
    return this.#topics.get(topic)?.retains ?? false;
  }
}

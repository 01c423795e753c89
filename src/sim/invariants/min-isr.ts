import type { MetadataImage } from "../../metadata/image.js";
import type { Run } from "../run.js";
import { type Invariant } from "./invariant.js";

const NAME = "min.insync.replicas";

/**
 * While the ISR is below the minimum whoever left it stays eligible, unless it came back with another disk or told of a loss; and the high watermark does
 * not move.
 */
export const minIsr: Invariant = {
  name: "min-isr",
  source: "design §7; reliability.md M8, P9; KIP-966",
  watch(run, { metadata, controllers, brokers }) {
    /** Broker → what it told with its registrations. */
    const directories = new Map<number, string>();
    const renewed = new Set<number>();
    const lost = new Set<string>();
    controllers.onRegister.on(({ from, ask }) => {
      const disk = ask.directories.join();
      if (directories.has(from) && directories.get(from) !== disk) renewed.add(from);
      directories.set(from, disk);
      for (const { topicId, partition } of ask.lost) lost.add(`${from}/${topicId}/${partition}`);
    });
    metadata.onRow.on(({ topic, before, change, position, image }) => {
      if (change.unclean) return;
      const had = [...before.isr, ...before.elr];
      const has = [...change.isr, ...change.elr];
      const least = Math.min(minIsrOf(run, image, topic, before.replicas.length), had.length);
      if (has.length >= least) return;
      const excused = had.filter((id) => !has.includes(id)).every((id) => renewed.has(id) || lost.has(`${id}/${before.topicId}/${before.index}`));
      if (!excused) run.violate("min-isr", `${topic}-${before.index} at ${position}: ISR and ELR go from ${had.join(", ")} to ${has.join(", ") || "nobody"}, ${least} are needed`);
    });
    brokers.onMark.on(({ node, row, before, image }) => {
      if (row.role !== "leader" || before?.role !== "leader" || before.epoch !== row.epoch || row.highWatermark <= before.highWatermark) return;
      const topic = image.topic(row.topic);
      const least = minIsrOf(run, image, row.topic, topic?.partition(row.partition)?.replicas.length ?? 1);
      if (row.isr.length < least && before.isr.length < least) run.violate("min-isr", `node ${node} moves the high watermark of ${row.topic}-${row.partition} from ${before.highWatermark} to ${row.highWatermark} with ISR ${row.isr.join(", ")}; ${least} are needed`);
    });
    return {};
  },
};

/** The topic's own, else the cluster's, else what the nodes were started with. */
export function minIsrOf(run: Run, image: MetadataImage, topic: string, replicas: number): number {
  const text = image.config("topic", topic).get(NAME) ?? image.config("broker", "").get(NAME);
  return Math.min(text === undefined ? (run.cluster.nodes[0]?.config.settings.number(NAME) ?? 1) : Number(text), replicas);
}

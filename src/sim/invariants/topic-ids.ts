import { type Invariant } from "./invariant.js";

/** A topic's id is used once, and one live topic has a name. */
export const topicIds: Invariant = {
  name: "topic-ids",
  source: "reliability.md M9; KIP-516",
  watch(run, { metadata }) {
    const ids = new Set<string>();
    const live = new Map<string, string>();
    metadata.onRecord.on(({ record, position }) => {
      if (record.kind === "topic-deleted") for (const [name, id] of live) if (id === record.topicId) live.delete(name);
      if (record.kind !== "topic-made") return;
      if (ids.has(record.topicId)) run.violate("topic-ids", `topic ${record.name} at ${position} has id ${record.topicId}, which was used before`);
      if (live.has(record.name)) run.violate("topic-ids", `a second topic ${record.name} is made at ${position}`);
      ids.add(record.topicId);
      live.set(record.name, record.topicId);
    });
    return {};
  },
};

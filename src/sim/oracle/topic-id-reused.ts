/** An id belongs to one topic for ever: not to two names, nor to two that were made one after the other. */
import type { Judge, Rule } from "./rule.js";

export function topicIdReused(_: Judge, found: (text: string) => void): Rule {
  const names = new Map<string, string>();
  const made = new Set<string>();
  const name = (id: string, topic: string) => {
    const before = names.get(id);
    if (before !== undefined && before !== topic) found(`id ${id} belongs to ${before} and to ${topic}`);
    names.set(id, topic);
  };
  return {
    name: "topic-id-reused",
    source: "reliability.md M9; KIP-516",
    read(entry) {
      if (entry.f === "metadata") for (const topic of entry.shown.topics) name(topic.id, topic.name);
      else if (entry.f === "admin" && entry.type === "ok" && entry.op.work.kind === "create") {
        const { topicId, topic } = entry.op.work;
        if (made.has(topicId)) found(`${topic} was made with id ${topicId}, which another topic had got before`);
        made.add(topicId);
        name(topicId, topic);
      }
    },
  };
}

/**
 * A topic that was made is there until somebody asks for its deletion: a broker that has shown it goes on doing so, and when all has healed every broker
 * shows all that were made, as many partitions as were acknowledged, and none that were deleted.
 */
import type { Judge, Rule } from "./rule.js";

interface Topic {
  readonly name: string;
  partitions: number;
  /** When its deletion was first asked for, and when one was acknowledged. */
  leavesMs: number;
  leftMs: number;
}

export function topicGone(_: Judge, found: (text: string) => void): Rule {
  const topics = new Map<string, Topic>();
  const shown = new Map<string, Map<string, { readonly id: string; readonly atMs: number }>>();
  return {
    name: "topic-gone",
    source: "reliability.md M9",
    read(entry) {
      if (entry.f === "admin") {
        const { work } = entry.op;
        if (work.kind === "create" && entry.type === "ok") topics.set(work.topicId, { name: work.topic, partitions: work.partitions, leavesMs: Infinity, leftMs: Infinity });
        else if (work.kind === "delete") {
          const topic = topics.get(work.topicId);
          if (topic !== undefined && entry.type === "invoke") topic.leavesMs = Math.min(topic.leavesMs, entry.atMs);
          if (topic !== undefined && entry.type === "ok") topic.leftMs = Math.min(topic.leftMs, entry.atMs);
        } else if (work.kind === "grow" && entry.type === "ok") {
          const topic = topics.get(work.topicId);
          if (topic !== undefined) topic.partitions = Math.max(topic.partitions, work.partitions);
        }
        return;
      }
      if (entry.f !== "metadata") return;
      const { broker, invokedMs, unknown, final } = entry.shown;
      let there = shown.get(broker);
      if (there === undefined) shown.set(broker, (there = new Map()));
      const now = new Map(entry.shown.topics.map((topic) => [topic.name, topic]));
      for (const name of [...unknown, ...now.keys()]) {
        const before = there.get(name);
        const topic = before === undefined ? undefined : topics.get(before.id);
        if (before === undefined || topic === undefined || before.atMs >= invokedMs || now.get(name)?.id === before.id) continue;
        if (topic.leavesMs === Infinity) return found(`${broker} showed topic ${name} with id ${before.id}, and now ${now.get(name)?.id ?? "knows no such topic"}, though nobody deleted it`);
      }
      for (const topic of now.values()) there.set(topic.name, { id: topic.id, atMs: entry.atMs });
      if (!final) return;
      for (const [id, topic] of topics) {
        const found_ = now.get(topic.name);
        if (topic.leavesMs === Infinity && found_?.id !== id) return found(`at the end ${broker} does not know topic ${topic.name} with id ${id}, which was made and never deleted; it shows ${found_?.id ?? "none of that name"}`);
        if (topic.leavesMs === Infinity && found_ !== undefined && found_.partitions.length < topic.partitions) return found(`at the end ${broker} shows ${found_.partitions.length} partitions of ${topic.name}, which has ${topic.partitions}`);
        if (topic.leftMs < Infinity && found_?.id === id) return found(`at the end ${broker} still shows topic ${topic.name} with id ${id}, whose deletion was acknowledged at ${Math.round(topic.leftMs)} ms`);
      }
    },
  };
}

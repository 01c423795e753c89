/** What one broker shows of the metadata does not go back while its process lives: leader epochs do not fall, and a topic that went does not return. */
import type { Judge, Rule } from "./rule.js";

interface Known {
  atMs: number;
  epochs: number[];
  gone: boolean;
}

export function metadataBack(_: Judge, found: (text: string) => void): Rule {
  const brokers = new Map<string, Map<string, Known>>();
  const names = new Map<string, string>(); // by id
  return {
    name: "metadata-back",
    source: "reliability.md R13, M1, M3",
    read(entry) {
      if (entry.f !== "metadata") return;
      const { broker, topics, unknown, invokedMs } = entry.shown;
      let there = brokers.get(broker);
      if (there === undefined) brokers.set(broker, (there = new Map()));
      for (const topic of topics) {
        let known = there.get(topic.id);
        if (known === undefined) there.set(topic.id, (known = { atMs: entry.atMs, epochs: [], gone: false }));
        else if (known.atMs < invokedMs) {
          if (known.gone) return found(`${broker} shows topic ${topic.name} with id ${topic.id} again, after it had gone`);
          for (const { index, epoch } of topic.partitions) {
            const before = known.epochs[index] ?? -1;
            if (epoch < before) return found(`${broker} shows ${topic.name}-${index} in leader epoch ${epoch}, and ${before} before`);
          }
        } else continue; // asked before the other was answered
        known.atMs = entry.atMs;
        for (const { index, epoch } of topic.partitions) known.epochs[index] = epoch;
        for (const [id, other] of there) if (id !== topic.id && names.get(id) === topic.name && other.atMs < invokedMs) other.gone = true;
        names.set(topic.id, topic.name);
      }
      for (const name of unknown) for (const [id, known] of there) if (names.get(id) === name && known.atMs < invokedMs) known.gone = true;
    },
  };
}

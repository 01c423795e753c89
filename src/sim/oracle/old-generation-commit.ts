/** A member of an older generation commits nothing once a newer one is in force, whoever coordinates. */
import { Generations } from "./generations.js";
import type { Judge, Rule } from "./rule.js";

export function oldGenerationCommit(judge: Judge, found: (text: string) => void): Rule {
  const generations = new Generations();
  return {
    name: "old-generation-commit",
    source: "reliability.md G3, G7",
    read(entry) {
      if (entry.f === "assigned") generations.note(entry.assigned, entry.atMs);
      if (entry.f !== "commit" || entry.type !== "ok") return;
      const { member, generation, invokedMs, partition, offset } = entry.commit;
      const newest = generations.newest(member.group, invokedMs);
      if (newest > generation) found(`${member.group}: ${member.name} committed ${partition.text} at ${offset} as of generation ${generation}, after generation ${newest} had begun`);
      else if (newest === generation && newest > 1) judge.sometimes("a commit of a later generation was acknowledged");
    },
  };
}

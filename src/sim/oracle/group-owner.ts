/** In one generation of a group a partition belongs to one member. */
import type { Rule, Judge } from "./rule.js";

export function groupOwner(_: Judge, found: (text: string) => void): Rule {
  const owners = new Map<string, string>();
  return {
    name: "group-owner",
    source: "reliability.md G1, G5",
    read(entry) {
      if (entry.f !== "assigned") return;
      const { member, generation, instance, partitions, memberId } = entry.assigned;
      for (const partition of partitions) {
        const key = `${member.group} ${generation} ${partition.number}`;
        const owner = owners.get(key);
        const self = instance ?? memberId;
        if (owner !== undefined && owner !== self) return found(`${member.group}: in generation ${generation} ${partition.text} belongs to ${owner} and to ${self} (${member.name})`);
        owners.set(key, self);
      }
    },
  };
}

/** A group's generation does not go back: who joins after a member had its assignment gets no older one. */
import { Generations } from "./generations.js";
import type { Judge, Rule } from "./rule.js";

export function generationBack(judge: Judge, found: (text: string) => void): Rule {
  const generations = new Generations();
  const committed = new Map<string, number>();
  return {
    name: "generation-back",
    source: "reliability.md G2",
    read(entry) {
      if (entry.f === "commit" && entry.type === "ok") committed.set(entry.commit.member.group, entry.atMs);
      if (entry.f !== "assigned") return;
      const { member, generation, joinedMs } = entry.assigned;
      const before = generations.newest(member.group, joinedMs);
      const lastMs = committed.get(member.group);
      // An empty group without offsets, or whose offsets have expired, is deleted; its name then starts anew.
      if (generation < before && lastMs !== undefined && entry.atMs - lastMs < judge.terms.offsetsExpiryMs / 2) {
        found(`${member.group}: ${member.name} asked to join at ${Math.round(joinedMs)} ms and is in generation ${generation}, but generation ${before} was handed out before`);
      }
      generations.note(entry.assigned, entry.atMs);
    },
  };
}

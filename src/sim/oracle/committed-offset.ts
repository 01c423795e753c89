/**
 * A group's committed offset of a partition is one register: who reads it gets the commit that was acknowledged last, or one whose answer never came,
 * or one under way. An unknown one may take effect late, but not after a newer generation is in force.
 */
import { Generations } from "./generations.js";
import type { Commit, Member, Partition } from "./history.js";
import type { Judge, Rule } from "./rule.js";

interface Candidate {
  readonly offset: number;
  readonly commit: Commit | null;
  /** Since when something else has surely taken its place; a reader that had asked by then may still get it. */
  goneMs: number;
}

const REMEMBER_MS = 600_000; // no answer comes so late

export function committedOffset(judge: Judge, found: (text: string) => void): Rule {
  const registers = new Map<string, Candidate[]>();
  const generations = new Generations();
  const lastOkMs = new Map<string, number>();
  const keyOf = (member: Member, partition: Partition) => `${member.group} ${partition.number}`;
  const register = (key: string): Candidate[] => {
    let candidates = registers.get(key);
    if (candidates === undefined) registers.set(key, (candidates = [{ offset: -1, commit: null, goneMs: Infinity }]));
    return candidates;
  };

  function acknowledged(key: string, commit: Commit, atMs: number): void {
    const kept = register(key).filter((one) => one.goneMs > atMs - REMEMBER_MS);
    for (const one of kept) if (one.commit !== commit && one.goneMs === Infinity && isBefore(one.commit, commit)) one.goneMs = atMs;
    registers.set(key, kept);
    lastOkMs.set(key, atMs);
  }

  /** All that `earlier` could do was done before `later` was asked for. */
  function isBefore(earlier: Commit | null, later: Commit): boolean {
    if (earlier === null || earlier.outcome === "fail") return true;
    if (earlier.outcome === "ok") return earlier.endedMs < later.invokedMs;
    return generations.newest(later.member.group, later.invokedMs) > earlier.generation;
  }

  return {
    name: "committed-offset",
    source: "reliability.md G4; issue 4; Bufstream's Jepsen report",
    read(entry) {
      if (entry.f === "assigned") generations.note(entry.assigned, entry.atMs);
      else if (entry.f === "commit") {
        const { commit } = entry;
        const key = keyOf(commit.member, commit.partition);
        if (entry.type === "invoke") register(key).push({ offset: commit.offset, commit, goneMs: Infinity });
        else if (entry.type === "ok") acknowledged(key, commit, entry.atMs);
        else if (entry.type === "fail") registers.set(key, register(key).filter((one) => one.commit !== commit));
      } else if (entry.f === "committed") {
        const { member, partition, offset, invokedMs } = entry.shown;
        const key = keyOf(member, partition);
        const candidates = register(key);
        if (candidates.some((one) => one.offset === offset && one.goneMs >= invokedMs)) return;
        if (offset === -1 && entry.atMs - (lastOkMs.get(key) ?? 0) > judge.terms.offsetsExpiryMs / 2) {
          candidates.push({ offset: -1, commit: null, goneMs: Infinity });
          return;
        }
        const may = [...new Set(candidates.filter((one) => one.goneMs >= invokedMs).map((one) => one.offset))];
        found(`${member.group}: ${member.name} asked at ${Math.round(invokedMs)} ms what was committed of ${partition.text} and got ${offset}; it can be ${may.slice(-8).join(" or ")}${may.length > 8 ? " …" : ""}`);
      }
    },
  };
}

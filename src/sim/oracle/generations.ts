/** Since when each generation of each group is known to be in force: since a member had its assignment, which is in the log by then. */
import type { Assigned } from "./history.js";

export class Generations {
  readonly #since = new Map<string, { readonly generation: number; readonly atMs: number }[]>();

  note({ member, generation }: Assigned, atMs: number): void {
    const known = this.#since.get(member.group);
    if (known === undefined) this.#since.set(member.group, [{ generation, atMs }]);
    else if (known.every((one) => one.generation < generation)) known.push({ generation, atMs });
  }

  /** The newest that was in force before then; -1 for none. */
  newest(group: string, beforeMs: number): number {
    const known = this.#since.get(group) ?? [];
    for (let i = known.length - 1; i >= 0; i--) {
      const one = known[i];
      if (one !== undefined && one.atMs < beforeMs) return one.generation;
    }
    return -1;
  }
}

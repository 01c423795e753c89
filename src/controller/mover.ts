/**
 * Carries out walks over all partitions block by block: each block is decided, committed, and others have their turn before the next. A leader that is deposed
 * stops where it is, and the next one begins anew: what is done already asks for nothing.
 */
import type { ClusterImage } from "../metadata/cluster-image.js";
import type { World } from "../world/world.js";
import { START, type Block, type Cursor } from "./decide/partition-change.js";
import type { MetadataMachine } from "./machine.js";

/** How soon a block is proposed again when too much waits to be committed. */
const BUSY_MS = 20;

export type Moved =
  /** `position` of the last batch; null when nothing had to be done. */
  | { readonly ok: true; readonly position: bigint | null }
  | { readonly ok: false };

export class Mover {
  blocks = 0;

  /** @param reigns tells whether we still lead in the term that the walk began in */
  constructor(readonly world: World, readonly machine: MetadataMachine) {}

  /** @param onBlock told the position of each block once it is committed, the first one too */
  async walk(reigns: () => boolean, step: (image: ClusterImage, from: Cursor) => Block, onBlock: (position: bigint) => void = () => undefined): Promise<Moved> {
    let position: bigint | null = null;
    for (let from: Cursor | null = START; from !== null; ) {
      const image = this.machine.newest;
      if (image === null || !reigns()) return { ok: false };
      const block: Block = step(image, from);
      if (block.records.length > 0) {
        this.blocks++;
        const outcome = await this.machine.decide(() => ({ records: block.records, reply: null })); // decided on this very image
        if (!outcome.ok && (outcome.unknown || !reigns())) return { ok: false };
        if (!outcome.ok) {
          await this.world.clock.sleep(BUSY_MS);
          continue;
        }
        position = outcome.position;
        onBlock(position);
      } else if (block.next !== null) await this.world.clock.yield();
      from = block.next;
    }
    return { ok: true, position };
  }
}

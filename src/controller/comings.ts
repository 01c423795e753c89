/**
 * Brokers that come and go, and all their partitions with them: block by block, so that a hundred thousand hold nobody up, and one thing at a time for each
 * broker, so that it is not registered while its old incarnation's leaders still move. What one controller leaves half done the next one finishes first.
 */
import type { NodeId } from "../base/ids.js";
import type { World } from "../world/world.js";
import { decideRegister, fenceBlock, mendBlock, REGISTER_START, stopBlock, unfenceBlock, type RegisterReply, type Registering } from "./decide/brokers.js";
import type { DecideContext } from "./decide/context.js";
import { Lanes } from "./lanes.js";
import type { MetadataMachine, Outcome } from "./machine.js";
import { Mover } from "./mover.js";

export interface ComingsHooks {
  /** After each block of a fence is committed, the first one too: what it has to know before it is let in again. */
  onFenced(id: NodeId, epoch: bigint, position: bigint): void;
  onUnfenced(id: NodeId): void;
}

export class Comings {
  readonly #lanes = new Lanes();
  readonly #fencing = new Set<NodeId>();
  readonly #mover: Mover;
  #reign = 0;

  /** @param blockPartitions partitions that are decided at once */
  constructor(readonly world: World, readonly machine: MetadataMachine, readonly context: DecideContext, readonly blockPartitions: number, readonly hooks: ComingsHooks) {
    this.#mover = new Mover(world, machine);
  }

  begin(): void {
    this.#reign++;
    this.#fencing.clear();
    this.#mend();
  }

  end(): void {
    this.#reign++;
  }

  /** Plain data: brokers that are being fenced, and how many have something under way. */
  inspect(): { readonly fencing: readonly NodeId[]; readonly lanes: number } {
    return { fencing: [...this.#fencing].sort((a, b) => a - b), lanes: this.#lanes.busy };
  }

  /** Answers once it is registered, after the end of everything that an earlier incarnation led. */
  register(broker: Registering): Promise<Outcome<RegisterReply>> {
    return this.#lanes.run(broker.nodeId, async () => {
      const secret = Buffer.from(this.world.random.bytes(24)).toString("base64url");
      const reigns = this.#reigning();
      for (let at = REGISTER_START; ; ) {
        if (!reigns()) return { ok: false, leader: this.machine.standing.leader, unknown: false };
        const outcome = await this.machine.decide((image) => decideRegister(image, broker, secret, at, this.blockPartitions, this.context));
        if (!outcome.ok || !outcome.reply.ok || outcome.reply.again === null) return outcome;
        at = outcome.reply.again;
      }
    });
  }

  /**
   * True once it is known to be unfenced; its partitions get their leaders meanwhile.
   *
   * @param isDue asked when its turn comes: it may have been fenced again while this waited
   */
  unfence(id: NodeId, epoch: bigint, isDue: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const reigns = this.#reigning();
      const unfencing = this.#lanes.run(id, async () => {
        const known = this.machine.newest?.broker(id);
        const due = reigns() && known?.epoch === epoch && isDue();
        if (due && known.fenced) {
          let told = false;
          // Once begun it goes on without a session: a fence that is wanted meanwhile is what ends it.
          await this.#mover.walk(() => reigns() && !this.#fencing.has(id), (image, from) => unfenceBlock(image, id, from, this.blockPartitions, this.context), () => {
            if (!told) {
              this.hooks.onUnfenced(id);
              this.world.logger.info({ broker: id, epoch }, "broker unfenced");
            }
            told = true;
            resolve(true);
          });
        }
        resolve(due && !known.fenced);
      });
      this.world.own(unfencing, `unfencing broker ${id}`);
    });
  }

  /** @returns the position of the last batch that moved its leaders away; null when they have not all moved: ask again */
  stop(id: NodeId): Promise<bigint | null> {
    const reigns = this.#reigning();
    return this.#lanes.run(id, async () => {
      const moved = await this.#mover.walk(() => reigns() && !this.#fencing.has(id), (image, from) => stopBlock(image, id, from, this.blockPartitions, this.context));
      const standing = await this.machine.decide((image) => ({ records: [], reply: image.broker(id)?.stopping === true }));
      if (!moved.ok || !standing.ok || !standing.reply) return null;
      this.world.logger.info({ broker: id }, "broker is stopping: its leaders have moved");
      return moved.position ?? standing.position;
    });
  }

  fence(id: NodeId, epoch: bigint, how: string): void {
    if (this.#fencing.has(id)) return;
    this.#fencing.add(id);
    const reigns = this.#reigning();
    const fencing = this.#lanes.run(id, async () => {
      const known = this.machine.newest?.broker(id);
      if (reigns() && known?.epoch === epoch && !known.fenced) {
        let told = false;
        await this.#mover.walk(reigns, (image, from) => fenceBlock(image, id, from, this.blockPartitions, this.context), (position) => {
          this.hooks.onFenced(id, epoch, position);
          if (!told) this.world.logger.warn({ broker: id, epoch, how }, "broker fenced");
          told = true;
        });
      }
      if (reigns()) this.#fencing.delete(id);
    });
    this.world.own(fencing, `fencing broker ${id}`);
  }

  #mend(): void {
    const reigns = this.#reigning();
    let before: Promise<unknown> = this.world.clock.yield();
    for (const { id } of this.machine.newest?.brokers() ?? []) {
      const turn = before;
      before = this.#lanes.run(id, async () => {
        await turn; // one after the other, or all these first blocks would be one long turn
        await this.#mover.walk(reigns, (image, from) => mendBlock(image, id, from, this.blockPartitions, this.context));
      });
    }
    this.world.own(before, "finishing what the last controller had begun");
  }

  /** Do we still lead in the reign that it is now? */
  #reigning(): () => boolean {
    const reign = this.#reign;
    return () => reign === this.#reign;
  }
}

/**
 * Who lives, as the active controller sees it. Two ways to lose the lease: silence, and proof of death, which needs the end of the session stream and a plain
 * dial to the broker's port that is refused twice, 50 ms apart. Design §6.
 */
import type { NodeId } from "../base/ids.js";
import type { ClusterImage } from "../metadata/cluster-image.js";
import { NetworkFault } from "../world/network.js";
import type { Timer } from "../world/clock.js";
import type { World } from "../world/world.js";

const DIAL_MS = 1_000;
const AGAIN_MS = 50;
/** Between the two looks at who is silent. */
const CONFIRM_MS = 100;
/** A timer that is so late tells that this node was frozen. */
const LATE_MS = 200;

export class Liveness {
  readonly #heardMs = new Map<NodeId, number>();
  readonly #proving = new Set<NodeId>();
  #generation = 0;
  #timer: Timer | null = null;

  constructor(readonly world: World, readonly leaseMs: () => number, readonly image: () => ClusterImage | null, readonly onDead: (id: NodeId, epoch: bigint, how: "silence" | "refused") => void) {}

  /** A new reign: nobody has been heard by us, everybody has a full lease, and who cannot be reached is found at once. */
  begin(): void {
    this.#generation++;
    this.#heardMs.clear();
    this.#proving.clear();
    for (const broker of this.image()?.brokers() ?? []) {
      if (broker.fenced) continue;
      this.heard(broker.id);
      this.prove(broker.id, broker.epoch);
    }
  }

  end(): void {
    this.#generation++;
    this.#heardMs.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Counts while we are the active controller. */
  heard(id: NodeId): void {
    this.#heardMs.set(id, this.world.clock.nowMs());
    if (this.#timer === null) this.#arm(this.world.clock.nowMs() + this.leaseMs());
  }

  /** Plain data: whose lease is watched, and how many are being dialled. */
  inspect(): { readonly watched: readonly NodeId[]; readonly proving: number; readonly armed: boolean } {
    return { watched: [...this.#heardMs.keys()].sort((a, b) => a - b), proving: this.#proving.size, armed: this.#timer !== null };
  }

  /**
   * The session's stream has ended without goodbye: is anybody still there?
   *
   * @param host where that stream came from; null: where the broker registered its port
   */
  prove(id: NodeId, epoch: bigint, host: string | null = null): void {
    if (this.#proving.has(id)) return;
    this.#proving.add(id);
    const generation = this.#generation;
    const proof = this.#isRefusedTwice(id, host).then((dead) => {
      if (generation !== this.#generation) return;
      this.#proving.delete(id);
      const broker = this.image()?.broker(id);
      if (dead && broker !== null && broker !== undefined && broker.epoch === epoch && !broker.fenced) this.onDead(id, epoch, "refused");
    });
    this.world.own(proof, `dialling broker ${id}`);
  }

  async #isRefusedTwice(id: NodeId, host: string | null): Promise<boolean> {
    if (!(await this.#isRefused(id, host))) return false;
    await this.world.clock.sleep(AGAIN_MS);
    return this.#isRefused(id, host);
  }

  async #isRefused(id: NodeId, host: string | null): Promise<boolean> {
    const broker = this.image()?.broker(id);
    if (broker === null || broker === undefined) return false;
    try {
      const connection = await this.world.network.connect({ host: host ?? broker.nodePort.host, port: broker.nodePort.port, timeoutMs: DIAL_MS });
      connection.destroy();
      return false;
    } catch (error) {
      if (!(error instanceof NetworkFault)) throw error;
      return error.code === "refused"; // anything else proves nothing
    }
  }

  /** One timer, for the earliest lease that can end: what is heard moves leases away, and the timer finds that out when it fires. */
  #arm(atMs: number, silent: readonly NodeId[] = []): void {
    this.#timer?.cancel();
    this.#timer = this.world.clock.after(Math.max(0, atMs - this.world.clock.nowMs()), () => {
      this.#timer = null;
      this.#check(atMs, silent);
    });
  }

  /**
   * Who was silent for a lease is looked at once more a moment later, and only then is gone: heartbeats that came while this node was busy have not been read
   * at the first look. After a freeze of its own it gives half a lease more, since its lateness is nobody's silence.
   *
   * @param silent who was so at the first look
   */
  #check(dueMs: number, silent: readonly NodeId[]): void {
    const now = this.world.clock.nowMs();
    const late = now - dueMs > LATE_MS;
    const leaseMs = this.leaseMs();
    const suspects: NodeId[] = [];
    let nextMs = Infinity;
    for (const [id, heardMs] of [...this.#heardMs].sort(([a], [b]) => a - b)) {
      if (now - heardMs < leaseMs) {
        nextMs = Math.min(nextMs, heardMs + leaseMs);
        continue;
      }
      const broker = this.image()?.broker(id) ?? null;
      if (broker === null || broker.fenced) this.#heardMs.delete(id);
      else if (late) {
        this.#heardMs.set(id, now - leaseMs / 2);
        nextMs = Math.min(nextMs, now + leaseMs / 2);
      } else if (!silent.includes(id)) suspects.push(id);
      else {
        nextMs = Math.min(nextMs, now + leaseMs); // should that fail, it is tried again
        this.onDead(id, broker.epoch, "silence");
      }
    }
    if (suspects.length > 0) this.#arm(now + CONFIRM_MS, suspects);
    else if (nextMs < Infinity) this.#arm(nextMs);
  }
}

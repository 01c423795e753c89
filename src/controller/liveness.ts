/**
 * Who lives, as the active controller sees it. Two ways to lose the lease: silence, and proof of death, which needs the end of the session stream and a plain
 * dial to the broker's port that is refused twice, 50 ms apart. Design §6.
 */
import type { NodeId } from "../base/ids.js";
import type { ClusterImage } from "../metadata/cluster-image.js";
import { NetworkFault } from "../world/network.js";
import type { World } from "../world/world.js";

const DIAL_MS = 1_000;
const AGAIN_MS = 50;
const SWEEP_MS = 100;
const LATE_MS = 200;

export class Liveness {
  readonly #heardMs = new Map<NodeId, number>();
  readonly #proving = new Set<NodeId>();
  #generation = 0;

  constructor(readonly world: World, readonly leaseMs: () => number, readonly image: () => ClusterImage | null, readonly onDead: (id: NodeId, epoch: bigint, how: "silence" | "refused") => void) {}

  /** A new reign: nobody has been heard by us, everybody has a full lease, and who cannot be reached is found at once. */
  begin(): void {
    this.#generation++;
    this.#heardMs.clear();
    this.#proving.clear();
    const now = this.world.clock.nowMs();
    for (const broker of this.image()?.brokers() ?? []) {
      if (broker.fenced) continue;
      this.#heardMs.set(broker.id, now);
      this.prove(broker.id, broker.epoch);
    }
    this.#sweepLater(this.#generation);
  }

  end(): void {
    this.#generation++;
    this.#heardMs.clear();
  }

  heard(id: NodeId): void {
    this.#heardMs.set(id, this.world.clock.nowMs());
  }

  isLeased(id: NodeId): boolean {
    return this.world.clock.nowMs() - (this.#heardMs.get(id) ?? -Infinity) < this.leaseMs();
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

  #sweepLater(generation: number): void {
    const dueMs = this.world.clock.nowMs() + SWEEP_MS;
    this.world.clock.after(SWEEP_MS, () => {
      if (generation !== this.#generation) return;
      // Heartbeats that came while this node itself was frozen have not been read yet: its own lateness is nobody's silence.
      const lateMs = this.world.clock.nowMs() - dueMs;
      if (lateMs > LATE_MS) for (const [id, heardMs] of this.#heardMs) this.#heardMs.set(id, heardMs + lateMs);
      for (const broker of this.image()?.brokers() ?? []) {
        if (broker.fenced) continue;
        if (!this.#heardMs.has(broker.id)) this.#heardMs.set(broker.id, this.world.clock.nowMs());
        if (!this.isLeased(broker.id)) this.onDead(broker.id, broker.epoch, "silence");
      }
      this.#sweepLater(generation);
    });
  }
}

/** A partition's log as a coordinator sees it, during one reign. */
import { offset as toOffset, type Epoch, type Offset } from "../base/ids.js";
import type { LentBytes } from "../log/partition-log.js";
import type { ErrorName } from "../protocol/errors.js";
import type { World } from "../world/world.js";
import type { Producing } from "./producing.js";
import type { Replica } from "./replica.js";
import type { LeaderLog } from "./replicas.js";
import type { WaitingRoom } from "./waiting.js";

/** A coordinator's batch waits this long for its replicas; a reign that cannot commit is worth more patience than a client's. */
const COMMIT_WAIT_MS = 24 * 3_600_000;

export class RunningLog implements LeaderLog {
  constructor(readonly world: World, readonly replica: Replica, readonly epoch: Epoch, readonly waiting: WaitingRoom, readonly producing: Producing) {}

  get start(): Offset {
    return this.replica.log.start;
  }

  get end(): Offset {
    return this.replica.log.end;
  }

  get highWatermark(): Offset {
    return this.replica.highWatermark;
  }

  get leading(): boolean {
    return this.replica.role.name === "leader" && this.replica.role.view.epoch === this.epoch;
  }

  async read(from: Offset, maxBytes: number): Promise<LentBytes & { readonly next: Offset }> {
    const { log } = this.replica;
    const plan = log.plan(toOffset(Math.max(from, log.start)), { maxBytes, upTo: log.writtenEnd, wholeFirstBatch: true });
    if (plan.bytes === 0) return { parts: [], release: () => undefined, next: plan.next };
    const lent = await log.read(plan);
    return { parts: lent.parts, release: () => lent.release(), next: plan.next };
  }

  append(batch: Uint8Array): { readonly ok: true; readonly base: Offset; readonly last: Offset; readonly committed: Promise<boolean> } | { readonly ok: false; readonly error: ErrorName } {
    const { role, log } = this.replica;
    if (role.name !== "leader" || role.view.epoch !== this.epoch) return { ok: false, error: "NOT_LEADER_OR_FOLLOWER" };
    if (role.view.isr.length < role.view.minIsr) return { ok: false, error: "NOT_ENOUGH_REPLICAS" };
    const result = log.appendAsLeader(batch, { epoch: this.epoch, nowMs: this.world.clock.wallMs(), origin: "coordinator" });
    if (!result.ok) return { ok: false, error: result.error };
    if (this.replica.rules.durable) log.requestSync();
    this.replica.onMove();
    return { ok: true, base: result.base, last: result.last, committed: this.#committed(result.last + 1) };
  }

  #committed(end: number): Promise<boolean> {
    const settled = (): boolean | null => (!this.leading ? false : this.replica.highWatermark >= end ? true : null);
    const now = settled();
    if (now !== null) return Promise.resolve(now);
    return new Promise((resolve) => {
      const check = () => {
        const verdict = settled();
        if (verdict === null) return false;
        resolve(verdict);
        return true;
      };
      this.waiting.add({ check, expire: () => resolve(false) }, [this.replica.key], COMMIT_WAIT_MS);
    });
  }
}

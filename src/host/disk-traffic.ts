/**
 * The awaited work of one Disk on its way through the thread pool: gated unless it is the quorum's, never started by a dead World, and
 * counted, so that the folder's lock is given up only when the last of it has ended.
 */
import { diskFault } from "./disk-fault.js";
import type { Life } from "./life.js";
import { dataGate, type PoolWork } from "./thread-pool.js";

export type SyncClass = "raft" | "data";

export class DiskTraffic {
  readonly #life: Life;
  readonly #class: SyncClass;
  #running = 0;
  #onIdle: (() => void)[] = [];

  constructor(life: Life, syncClass: SyncClass) {
    this.#life = life;
    this.#class = syncClass;
  }

  /** @param after runs when the work has ended, whether anybody still waits for it or not */
  run<T>(kind: PoolWork, path: string, work: () => Promise<T>, after: () => void = () => undefined): Promise<T> {
    return this.#life.living(async () => {
      this.#running++;
      try {
        return await (this.#class === "raft" ? work() : dataGate.run(kind, () => this.#whileAlive(work)));
      } catch (error) {
        throw diskFault(error, path);
      } finally {
        this.#running--;
        after();
        this.#settle();
      }
    });
  }

  /** Asked again after the wait at the gate. The refusal reaches nobody: a dead World settles nothing. */
  #whileAlive<T>(work: () => Promise<T>): Promise<T> {
    this.#life.check();
    return work();
  }

  /** Calls back at once, or when what is under way has ended. */
  whenIdle(fn: () => void): void {
    this.#onIdle.push(fn);
    this.#settle();
  }

  #settle(): void {
    if (this.#running > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const fn of waiting) fn();
  }
}

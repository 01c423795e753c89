/**
 * Bounds how many fdatasyncs of data run in the shared thread pool at once, so that a thread is always free for the raft log, whose sync
 * never waits here (design §5).
 */
const KEPT_FREE = 4;

export class SyncGate {
  readonly #limit: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(threads: number) {
    this.#limit = Math.max(1, threads - KEPT_FREE);
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** As libuv reads it: from the environment, before the first use of the pool. */
export function threadPoolSize(): number {
  const given = Number(process.env["UV_THREADPOOL_SIZE"]);
  return Number.isInteger(given) && given > 0 ? Math.min(given, 1024) : 4;
}

/** One gate for all Worlds of this process: they share the pool. */
export const dataSyncs = new SyncGate(threadPoolSize());

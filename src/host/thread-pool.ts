/**
 * Keeps threads of libuv's shared pool free for the quorum's log. Syncs of data hold at most (size - 4) of them, and all work of
 * data together leaves 2; the raft log's work never waits here (design §5). The gate counts for one thread of ours; data
 * belongs to one thread, so that is the process.
 */
const KEPT_FREE_BY_SYNCS = 4;
const KEPT_FREE_BY_ALL = 2;

export type PoolWork = "sync" | "other";

export class PoolGate {
  readonly #syncMax: number;
  readonly #allMax: number;
  #syncs = 0;
  #all = 0;
  readonly #waiting: { readonly [kind in PoolWork]: (() => void)[] } = { sync: [], other: [] };

  constructor(threads: number) {
    this.#syncMax = Math.max(1, threads - KEPT_FREE_BY_SYNCS);
    this.#allMax = Math.max(1, threads - KEPT_FREE_BY_ALL);
  }

  async run<T>(kind: PoolWork, work: () => Promise<T>): Promise<T> {
    if (!this.#admits(kind)) await new Promise<void>((resolve) => this.#waiting[kind].push(resolve));
    else this.#take(kind);
    try {
      return await work();
    } finally {
      this.#all--;
      if (kind === "sync") this.#syncs--;
      this.#wake();
    }
  }

  #admits(kind: PoolWork): boolean {
    return this.#waiting[kind].length === 0 && this.#hasRoom(kind);
  }

  #hasRoom(kind: PoolWork): boolean {
    return this.#all < this.#allMax && (kind === "other" || this.#syncs < this.#syncMax);
  }

  #take(kind: PoolWork): void {
    this.#all++;
    if (kind === "sync") this.#syncs++;
  }

  /** Syncs first: somebody's acknowledgement waits for each of them. */
  #wake(): void {
    for (const kind of ["sync", "other"] as const) {
      while (this.#waiting[kind].length > 0 && this.#hasRoom(kind)) {
        this.#take(kind); // for the one that is woken, so that nobody slips in before it runs
        this.#waiting[kind].shift()?.();
      }
    }
  }
}

/** As libuv reads it: from the environment, before the first use of the pool. */
export function threadPoolSize(): number {
  const given = Number(process.env["UV_THREADPOOL_SIZE"]);
  return Number.isInteger(given) && given > 0 ? Math.min(given, 1024) : 4;
}

/** One gate for all Worlds of this thread: they share the pool. */
export const dataGate = new PoolGate(threadPoolSize());

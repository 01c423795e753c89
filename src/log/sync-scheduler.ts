/**
 * Orders the fdatasyncs of a log directory. Requests of one log merge while they wait; at most one sync of a log is in flight, and at most
 * `parallel` in all. Behind an interface, so that a shared journal can take the place of a sync per file.
 */
export interface SyncScheduler {
  /** Has `target` synced once there is room. A request while one waits already adds nothing. */
  request(target: SyncTarget): void;
  readonly inFlight: number;
}

export interface SyncTarget {
  /** Begins to sync what is written now; null when there is nothing to do any more. Never rejects: a failed sync halts the world. */
  beginSync(): Promise<void> | null;
}

export class FileSyncScheduler implements SyncScheduler {
  readonly #parallel: number;
  readonly #own: (promise: Promise<unknown>, what: string) => void;
  readonly #waiting = new Set<SyncTarget>(); // in order of arrival
  readonly #running = new Set<SyncTarget>();

  constructor(options: { readonly parallel: number; readonly own: (promise: Promise<unknown>, what: string) => void }) {
    this.#parallel = options.parallel;
    this.#own = options.own;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  request(target: SyncTarget): void {
    this.#waiting.add(target);
    this.#start();
  }

  #start(): void {
    for (const target of this.#waiting) {
      if (this.#running.size >= this.#parallel) return;
      if (this.#running.has(target)) continue; // its next sync waits for this one
      this.#waiting.delete(target);
      const work = target.beginSync();
      if (work === null) continue;
      this.#running.add(target);
      this.#own(this.#finish(target, work), "a log's sync");
    }
  }

  async #finish(target: SyncTarget, work: Promise<void>): Promise<void> {
    await work;
    this.#running.delete(target);
    this.#start();
  }
}

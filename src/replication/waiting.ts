/** Requests that wait for something to happen to partitions. Woken at most once a tick for each partition, ended by their deadline or their client. */
import type { Timer } from "../world/clock.js";
import type { World } from "../world/world.js";

export interface Wait {
  /** Looks again; true when there is nothing left to wait for. */
  check(): boolean;
  /** The deadline has passed. */
  expire(): void;
}

interface Entry {
  readonly wait: Wait;
  readonly keys: readonly string[];
  timer: Timer | null;
  done: boolean;
}

export class WaitingRoom {
  readonly #byKey = new Map<string, Set<Entry>>();
  readonly #woken = new Set<string>();
  readonly #watchers = new Map<string, Set<() => void>>();
  #planned = false;
  #count = 0;

  constructor(readonly world: World) {}

  get count(): number {
    return this.#count;
  }

  /** @returns how to end the wait without an answer (the client is gone) */
  add(wait: Wait, keys: readonly string[], timeoutMs: number): () => void {
    const entry: Entry = { wait, keys, timer: null, done: false };
    for (const key of keys) {
      let set = this.#byKey.get(key);
      if (set === undefined) this.#byKey.set(key, (set = new Set()));
      set.add(entry);
    }
    this.#count++;
    entry.timer = this.world.clock.after(timeoutMs, () => {
      entry.timer = null;
      if (this.#leave(entry)) entry.wait.expire();
    });
    return () => void this.#leave(entry);
  }

  /** Calls back at once after each change there, until told otherwise: for those who come again and again, as sessions do. */
  watch(key: string, onMove: () => void): () => void {
    let set = this.#watchers.get(key);
    if (set === undefined) this.#watchers.set(key, (set = new Set()));
    set.add(onMove);
    return () => {
      set.delete(onMove);
      if (set.size === 0 && this.#watchers.get(key) === set) this.#watchers.delete(key);
    };
  }

  /** Something has changed there: who waits for it looks again at the end of this tick. */
  wake(key: string): void {
    const watchers = this.#watchers.get(key);
    if (watchers !== undefined) for (const onMove of watchers) onMove();
    if (!this.#byKey.has(key)) return;
    this.#woken.add(key);
    if (this.#planned) return;
    this.#planned = true;
    this.world.clock.soon(() => this.#look());
  }

  #look(): void {
    this.#planned = false;
    const entries = new Set<Entry>();
    for (const key of this.#woken) for (const entry of this.#byKey.get(key) ?? []) entries.add(entry);
    this.#woken.clear();
    for (const entry of entries) if (!entry.done && entry.wait.check()) this.#leave(entry);
  }

  #leave(entry: Entry): boolean {
    if (entry.done) return false;
    entry.done = true;
    entry.timer?.cancel();
    this.#count--;
    for (const key of entry.keys) {
      const set = this.#byKey.get(key);
      set?.delete(entry);
      if (set?.size === 0) this.#byKey.delete(key);
    }
    return true;
  }
}

/** Work on one partition runs one piece at a time, in the order given. Lanes go by topic id, folders by name, so leaving a folder is noted under its name. */
import type { World } from "../world/world.js";

export class Lanes {
  /** By `topic id/partition`. */
  readonly #lanes = new Map<string, Promise<void>>();
  /** Folder → until the replica that had it last has left it. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(readonly world: World) {}

  has(key: string): boolean {
    return this.#lanes.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#lanes.keys();
  }

  async settled(): Promise<void> {
    await Promise.all(this.#lanes.values());
  }

  run(key: string, work: () => Promise<void>): Promise<void> {
    const next = (this.#lanes.get(key) ?? Promise.resolve()).then(work).then(() => {
      if (this.#lanes.get(key) === next) this.#lanes.delete(key);
    });
    this.#lanes.set(key, next);
    this.world.own(next, `partition ${key}`);
    return next;
  }

  /** The same for work that ends with the replica out of its folder. */
  leave(key: string, topic: string, work: () => Promise<void>): void {
    const name = `${topic}-${key.slice(key.lastIndexOf("/") + 1)}`;
    const gone: Promise<void> = this.run(key, work).then(() => {
      if (this.#leaving.get(name) === gone) this.#leaving.delete(name);
    });
    this.#leaving.set(name, gone);
    this.world.own(gone, `leaving ${name}`);
  }

  /** Who opens a folder waits until an older topic's replica of that name has left it. */
  async left(topic: string, partition: number): Promise<void> {
    await this.#leaving.get(`${topic}-${partition}`);
  }
}

/** What happens to one broker happens one thing at a time: it is not registered while its old incarnation's leaders still move. */
import type { NodeId } from "../base/ids.js";

export class Lanes {
  readonly #last = new Map<NodeId, Promise<unknown>>();

  /** Runs `work` once all that was asked for this broker before is done. Work that fails halts the node, so nobody waits behind it. */
  run<T>(id: NodeId, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(id);
    const mine = before === undefined ? work() : before.then(work);
    this.#last.set(id, mine);
    return mine.finally(() => {
      if (this.#last.get(id) === mine) this.#last.delete(id);
    });
  }

  get busy(): number {
    return this.#last.size;
  }
}

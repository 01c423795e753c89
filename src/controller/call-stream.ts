/** Questions and answers over one stream: matched by number, ended by deadlines or with the stream. */
import type { RpcStream } from "../world/rpc.js";
import type { World } from "../world/world.js";
import { decodeCall, encodeCall, WireError } from "./wire.js";

const OPEN_MAX = 10_000;

export class CallStream<Q extends { readonly kind: string }, R extends { readonly kind: string }> {
  readonly #open = new Map<number, (reply: R | null) => void>();
  #next = 1;
  #ended = false;

  constructor(readonly world: World, readonly stream: RpcStream, readonly onEnd: (refused: boolean) => void) {
    stream.onMessage((bytes) => {
      try {
        const { id, message } = decodeCall<R>(bytes);
        this.#settle(id, message);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        stream.close();
      }
    });
    stream.onDrain(() => undefined);
    stream.onEnd((end) => {
      this.#ended = true;
      for (const id of [...this.#open.keys()]) this.#settle(id, null);
      onEnd(end === "refused");
    });
  }

  /** Null: not known to have been answered. */
  ask(question: Q, deadlineMs: number): Promise<R | null> {
    if (this.#ended || this.#open.size >= OPEN_MAX) return Promise.resolve(null);
    const id = this.#next;
    this.#next = this.#next === 0xffffffff ? 1 : this.#next + 1;
    return new Promise((resolve) => {
      const timer = this.world.clock.after(deadlineMs, () => this.#settle(id, null));
      this.#open.set(id, (reply) => {
        timer.cancel();
        resolve(reply);
      });
      this.stream.send(encodeCall(id, question));
    });
  }

  /** Questions that are not answered yet. */
  get open(): number {
    return this.#open.size;
  }

  tell(question: Q): void {
    if (!this.#ended) this.stream.send(encodeCall(0, question));
  }

  close(): void {
    this.stream.close();
  }

  /** Ends it without waiting for the other side: what is open is not known to have been answered. */
  abandon(): void {
    this.#ended = true;
    this.stream.close();
    for (const id of [...this.#open.keys()]) this.#settle(id, null);
  }

  #settle(id: number, reply: R | null): void {
    const resolve = this.#open.get(id);
    this.#open.delete(id);
    resolve?.(reply);
  }
}

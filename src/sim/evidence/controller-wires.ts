/** Calls between brokers and controllers that matter to invariants: ISR changes that were asked for, losses that were told, epochs and producer ids that were given. */
import { decodeCall, FEED, type FeedReply, type Question, type Reply, SESSION } from "../../controller/wire.js";
import { callKind } from "./raft-wire.js";
import { Signal } from "./signal.js";

export type IsrAsk = Extract<Question, { kind: "alter-isr" }>["changes"][number] & { readonly from: number };
export type Registered = { readonly to: number; readonly epoch: bigint };

/** Older ones were decided long ago. */
const ASKS_MAX = 5_000;

export class ControllerWires {
  readonly onProducerIds = new Signal<{ readonly to: number; readonly first: bigint; readonly count: number }>();
  readonly onRegistered = new Signal<Registered>();
  readonly onRegister = new Signal<{ readonly from: number; readonly ask: Extract<Question, { kind: "register" }>["broker"] }>();
  /** A batch of the feed, or the end of one: what a controller holds for committed. */
  readonly onFed = new Signal<{ readonly by: number; readonly position: number; readonly bytes: Uint8Array | null }>();
  readonly #asks: IsrAsk[] = [];
  /** Somebody asked for an election outside of ISR and ELR. */
  uncleanAsked = false;

  sent(from: number, to: number, method: string, bytes: Uint8Array): void {
    if (method === SESSION) this.#session(from, to, bytes);
    else if (method === FEED) this.#feed(from, bytes);
  }

  /** The newest first. */
  *asksFor(topicId: string, partition: number): IterableIterator<IsrAsk> {
    for (let i = this.#asks.length - 1; i >= 0; i--) {
      const ask = this.#asks[i];
      if (ask !== undefined && ask.topicId === topicId && ask.partition === partition) yield ask;
    }
  }

  #session(from: number, to: number, bytes: Uint8Array): void {
    switch (callKind(bytes)) {
      case "alter-isr": {
        const { message } = decodeCall<Question | Reply>(bytes);
        if (!("changes" in message)) return;
        for (const change of message.changes) this.#asks.push({ ...change, from });
        if (this.#asks.length > 2 * ASKS_MAX) this.#asks.splice(0, ASKS_MAX);
        return;
      }
      case "register": {
        const { message } = decodeCall<Question>(bytes);
        if (message.kind === "register") this.onRegister.tell({ from, ask: message.broker });
        return;
      }
      case "registered": {
        const { message } = decodeCall<Reply>(bytes);
        if (message.kind === "registered") this.onRegistered.tell({ to, epoch: message.epoch });
        return;
      }
      case "producer-ids": {
        const { message } = decodeCall<Reply | Question>(bytes);
        if ("first" in message && message.kind === "producer-ids") this.onProducerIds.tell({ to, first: message.first, count: message.count });
        return;
      }
      case "admin": {
        const { message } = decodeCall<Reply | Question>(bytes);
        if ("command" in message && message.command.kind === "elect-leaders" && message.command.type === "unclean") this.uncleanAsked = true;
        return;
      }
      default:
        return;
    }
  }

  #feed(by: number, bytes: Uint8Array): void {
    if (callKind(bytes) !== "batches") return;
    const { message } = decodeCall<FeedReply>(bytes);
    if (message.kind === "batches") for (const { position, bytes: batch } of message.batches) this.onFed.tell({ by, position: Number(position), bytes: batch });
  }
}


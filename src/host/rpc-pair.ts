/** A stream between two roles of one node: two queues. A message is copied, so that it is the receiver's own as from any other carrier. */
import type { RpcAddress, RpcEnd } from "../world/rpc.js";
import { NO_HANDLERS, type RawHandlers, type RawStream } from "./rpc-carrier.js";

export function streamPair(openerSees: RpcAddress, serverSees: RpcAddress): { readonly opener: RawStream; readonly server: RawStream } {
  const opener = new PairEnd(openerSees);
  const server = new PairEnd(serverSees);
  opener.other = server;
  server.other = opener;
  return { opener, server };
}

/** A stream that could not be opened. */
export function failedStream(to: RpcAddress, end: RpcEnd): RawStream {
  const stream = new PairEnd(to);
  stream.end(end);
  return stream;
}

class PairEnd implements RawStream {
  handlers: RawHandlers = NO_HANDLERS;
  other: PairEnd | null = null;
  #done = false;

  constructor(readonly remote: RpcAddress) {}

  send(message: Uint8Array, sent: () => void): void {
    const copy = new Uint8Array(message);
    setImmediate(() => {
      if (!this.#done) sent();
      this.other?.take(copy);
    });
  }

  close(): void {
    this.end("closed");
    setImmediate(() => this.other?.end("closed")); // behind the messages that are on their way
  }

  abort(): void {
    this.#done = true;
    this.other?.end("reset");
  }

  /** Told in a later turn, in order with the messages. */
  end(end: RpcEnd): void {
    setImmediate(() => {
      if (this.#done) return;
      this.#done = true;
      this.handlers.ended(end);
    });
  }

  take(message: Uint8Array): void {
    if (!this.#done) this.handlers.message(message);
  }
}

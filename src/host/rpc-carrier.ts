/**
 * What carries rpc streams, beneath the World's Rpc: gRPC, a pair of queues within one node, a MessagePort between threads.
 *
 *     role ── HostRpc ── Carrier ─┬─ hub (same thread) ─┬─ gRPC server and channels
 *                                 │                     └─ pair: to a role of this very node
 *                                 └─ port ═ thread ═ hub
 *
 * HostRpc adds what does not depend on the carrier: the life of the World, queue marks, "once" and "nothing afterwards".
 */
import type { Rpc, RpcAddress, RpcEnd, RpcStream } from "../world/rpc.js";
import { type Life } from "./life.js";
import type { WaterMarks } from "./connection.js";

/** One stream without manners. Handlers are set in the turn in which it was handed over; `ended` is called once, later than `open`. */
export interface RawStream {
  readonly remote: RpcAddress;
  handlers: RawHandlers;
  /** `sent` is called when the message has left the queue, or never if the stream ends first. */
  send(message: Uint8Array, sent: () => void): void;
  /** Sends what is queued, then ends; `ended("closed")` follows here too. */
  close(): void;
  /** Ends at once; the other side sees "reset". */
  abort(): void;
}

export interface RawHandlers {
  message(message: Uint8Array): void;
  ended(end: RpcEnd): void;
}

export interface Carrier {
  serve(method: string, onStream: (stream: RawStream) => void): Served;
  open(to: RpcAddress, method: string): RawStream;
}

export interface Served {
  stop(): void;
}

export const NO_HANDLERS: RawHandlers = { message: () => undefined, ended: () => undefined };
export const RPC_MARKS: WaterMarks = { highBytes: 4 << 20, lowBytes: 1 << 20 };
export const RPC_MESSAGE_MAX_BYTES = 64 << 20;

export class HostRpc implements Rpc {
  readonly #life: Life;
  readonly #carrier: Carrier;
  readonly #marks: WaterMarks;

  constructor(life: Life, carrier: Carrier, marks: WaterMarks = RPC_MARKS) {
    this.#life = life;
    this.#carrier = carrier;
    this.#marks = marks;
  }

  serve(method: string, onStream: (stream: RpcStream) => void): void {
    this.#life.check();
    const served = this.#carrier.serve(method, (raw) => {
      if (this.#life.halted) return raw.abort();
      this.#life.run(() => onStream(new HostRpcStream(this.#life, raw, this.#marks)));
    });
    this.#life.keep(() => served.stop());
  }

  open(to: RpcAddress, method: string): RpcStream {
    this.#life.check();
    return new HostRpcStream(this.#life, this.#carrier.open(to, method), this.#marks);
  }
}

class HostRpcStream implements RpcStream {
  readonly remote: RpcAddress;
  readonly #life: Life;
  readonly #raw: RawStream;
  readonly #marks: WaterMarks;
  readonly #forget: () => void;
  #onMessage: (message: Uint8Array) => void = () => undefined;
  #onEnd: (end: RpcEnd) => void = () => undefined;
  #onDrain: () => void = () => undefined;
  #queuedBytes = 0;
  #aboveHigh = false;
  #state: "open" | "closing" | "ended" = "open";

  constructor(life: Life, raw: RawStream, marks: WaterMarks) {
    this.#life = life;
    this.#raw = raw;
    this.#marks = marks;
    this.remote = raw.remote;
    this.#forget = life.keep(() => raw.abort());
    raw.handlers = {
      message: (message) => {
        if (this.#state === "open") life.run(() => this.#onMessage(message));
      },
      ended: (end) => this.#end(end),
    };
  }

  onMessage(callback: (message: Uint8Array) => void): void {
    this.#onMessage = callback;
  }

  onEnd(callback: (end: RpcEnd) => void): void {
    this.#onEnd = callback;
  }

  onDrain(callback: () => void): void {
    this.#onDrain = callback;
  }

  send(message: Uint8Array): boolean {
    this.#life.check();
    if (this.#state !== "open") return true; // it is dropped; the end has been told or is on its way
    const bytes = message.length;
    this.#queuedBytes += bytes;
    if (this.#queuedBytes > this.#marks.highBytes) this.#aboveHigh = true;
    this.#raw.send(message, () => this.#sent(bytes));
    return !this.#aboveHigh;
  }

  queuedBytes(): number {
    return this.#queuedBytes;
  }

  close(): void {
    this.#life.check();
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#raw.close();
  }

  #sent(bytes: number): void {
    if (this.#state === "ended") return;
    this.#queuedBytes -= bytes;
    if (!this.#aboveHigh || this.#queuedBytes >= this.#marks.lowBytes) return;
    this.#aboveHigh = false;
    if (this.#state === "open") this.#life.run(this.#onDrain);
  }

  #end(end: RpcEnd): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#queuedBytes = 0;
    this.#forget();
    this.#life.run(() => this.#onEnd(end));
  }
}

/** Rpc streams between a role and a hub in another thread: the role's end (PortCarrier) and the hub's (attachPort) of one MessagePort. */
import type { MessagePort } from "node:worker_threads";
import { unreachable } from "../base/assert.js";
import type { RpcAddress, RpcEnd } from "../world/rpc.js";
import { type Carrier, NO_HANDLERS, type RawHandlers, type RawStream, type Served } from "./rpc-carrier.js";
import { failedStream } from "./rpc-pair.js";

/** Ids of streams the role opened are positive, of those that it accepted negative. */
type ToHub =
  | { readonly kind: "serve" | "stop"; readonly method: string }
  | { readonly kind: "open"; readonly id: number; readonly to: RpcAddress; readonly method: string }
  | { readonly kind: "message"; readonly id: number; readonly message: Uint8Array }
  | { readonly kind: "close" | "abort"; readonly id: number };

type ToRole =
  | { readonly kind: "accepted"; readonly id: number; readonly method: string; readonly remote: RpcAddress }
  | { readonly kind: "message"; readonly id: number; readonly message: Uint8Array }
  | { readonly kind: "sent"; readonly id: number; readonly count: number }
  | { readonly kind: "ended"; readonly id: number; readonly end: RpcEnd };

/** A copy of its own buffer, which is then moved instead of copied a second time (and Node's pool is never copied whole). */
function post<Message extends ToHub | ToRole>(port: MessagePort, event: Message): void {
  if (event.kind !== "message") return port.postMessage(event);
  const message = new Uint8Array(event.message);
  port.postMessage({ ...event, message }, [message.buffer]);
}

// ---------------------------------------------------------------------------------------------------------------- the role's end

export class PortCarrier implements Carrier {
  readonly #port: MessagePort;
  readonly #served = new Map<string, (stream: RawStream) => void>();
  readonly #streams = new Map<number, PortStream>();
  #opened = 0;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (event: ToRole) => this.#on(event));
    port.on("close", () => this.#end());
  }

  serve(method: string, onStream: (stream: RawStream) => void): Served {
    this.#served.set(method, onStream);
    post(this.#port, { kind: "serve", method });
    return {
      stop: () => {
        this.#served.delete(method);
        post(this.#port, { kind: "stop", method });
      },
    };
  }

  open(to: RpcAddress, method: string): RawStream {
    if (this.#closed) return failedStream(to, "unreachable");
    const id = ++this.#opened;
    post(this.#port, { kind: "open", id, to, method });
    return this.#stream(id, to);
  }

  /** Everything it carries ends at the hub. */
  close(): void {
    this.#port.close();
  }

  #stream(id: number, remote: RpcAddress): PortStream {
    const stream = new PortStream(this.#port, id, remote);
    this.#streams.set(id, stream);
    return stream;
  }

  #on(event: ToRole): void {
    if (event.kind === "accepted") {
      const serve = this.#served.get(event.method);
      if (serve === undefined) return post(this.#port, { kind: "abort", id: event.id });
      return serve(this.#stream(event.id, event.remote));
    }
    const stream = this.#streams.get(event.id);
    if (stream === undefined) return;
    switch (event.kind) {
      case "message":
        return stream.handlers.message(event.message);
      case "sent":
        return stream.onSent(event.count);
      case "ended":
        this.#streams.delete(event.id);
        return stream.handlers.ended(event.end);
      default:
        return unreachable(event);
    }
  }

  #end(): void {
    this.#closed = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.handlers.ended("reset");
  }
}

class PortStream implements RawStream {
  handlers: RawHandlers = NO_HANDLERS;
  readonly #port: MessagePort;
  readonly #id: number;
  readonly #waiting: (() => void)[] = []; // of messages that the hub has not yet got rid of, in order

  constructor(port: MessagePort, id: number, readonly remote: RpcAddress) {
    this.#port = port;
    this.#id = id;
  }

  send(message: Uint8Array, sent: () => void): void {
    this.#waiting.push(sent);
    post(this.#port, { kind: "message", id: this.#id, message });
  }

  close(): void {
    post(this.#port, { kind: "close", id: this.#id });
  }

  abort(): void {
    post(this.#port, { kind: "abort", id: this.#id });
  }

  onSent(count: number): void {
    for (const sent of this.#waiting.splice(0, count)) sent();
  }
}

// ---------------------------------------------------------------------------------------------------------------- the hub's end

/** @param onGone called once when the port is gone; @returns how to end it from here */
export function attachPort(carrier: Carrier, port: MessagePort, onGone: () => void): () => void {
  const served = new Map<string, Served>();
  const streams = new Map<number, RawStream>();
  let accepted = 0;
  let gone = false;

  const join = (id: number, stream: RawStream) => {
    streams.set(id, stream);
    stream.handlers = {
      message: (message) => post(port, { kind: "message", id, message }),
      ended(end) {
        streams.delete(id);
        post(port, { kind: "ended", id, end });
      },
    };
  };
  const on = (event: ToHub) => {
    switch (event.kind) {
      case "serve":
        served.set(event.method, carrier.serve(event.method, (stream) => {
          const id = --accepted;
          post(port, { kind: "accepted", id, method: event.method, remote: stream.remote });
          join(id, stream);
        }));
        return;
      case "stop":
        served.get(event.method)?.stop();
        served.delete(event.method);
        return;
      case "open":
        return join(event.id, carrier.open(event.to, event.method));
      case "message":
        return streams.get(event.id)?.send(event.message, sentTeller(port, event.id));
      case "close":
        return streams.get(event.id)?.close();
      case "abort": {
        const stream = streams.get(event.id);
        streams.delete(event.id);
        return stream?.abort();
      }
      default:
        return unreachable(event);
    }
  };
  const end = () => {
    if (gone) return;
    gone = true;
    for (const one of served.values()) one.stop();
    for (const stream of [...streams.values()]) stream.abort();
    streams.clear();
    port.close();
    onGone();
  };
  port.on("message", on);
  port.on("close", end);
  return end;
}

function sentTeller(port: MessagePort, id: number): () => void {
  return () => post(port, { kind: "sent", id, count: 1 });
}

/**
 * Streams over gRPC: one generic bidirectional method per name, whose messages are bytes already. Also the dialling half; a channel to an
 * address is shared by its streams and thrown away at the first failure, since a new one resolves the name and dials at once, while
 * grpc-js would wait out its own backoff. Re-dial policy lives above.
 */
import * as grpc from "@grpc/grpc-js";
import { NetworkFault } from "../world/network.js";
import type { RpcAddress, RpcEnd } from "../world/rpc.js";
import { NO_HANDLERS, type RawHandlers, type RawStream, RPC_MESSAGE_MAX_BYTES } from "./rpc-carrier.js";

/** How long a dial, and a closing, may take. */
const OPEN_MAX_MS = 3_000;
const CLOSE_MAX_MS = 3_000;
/** An end that is followed by a reset within this time was a reset. */
const CANCEL_FOLLOWS_MS = 50;

const COMMON: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": RPC_MESSAGE_MAX_BYTES,
  "grpc.max_send_message_length": RPC_MESSAGE_MAX_BYTES,
  "grpc.keepalive_time_ms": 5_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc-node.flow_control_window": 4 << 20,
};

const CHANNEL: grpc.ChannelOptions = {
  ...COMMON,
  "grpc.use_local_subchannel_pool": 1, // two nodes in one process share no connection, and a new channel dials anew
  "grpc.enable_http_proxy": 0,
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
};

grpc.setLogVerbosity(grpc.logVerbosity.NONE); // what fails is told as a value; its own lines on standard error are noise

const same = (bytes: Buffer) => bytes;
const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// ---------------------------------------------------------------------------------------------------------------- dialling

interface Channel {
  readonly client: grpc.Client;
  streams: number;
  retired: boolean;
}

export class GrpcDialer {
  readonly #channels = new Map<string, Channel>();

  open(to: RpcAddress, method: string): RawStream {
    const key = targetOf(to);
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = { client: new grpc.Client(key, grpc.credentials.createInsecure(), CHANNEL), streams: 0, retired: false };
      this.#channels.set(key, channel);
    }
    const used = channel;
    used.streams++;
    return new ClientStream(to, used.client.makeBidiStreamRequest(`/${method}`, asBuffer, same), (failed) => {
      used.streams--;
      if (failed) this.#retire(key, used);
      if (used.retired && used.streams === 0) used.client.close();
    });
  }

  close(): void {
    for (const [key, channel] of [...this.#channels]) {
      this.#retire(key, channel);
      channel.client.close();
    }
  }

  #retire(key: string, channel: Channel): void {
    channel.retired = true;
    if (this.#channels.get(key) === channel) this.#channels.delete(key);
  }
}

class ClientStream implements RawStream {
  handlers: RawHandlers = NO_HANDLERS;
  readonly #call: grpc.ClientDuplexStream<Uint8Array, Buffer>;
  readonly #onOver: (failed: boolean) => void;
  #timer: NodeJS.Timeout;
  #established = false; // the server has answered: its first metadata is here
  #closing = false;
  #timedOut = false;
  #over = false;
  #aborted = false;

  constructor(readonly remote: RpcAddress, call: grpc.ClientDuplexStream<Uint8Array, Buffer>, onOver: (failed: boolean) => void) {
    this.#call = call;
    this.#onOver = onOver;
    this.#timer = setTimeout(() => this.#giveUp(), OPEN_MAX_MS);
    call.on("metadata", () => {
      this.#established = true;
      if (!this.#closing) clearTimeout(this.#timer);
    });
    call.on("data", (message: Buffer) => {
      if (!this.#over && !this.#aborted) this.handlers.message(ownBytes(message));
    });
    call.on("error", () => undefined); // "status" tells the same
    call.on("status", (status: grpc.StatusObject) => this.#finish(status));
  }

  send(message: Uint8Array, sent: () => void): void {
    if (this.#over || this.#closing) return;
    this.#call.write(message, (error: Error | null | undefined) => {
      if (error === null || error === undefined) sent();
    });
  }

  close(): void {
    if (this.#over || this.#closing) return;
    this.#closing = true;
    this.#call.end();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(), CLOSE_MAX_MS);
  }

  abort(): void {
    this.#aborted = true;
    this.#call.cancel();
  }

  #giveUp(): void {
    this.#timedOut = true;
    this.#call.cancel();
  }

  #finish(status: grpc.StatusObject): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    const end = this.#endOf(status);
    this.#onOver(end !== "closed");
    if (!this.#aborted) this.handlers.ended(end);
  }

  #endOf(status: grpc.StatusObject): RpcEnd {
    if (status.code === grpc.status.OK) return "closed";
    if (this.#closing && this.#established) return "closed"; // we wanted it to end, and it did
    if (this.#timedOut) return "timed-out";
    if (this.#established) return /keepalive/i.test(status.details) ? "timed-out" : "reset";
    return dialEnd(status.details);
  }
}

/** grpc-js tells why a dial failed in words only; the version is pinned and the tests hold it to these. */
function dialEnd(details: string): RpcEnd {
  if (details.includes("ECONNREFUSED")) return "refused";
  if (details.includes("ETIMEDOUT") || /keepalive|deadline/i.test(details)) return "timed-out";
  if (/ECONNRESET|EPIPE|[Cc]onnection dropped|GOAWAY|RST_STREAM|Stream closed|socket hang up/.test(details)) return "reset";
  return "unreachable"; // no such name, no route, or a living node that does not serve the method (yet)
}

// ---------------------------------------------------------------------------------------------------------------- serving

export class GrpcListener {
  readonly #server = new grpc.Server(COMMON);

  /** @throws NetworkFault "address-in-use", "failed"; @returns the port */
  listen(at: RpcAddress): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(targetOf(at), grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) return resolve(port);
        const code = error.message.includes("EADDRINUSE") || error.message.includes("No address added") ? "address-in-use" : "failed";
        reject(new NetworkFault(code, `${targetOf(at)}: ${error.message}`, { cause: error }));
      });
    });
  }

  serve(method: string, onStream: (stream: RawStream) => void): void {
    const handle: grpc.handleBidiStreamingCall<Buffer, Uint8Array> = (call) => {
      call.sendMetadata(new grpc.Metadata()); // tells the dialler at once that it got through
      onStream(new ServerStream(call));
    };
    // `register` takes one kind of handler in its types, by the name of the last argument.
    this.#server.register(`/${method}`, handle as unknown as grpc.UntypedHandleCall, asBuffer, same, "bidi");
  }

  stopServing(method: string): void {
    this.#server.unregister(`/${method}`);
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

class ServerStream implements RawStream {
  handlers: RawHandlers = NO_HANDLERS;
  readonly remote: RpcAddress;
  readonly #call: grpc.ServerDuplexStream<Buffer, Uint8Array>;
  #over = false;
  #closing = false;

  constructor(call: grpc.ServerDuplexStream<Buffer, Uint8Array>) {
    this.#call = call;
    this.remote = peerOf(call.getPeer());
    call.on("data", (message: Buffer) => {
      if (!this.#over) this.handlers.message(ownBytes(message));
    });
    call.on("end", () => {
      // Node ends a stream that is being cancelled before it resets it, so an end alone is not yet a close: the reset, if there is one, is
      // the next frame. A process that dies is no such case: its streams never end, they break.
      setTimeout(() => {
        if (this.#over) return;
        call.end();
        this.#finish("closed");
      }, CANCEL_FOLLOWS_MS);
    });
    call.on("cancelled", () => this.#finish(this.#closing ? "closed" : "reset"));
    call.on("error", () => this.#finish("reset"));
    call.on("finish", () => {
      if (this.#closing) this.#finish("closed");
    });
  }

  send(message: Uint8Array, sent: () => void): void {
    if (this.#over || this.#closing) return;
    this.#call.write(message, (error: Error | null | undefined) => {
      if (error === null || error === undefined) sent();
    });
  }

  close(): void {
    if (this.#over || this.#closing) return;
    this.#closing = true;
    this.#call.end();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#call.emit("error", { code: grpc.status.UNAVAILABLE, details: "the role has ended" });
  }

  #finish(end: RpcEnd): void {
    if (this.#over) return;
    this.#over = true;
    setImmediate(() => this.handlers.ended(end)); // never within a call of the stream's user
  }
}

// ---------------------------------------------------------------------------------------------------------------- helpers

function targetOf(address: RpcAddress): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function peerOf(peer: string): RpcAddress {
  const colon = peer.lastIndexOf(":");
  const port = Number(peer.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port)) return { host: peer, port: 0 };
  return { host: peer.slice(0, colon).replace(/^\[|\]$/g, "").replace(/^::ffff:/, ""), port };
}

/** A small message cut from a large read is copied, so that keeping it does not keep the read. */
function ownBytes(message: Buffer): Uint8Array {
  return message.byteLength * 2 >= message.buffer.byteLength ? message : new Uint8Array(message);
}

/** TCP on Node: listeners, dials, and how a socket is made to read into the shared buffer. */
import * as net from "node:net";
import { type Connection, type Listener, type Network, NetworkFault } from "../world/network.js";
import { HostConnection, type WaterMarks } from "./connection.js";
import { errorCode } from "./disk-fault.js";
import type { Life } from "./life.js";
import { networkFault } from "./network-fault.js";

export interface NetworkOptions {
  /**
   * "onread": all sockets of the thread read into one buffer (2-3 times cheaper for each byte). On the accepting side that needs Node's
   * `_handle`, which is not documented; "data" is the fall-back without it.
   */
  readonly receive: "onread" | "data";
  readonly marks: WaterMarks;
}

export const NETWORK_DEFAULTS: NetworkOptions = { receive: "onread", marks: { highBytes: 1 << 20, lowBytes: 1 << 18 } };

const SHARED_BYTES = 64 * 1024;
const BACKLOG = 1024;
const KEEPALIVE_MS = 30_000;

/** Of this thread. A chunk is valid only within its callback, so one buffer serves every connection. */
const shared = Buffer.allocUnsafeSlow(SHARED_BYTES);

/** Where a socket's bytes go; the connection is made after the socket, so it is put in later. */
interface Sink {
  connection: HostConnection | null;
}

export class HostNetwork implements Network {
  readonly #life: Life;
  readonly #options: NetworkOptions;

  constructor(life: Life, options: NetworkOptions = NETWORK_DEFAULTS) {
    this.#life = life;
    this.#options = options;
  }

  listen(options: { readonly host: string; readonly port: number }, onConnection: (connection: Connection) => void): Promise<Listener> {
    return this.#life.living(() => this.#listen(options, onConnection));
  }

  connect(options: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<Connection> {
    return this.#life.living(() => this.#connect(options));
  }

  #listen(options: { readonly host: string; readonly port: number }, onConnection: (connection: Connection) => void): Promise<Listener> {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    const forget = this.#life.keep(() => void server.close());
    server.on("connection", (socket) => this.#accept(socket, onConnection));
    return new Promise((resolve, reject) => {
      server.once("error", (error) => {
        forget();
        reject(networkFault(error));
      });
      server.listen({ host: options.host, port: options.port, backlog: BACKLOG }, () => {
        server.removeAllListeners("error");
        server.on("error", () => undefined); // one accept that failed; the listener lives on
        const address = server.address();
        if (address === null || typeof address === "string") return reject(new NetworkFault("failed", "the listener has no address"));
        const close = () =>
          this.#life.living(() => {
            forget();
            server.close();
            return Promise.resolve();
          });
        resolve({ host: address.address, port: address.port, close });
      });
    });
  }

  #accept(accepted: net.Socket, onConnection: (connection: Connection) => void): void {
    const sink: Sink = { connection: null };
    const socket = this.#options.receive === "onread" ? readIntoShared(accepted, sink) : accepted;
    socket.on("error", () => undefined); // it may fail before the connection is made; the close tells
    if (this.#life.halted || socket.remoteAddress === undefined) return void socket.destroy();
    this.#life.run(() => onConnection(this.#wrap(socket, sink)));
    if (socket === accepted) accepted.resume();
  }

  #connect(options: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<Connection> {
    const sink: Sink = { connection: null };
    const onread = this.#options.receive === "onread" ? { onread: sinkReader(sink) } : {};
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: options.host, port: options.port, allowHalfOpen: true, noDelay: true, ...onread });
      const forget = this.#life.keep(() => void socket.destroy());
      const settle = () => {
        clearTimeout(timeout);
        forget();
        socket.removeAllListeners("error");
        socket.on("error", () => undefined);
      };
      const refuse = (fault: NetworkFault) => {
        settle();
        socket.destroy();
        reject(fault);
      };
      const timeout = setTimeout(() => refuse(new NetworkFault("timed-out", `no connection within ${options.timeoutMs} ms`)), options.timeoutMs);
      socket.once("error", (error) => refuse(networkFault(errorCode(error) === "" && error instanceof AggregateError ? error.errors[0] : error)));
      socket.once("connect", () => {
        // A dial to a free port of this host can meet itself (both ends one socket), and would take a dead node for a living one.
        const itself = socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
        if (itself) return refuse(new NetworkFault("refused", "the connection reached itself: nobody listens there"));
        settle();
        resolve(this.#wrap(socket, sink));
      });
    });
  }

  #wrap(socket: net.Socket, sink: Sink): HostConnection {
    socket.setKeepAlive(true, KEEPALIVE_MS);
    const connection = new HostConnection(this.#life, socket, this.#options.marks);
    if (this.#options.receive === "onread") sink.connection = connection;
    else socket.on("data", (chunk) => connection.deliver(chunk));
    return connection;
  }
}

function sinkReader(sink: Sink): net.OnReadOpts {
  return {
    buffer: shared,
    callback(bytes, buffer) {
      sink.connection?.deliver(buffer.subarray(0, bytes));
      return true;
    },
  };
}

/** Moves an accepted connection's handle to a socket that reads into the shared buffer, which Node offers for dialled ones only. */
function readIntoShared(accepted: net.Socket, sink: Sink): net.Socket {
  const inner = accepted as unknown as { _handle: unknown }; // not in Node's types
  const handle = inner._handle;
  if (handle === null) return accepted; // gone already
  inner._handle = null;
  // `handle` and `onread` together are not in the types either; both are read by the constructor in Node 20 to 26 (node-limits §2).
  const options = { handle, allowHalfOpen: true, onread: sinkReader(sink) } as net.SocketConstructorOpts;
  return new net.Socket(options);
}


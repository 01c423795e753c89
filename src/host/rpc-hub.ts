/**
 * The one place of a node where its rpc streams meet: it owns the gRPC listener and channels, serves the roles of its own thread directly and
 * those of others over MessagePorts, and joins a stream to this node's own address without any network.
 */
import type { MessagePort } from "node:worker_threads";
import { assert } from "../base/assert.js";
import type { RpcAddress } from "../world/rpc.js";
import type { Carrier, RawStream, Served } from "./rpc-carrier.js";
import { GrpcDialer, GrpcListener } from "./rpc-grpc.js";
import { failedStream, streamPair } from "./rpc-pair.js";
import { attachPort } from "./rpc-port.js";

export interface RpcHubOptions {
  /** Where other nodes dial this one; null for a node that is only a broker, which dials and is not dialled. Port 0 for any. */
  readonly listen: RpcAddress | null;
  /** Under which address its peers, and its own roles, know this node; `listen` with the port it got if left out. */
  readonly self?: RpcAddress;
}

export class RpcHub implements Carrier {
  /** The port it listens on; 0 if it does not. */
  readonly port: number;
  readonly #self: RpcAddress | null;
  readonly #listener: GrpcListener | null;
  readonly #dialer = new GrpcDialer();
  readonly #served = new Map<string, (stream: RawStream) => void>();
  readonly #ports = new Set<() => void>();
  #closed = false;

  private constructor(self: RpcAddress | null, listener: GrpcListener | null, port: number) {
    this.#self = self;
    this.#listener = listener;
    this.port = port;
  }

  /** @throws NetworkFault "address-in-use", "failed" */
  static async start(options: RpcHubOptions): Promise<RpcHub> {
    const { listen, self } = options;
    if (listen === null) return new RpcHub(self ?? null, null, 0);
    const listener = new GrpcListener();
    const port = await listener.listen(listen);
    return new RpcHub(self ?? { host: listen.host, port }, listener, port);
  }

  serve(method: string, onStream: (stream: RawStream) => void): Served {
    assert(!this.#served.has(method), `${method} is served already; a method belongs to one role of a node`);
    this.#served.set(method, onStream);
    this.#listener?.serve(method, onStream);
    return {
      stop: () => {
        if (this.#served.get(method) !== onStream) return;
        this.#served.delete(method);
        this.#listener?.stopServing(method);
      },
    };
  }

  open(to: RpcAddress, method: string): RawStream {
    if (this.#closed) return failedStream(to, "unreachable");
    if (this.#self === null || to.host !== this.#self.host || to.port !== this.#self.port) return this.#dialer.open(to, method);
    const serve = this.#served.get(method);
    if (serve === undefined) return failedStream(to, "unreachable");
    const { opener, server } = streamPair(to, { host: to.host, port: 0 });
    setImmediate(() => serve(server)); // the opener sets its callbacks first
    return opener;
  }

  /** Serves the roles behind a port, in another thread (PortCarrier). Ends when the port or its thread does. */
  attach(port: MessagePort): void {
    const detach = attachPort(this, port, () => this.#ports.delete(detach));
    this.#ports.add(detach);
  }

  /** Ends every stream ("reset" for the other sides) and stops listening. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const detach of [...this.#ports]) detach();
    this.#listener?.close();
    this.#dialer.close();
  }
}

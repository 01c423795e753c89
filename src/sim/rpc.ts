/**
 * Message streams between roles, over the same links and faults as connections. A process has one hub: a port that other machines dial, and
 * the methods that its roles serve. A stream to the hub's own process goes the same way over the machine's own link, which no partition cuts.
 */
import type { Rpc, RpcAddress, RpcEnd, RpcStream } from "../world/rpc.js";
import { assert } from "../base/assert.js";
import type { WaterMarks } from "./connection.js";
import type { Bound, Fabric } from "./fabric.js";
import type { Life } from "./life.js";
import type { Station } from "./links.js";
import type { Scheduler } from "./scheduler.js";
import type { Keepalive, Socket, SocketFailure, SocketUser } from "./socket.js";

export const RPC_MARKS: WaterMarks = { highBytes: 4 << 20, lowBytes: 1 << 20 };

/** As the Node making has them. */
const OPEN_MAX_MS = 3_000;
const CLOSE_MAX_MS = 3_000;
const KEEPALIVE: Keepalive = { everyMs: 5_000, deadMs: 10_000 };

type OnStream = (stream: RpcStream) => void;

export class RpcHub {
  readonly #served = new Map<string, { readonly rpc: SimRpc; readonly life: Life; readonly onStream: OnStream }>();
  readonly bound: Bound = {
    kind: "rpc",
    ownerFor: (method) => this.#served.get(method)?.life ?? null,
    accept: (socket, _local, remote, method) => {
      const served = this.#served.get(method);
      if (served === undefined) return socket.close("reset"); // it stopped serving meanwhile
      served.rpc.accept(socket, remote, method, served.onStream);
    },
  };

  serve(method: string, rpc: SimRpc, life: Life, onStream: OnStream): void {
    assert(!this.#served.has(method), `${method} is served already; a method belongs to one role of a node`);
    this.#served.set(method, { rpc, life, onStream });
    life.keep(() => this.#served.delete(method));
  }
}

export class SimRpc implements Rpc {
  readonly streams = new Set<SimRpcStream>();
  readonly #life: Life;
  readonly #scheduler: Scheduler;
  readonly #fabric: Fabric;
  readonly #station: Station;
  readonly #hub: RpcHub;
  readonly #marks: WaterMarks;

  constructor(life: Life, scheduler: Scheduler, fabric: Fabric, station: Station, hub: RpcHub, marks: WaterMarks) {
    this.#life = life;
    this.#scheduler = scheduler;
    this.#fabric = fabric;
    this.#station = station;
    this.#hub = hub;
    this.#marks = marks;
  }

  serve(method: string, onStream: OnStream): void {
    this.#life.check();
    this.#hub.serve(method, this, this.#life, onStream);
  }

  open(to: RpcAddress, method: string): RpcStream {
    this.#life.check();
    const stream = this.#make(to, method);
    this.#fabric.dial({
      from: this.#station,
      owner: this.#life,
      to,
      kind: "rpc",
      hello: method,
      keepalive: KEEPALIVE,
      timeoutMs: OPEN_MAX_MS,
      onOpen: (socket) => stream.attach(socket),
      onFault: (fault) => stream.failed(fault.code === "refused" || fault.code === "timed-out" ? fault.code : "unreachable"),
    });
    return stream;
  }

  accept(socket: Socket, remote: RpcAddress, method: string, onStream: OnStream): void {
    const stream = this.#make(remote, method);
    stream.attach(socket);
    this.#life.run(() => onStream(stream));
  }

  #make(remote: RpcAddress, method: string): SimRpcStream {
    const watch = (message: Uint8Array) => this.#scheduler.observer?.sent(this.#life, this.#station.name, remote.host, method, message);
    const stream: SimRpcStream = new SimRpcStream(this.#life, this.#scheduler, this.#marks, remote, watch, () => void this.streams.delete(stream));
    this.streams.add(stream);
    return stream;
  }
}

const nothing = () => undefined;

class SimRpcStream implements RpcStream, SocketUser {
  readonly remote: RpcAddress;
  readonly #life: Life;
  readonly #scheduler: Scheduler;
  readonly #marks: WaterMarks;
  readonly #watch: (message: Uint8Array) => void;
  readonly #onGone: () => void;
  readonly #forget: () => void;
  #socket: Socket | null = null;
  #onMessage: (message: Uint8Array) => void = nothing;
  #onEnd: (end: RpcEnd) => void = nothing;
  #onDrain: () => void = nothing;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #aboveHigh = false;
  #state: "open" | "closing" | "ended" = "open";
  #closeDeadline: () => void = nothing;

  constructor(life: Life, scheduler: Scheduler, marks: WaterMarks, remote: RpcAddress, watch: (message: Uint8Array) => void, onGone: () => void) {
    this.#life = life;
    this.#scheduler = scheduler;
    this.#marks = marks;
    this.remote = remote;
    this.#watch = watch;
    this.#onGone = onGone;
    this.#forget = life.keep(() => {
      onGone();
      this.#socket?.close("reset");
    });
  }

  attach(socket: Socket): void {
    if (this.#state === "ended") return socket.close("reset");
    this.#socket = socket;
    socket.user = this;
    this.room();
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
    if (this.#state !== "open") return true;
    this.#watch(message);
    if (this.#queue.length === 0 && this.#socket !== null && this.#socket.roomBytes(message.length) >= message.length) {
      this.#socket.send(message);
      return !this.#aboveHigh;
    }
    this.#queue.push(message);
    this.#queuedBytes += message.length;
    if (this.#queuedBytes > this.#marks.highBytes) this.#aboveHigh = true;
    return !this.#aboveHigh;
  }

  queuedBytes(): number {
    return this.#queuedBytes;
  }

  close(): void {
    this.#life.check();
    if (this.#state !== "open") return;
    this.#state = "closing";
    const { thread } = this.#life;
    const deadline = this.#scheduler.at(thread.nowMs + CLOSE_MAX_MS, thread, () => this.#end(this.#socket === null ? "timed-out" : "closed"));
    this.#closeDeadline = () => this.#scheduler.cancel(deadline);
    this.#finishIfSent();
  }

  // ------------------------------------------------------------------------------------------------------------ from the socket

  /** The sender's bytes are read here and not earlier: whoever changes a message after `send` is found out. */
  received(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    const own = new Uint8Array(bytes);
    this.#life.run(() => this.#onMessage(own));
  }

  finished(): void {
    this.#end("closed");
  }

  finishDelivered(): void {
    this.#end("closed");
  }

  failed(end: SocketFailure | RpcEnd): void {
    this.#end(this.#state === "closing" && this.#socket !== null ? "closed" : end);
  }

  room(): void {
    for (let message = this.#queue[0]; message !== undefined; message = this.#queue[0]) {
      if (this.#socket === null || this.#socket.roomBytes(message.length) < message.length) break;
      this.#queue.shift();
      this.#queuedBytes -= message.length;
      this.#socket.send(message);
    }
    if (this.#aboveHigh && this.#queuedBytes < this.#marks.lowBytes) {
      this.#aboveHigh = false;
      if (this.#state === "open") this.#life.run(this.#onDrain);
    }
    this.#finishIfSent();
  }

  #finishIfSent(): void {
    if (this.#state === "closing" && this.#queue.length === 0) this.#socket?.finish();
  }

  #end(end: RpcEnd): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#closeDeadline();
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#forget();
    this.#onGone();
    this.#socket?.close("finish");
    this.#life.run(() => this.#onEnd(end));
  }
}

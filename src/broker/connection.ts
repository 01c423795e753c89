/**
 * One client connection: frames in, handlers, answers out in order. A request that cannot be parsed closes this connection and harms no other.
 *
 *   bytes ─▶ FrameSplitter ─▶ RequestQueue ─▶ handler ─▶ RequestQueue ─▶ bytes
 */
import { assert } from "../base/assert.js";
import { decodeRequestHeader, encodeResponseFrame, FrameSplitter, ProtocolError, type RequestHeader } from "../protocol/frame.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "../protocol/messages/18-api-versions.js";
import type { Connection } from "../world/network.js";
import { unsupportedApiVersions } from "./api/18-api-versions.js";
import { RequestQueue, type Slot } from "./request-queue.js";
import type { BrokerServices, ConnectionContext, RequestContext } from "./services.js";
import { HANDLERS } from "./table.js";

/** Requests of one connection that have begun and are not answered, or wait to begin. */
const PIPELINE_MAX = 64;
/** Bytes of requests that wait to begin before the sender is held back. */
const WAITING_MAX_BYTES = 1 << 20;
/** How long answers may take to leave once the connection is to end. */
const LINGER_MS = 1_000;

/** What leaves: bytes, or the end of the connection. */
interface Reply {
  readonly parts: readonly Uint8Array[];
  readonly release: (() => void) | null;
  readonly drop: boolean;
}

const NOTHING: Reply = { parts: [], release: null, drop: false };
const DROP: Reply = { parts: [], release: null, drop: true };

export class ClientConnection {
  readonly #splitter: FrameSplitter;
  readonly #queue = new RequestQueue<Uint8Array, Reply>({ slots: PIPELINE_MAX, waitingBytes: WAITING_MAX_BYTES }, (frame) => frame.length);
  readonly #context: ConnectionContext;
  readonly #closers = new Set<() => void>();
  #ended = false;
  #finishing = false;
  /** The stream cannot be cut into frames any more: what came before is answered, then the connection ends. */
  #broken = false;
  /** A request was refused: nothing begins after it; answers to what came before still leave, in their order. */
  #refused = false;
  #paused = false;
  #lingering = false;
  #congested = false;
  /** When the last request came, for the idle limit. */
  lastActiveMs: number;

  constructor(readonly services: BrokerServices, readonly connection: Connection, listener: string, readonly onEnd: () => void) {
    this.#splitter = new FrameSplitter(services.settings.number("socket.request.max.bytes"), services.frames);
    this.lastActiveMs = services.world.clock.nowMs();
    this.#context = {
      listener,
      remoteHost: connection.remote.host,
      softwareName: "",
      softwareVersion: "",
      onClose: (callback) => {
        this.#closers.add(callback);
        return () => this.#closers.delete(callback);
      },
    };
    connection.onData((chunk) => this.#receive(chunk));
    connection.onFinish(() => {
      this.#finishing = true; // a half-closed client still gets its answers
      this.#flush();
    });
    connection.onDrain(() => {
      this.#congested = false;
      this.#run();
    });
    connection.onEnd(() => this.#end());
  }

  get busy(): boolean {
    return !this.#queue.idle;
  }

  close(): void {
    this.connection.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended || this.#broken || this.#refused) return;
    this.lastActiveMs = this.services.world.clock.nowMs();
    try {
      for (const frame of this.#splitter.push(chunk)) this.#queue.push(frame);
    } catch (error) {
      this.#tellRefusal(error, null);
      this.#broken = true;
    }
    this.#run();
  }

  /** Begins what may begin, sends what may leave, and holds the sender back while too much waits. */
  #run(): void {
    while (!this.#ended && !this.#congested && !this.#refused) {
      const next = this.#queue.take();
      if (next === null) break;
      this.#begin(next.frame, next.slot);
    }
    this.#flush();
    if (this.#ended) return;
    const hold = this.#queue.full || this.#congested;
    if (hold === this.#paused) return;
    this.#paused = hold;
    if (hold) this.connection.pause();
    else this.connection.resume();
  }

  #begin(frame: Uint8Array, slot: Slot<Reply>): void {
    let header: RequestHeader | null = null;
    try {
      header = decodeRequestHeader(frame);
      const handler = HANDLERS.get(header.apiKey);
      if (handler === undefined || !handler.speaks(header.apiVersion)) {
        this.#queue.answer(slot, this.#unsupported(header));
        return;
      }
      const context: RequestContext = { version: header.apiVersion, clientId: header.clientId, connection: this.#context, recycle: () => this.#splitter.recycle(frame) };
      const admit = () => {
        this.#queue.admit(slot);
        this.services.world.clock.soon(() => this.#run());
      };
      const { apiVersion, correlationId } = header;
      const outcome = handler.handle(this.services, frame.subarray(header.bytes), context, admit);
      if (outcome instanceof Promise) {
        const settled = outcome.then((answer) => {
          this.#queue.answer(slot, this.#replyOrDrop(() => handler.reply(answer, apiVersion, correlationId), header));
          this.#run();
        });
        this.services.world.own(settled, `answering api ${header.apiKey}`);
      } else {
        this.#queue.answer(slot, handler.reply(outcome, apiVersion, correlationId));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#tellRefusal(error, header);
      this.#refused = true;
      if (slot.state !== "answered") this.#queue.answer(slot, DROP);
    }
  }

  /** An answer that cannot be encoded costs its connection, never the node. */
  #replyOrDrop(reply: () => Reply, header: RequestHeader | null): Reply {
    try {
      return reply();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.services.world.logger.error({ api: header?.apiKey, version: header?.apiVersion, detail: error.message }, "an answer cannot be encoded: connection closed");
      return DROP;
    }
  }

  /** ApiVersions alone answers a version that is unknown (KIP-511); anything else ends the connection. */
  #unsupported(header: RequestHeader): Reply {
    if (header.apiKey !== ApiVersionsRequest.key) {
      this.services.world.logger.info({ client: this.#context.remoteHost, api: header.apiKey, version: header.apiVersion }, "unsupported request: connection closed");
      this.#refused = true;
      return DROP;
    }
    const body = ApiVersionsResponse.encode(unsupportedApiVersions(), 0);
    return { ...NOTHING, parts: encodeResponseFrame(ApiVersionsRequest.key, 0, header.correlationId, body) };
  }

  #tellRefusal(error: unknown, header: RequestHeader | null): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.services.world.logger.info({ client: this.#context.remoteHost, api: header?.apiKey, version: header?.apiVersion, detail: error.message }, "request cannot be read: connection closed");
  }

  /** Ends the connection; answers that are on their way get a moment to leave, from a client that keeps its side open no more than that. */
  #drop(): void {
    this.#refused = true;
    if (this.connection.queuedBytes() === 0) return this.connection.destroy();
    if (this.#lingering) return;
    this.#lingering = true;
    this.connection.finish();
    const timer = this.services.world.clock.after(LINGER_MS, () => this.connection.destroy());
    this.#closers.add(() => timer.cancel());
  }

  #flush(): void {
    if (this.#ended) return;
    for (const reply of this.#queue.ready()) {
      if (reply.drop) {
        reply.release?.();
        this.#drop();
        return;
      }
      if (reply.parts.length === 0) continue;
      const more = reply.release === null ? this.connection.write(reply.parts) : this.connection.write(reply.parts, reply.release);
      if (!more) this.#congested = true;
    }
    if (!this.#queue.idle) return;
    if (this.#broken) this.#drop();
    else if (this.#finishing) this.connection.finish();
  }

  #end(): void {
    assert(!this.#ended, "a connection ends once");
    this.#ended = true;
    for (const closer of [...this.#closers]) closer();
    this.#closers.clear();
    for (const reply of this.#queue.abandon()) reply.release?.();
    this.onEnd();
  }
}

export type { Reply };

/** One connection to one broker: requests go out at once, answers come in their order. A request that is late costs the connection, as in real clients. */
import { decodeResponse, encodeRequestFrame, FrameSplitter } from "../../protocol/frame.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "../../protocol/messages/18-api-versions.js";
import type { Message } from "../../protocol/schema.js";
import type { Timer } from "../../world/clock.js";
import { type Connection, NetworkFault } from "../../world/network.js";
import type { World } from "../../world/world.js";

const FRAME_MAX_BYTES = 64 * 1024 * 1024;

/** `sent`: some of the request may have reached the broker. */
export type Answer<R> = { readonly ok: true; readonly body: R } | { readonly ok: false; readonly sent: boolean; readonly why: string };

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly timeoutMs: number;
  /** Who is at the other end, incarnation and all. */
  readonly broker: () => string;
}

interface Waiting {
  readonly settle: (frame: Uint8Array | null, why: string) => void;
  readonly timer: Timer;
}

export class Link {
  readonly broker: string;
  #ended = false;
  #correlation = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #splitter = new FrameSplitter(FRAME_MAX_BYTES);

  private constructor(readonly world: World, readonly connection: Connection, readonly options: LinkOptions) {
    this.broker = options.broker();
    connection.onData((chunk) => {
      for (const frame of this.#splitter.push(chunk)) {
        const id = Buffer.from(frame.buffer, frame.byteOffset, 4).readInt32BE(0);
        const waiting = this.#waiting.get(id);
        if (waiting === undefined) throw new Error(`${this.broker} answers request ${id}, which waits for nothing`);
        waiting.settle(frame, "");
      }
    });
    connection.onFinish(() => connection.destroy());
    connection.onDrain(() => undefined);
    connection.onEnd((end) => this.#end(end));
  }

  /** Dials and greets. @returns why not, if not */
  static async open(world: World, options: LinkOptions): Promise<Link | string> {
    let connection: Connection;
    try {
      connection = await world.network.connect({ host: options.host, port: options.port, timeoutMs: options.timeoutMs });
    } catch (error) {
      if (error instanceof NetworkFault) return error.code;
      throw error;
    }
    const link = new Link(world, connection, options);
    const greeted = await link.ask(ApiVersionsRequest, ApiVersionsResponse, 3, { clientSoftwareName: "kontiki-simulated", clientSoftwareVersion: "1.0.0" }, options.timeoutMs);
    if (greeted.ok && greeted.body.errorCode === 0) return link;
    link.close();
    return greeted.ok ? `greeted with ${greeted.body.errorCode}` : greeted.why;
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @throws ProtocolError for an answer that cannot be read */
  ask<Q, QIn, R, RIn>(request: Message<Q, QIn>, response: Message<R, RIn>, version: number, value: QIn, timeoutMs: number): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      this.askThen(request, response, version, value, timeoutMs, (answer) => {
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      });
    });
  }

  /** Writes it now; the same in callbacks. */
  askThen<Q, QIn, R, RIn>(request: Message<Q, QIn>, response: Message<R, RIn>, version: number, value: QIn, timeoutMs: number, then: (answer: Answer<R> | Error) => void): void {
    if (this.#ended) return then({ ok: false, sent: false, why: "not connected" });
    const id = ++this.#correlation;
    const timer = this.world.clock.after(timeoutMs, () => {
      this.connection.destroy();
      this.#end("timed-out");
    });
    this.#waiting.set(id, {
      timer,
      settle: (frame, why) => {
        this.#waiting.delete(id);
        timer.cancel();
        if (frame === null) return then({ ok: false, sent: true, why });
        let body: R;
        try {
          ({ body } = decodeResponse(response, version, frame));
        } catch (error) {
          return then(error instanceof Error ? error : new Error(String(error)));
        }
        then({ ok: true, body });
      },
    });
    this.connection.write(encodeRequestFrame(request, version, { correlationId: id, clientId: this.options.clientId }, value));
  }

  /** Writes what nobody answers. @returns whether it was written */
  tell<Q, QIn>(request: Message<Q, QIn>, version: number, value: QIn): boolean {
    if (this.#ended) return false;
    this.connection.write(encodeRequestFrame(request, version, { correlationId: ++this.#correlation, clientId: this.options.clientId }, value));
    return true;
  }

  close(): void {
    if (this.#ended) return;
    this.connection.destroy();
    this.#end("closed");
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const waiting of [...this.#waiting.values()]) waiting.settle(null, why);
  }
}

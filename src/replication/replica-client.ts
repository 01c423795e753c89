/** One connection to a leader's broker: shows the session token, then one fetch at a time. */
import type { BufferPool } from "../base/buffer-pool.js";
import { decodeResponse, encodeRequestFrame, FrameSplitter, ProtocolError } from "../protocol/frame.js";
import { FetchRequest, FetchResponse } from "../protocol/messages/01-fetch.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "../protocol/messages/18-api-versions.js";
import type { Input, Message } from "../protocol/schema.js";
import type { Connection } from "../world/network.js";
import type { World } from "../world/world.js";
import { REPLICA_SOFTWARE, tokenAsVersion } from "./replica-handshake.js";

const FETCH_VERSION = 17;
const CONNECT_MS = 2_000;
const FRAME_MAX_BYTES = 256 * 1024 * 1024;

export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

export class ReplicaClient {
  #correlation = 0;
  #answer: { readonly resolve: (frame: Uint8Array) => void; readonly reject: (error: Error) => void } | null = null;
  #ended = false;
  readonly #splitter: FrameSplitter;
  #lastFrame: Uint8Array | null = null;

  private constructor(readonly world: World, readonly connection: Connection, readonly clientId: string, frames: BufferPool) {
    this.#splitter = new FrameSplitter(FRAME_MAX_BYTES, frames);
    connection.onData((chunk) => {
      try {
        for (const frame of this.#splitter.push(chunk)) this.#take()?.resolve(frame);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        connection.destroy();
      }
    });
    connection.onFinish(() => connection.destroy());
    connection.onDrain(() => undefined);
    connection.onEnd((end) => {
      this.#ended = true;
      this.#take()?.reject(new ConnectionLost(`connection ended: ${end}`));
    });
  }

  /** @throws NetworkFault, ConnectionLost */
  static async connect(world: World, to: { readonly host: string; readonly port: number }, who: { readonly clientId: string; readonly token: string; readonly frames: BufferPool }): Promise<ReplicaClient> {
    const connection = await world.network.connect({ ...to, timeoutMs: CONNECT_MS });
    const client = new ReplicaClient(world, connection, who.clientId, who.frames);
    await client.#ask(ApiVersionsRequest, ApiVersionsResponse, 3, { clientSoftwareName: REPLICA_SOFTWARE, clientSoftwareVersion: tokenAsVersion(who.token) }, CONNECT_MS);
    return client;
  }

  fetch(request: Input<typeof FetchRequest>, deadlineMs: number): Promise<FetchResponse> {
    return this.#ask(FetchRequest, FetchResponse, FETCH_VERSION, request, deadlineMs);
  }

  /** The bytes of the last answer are not looked at any more. */
  recycle(): void {
    if (this.#lastFrame !== null) this.#splitter.recycle(this.#lastFrame);
    this.#lastFrame = null;
  }

  close(): void {
    this.connection.destroy();
  }

  #take(): { readonly resolve: (frame: Uint8Array) => void; readonly reject: (error: Error) => void } | null {
    const waiting = this.#answer;
    this.#answer = null;
    return waiting;
  }

  async #ask<Q, QIn, R, RIn>(request: Message<Q, QIn>, response: Message<R, RIn>, version: number, value: QIn, deadlineMs: number): Promise<R> {
    if (this.#ended) throw new ConnectionLost("the connection has ended");
    const correlationId = ++this.#correlation;
    const frame = await new Promise<Uint8Array>((resolve, reject) => {
      const timer = this.world.clock.after(deadlineMs, () => {
        if (this.#take() === null) return;
        this.connection.destroy();
        reject(new ConnectionLost(`no answer within ${deadlineMs} ms`));
      });
      this.#answer = {
        resolve: (bytes) => {
          timer.cancel();
          resolve(bytes);
        },
        reject: (error) => {
          timer.cancel();
          reject(error);
        },
      };
      this.connection.write(encodeRequestFrame(request, version, { correlationId, clientId: this.clientId }, value));
    });
    this.#lastFrame = frame;
    return decodeResponse(response, version, frame).body;
  }
}

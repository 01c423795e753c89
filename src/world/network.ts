/** TCP as ordered bytes with back-pressure and a typed end. Encoding, re-dial, deadlines and matching live above. */
export interface Network {
  /**
   * @param options.port 0 for any free port
   * @throws NetworkFault "address-in-use", "failed"
   */
  listen(options: { readonly host: string; readonly port: number }, onConnection: (connection: Connection) => void): Promise<Listener>;
  /** @throws NetworkFault "refused", "unreachable", "timed-out", "reset" */
  connect(options: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<Connection>;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Stops accepting. Accepted connections live on. */
  close(): Promise<void>;
}

export type ConnectionEnd = "closed" | "reset" | "timed-out";

export interface Connection {
  readonly remote: { readonly host: string; readonly port: number };
  readonly local: { readonly host: string; readonly port: number };
  /**
   * `chunk` is lent: valid until the callback returns, overwritten afterwards. Set all three callbacks in the same
   * turn in which the connection was handed over; nothing is delivered before that turn ends.
   */
  onData(callback: (chunk: Uint8Array) => void): void;
  /** The other side has finished writing (FIN). The connection can still be written to. */
  onFinish(callback: () => void): void;
  /** Once, when nothing more can be sent or received. */
  onEnd(callback: (end: ConnectionEnd) => void): void;
  /** The write queue has fallen below its low mark after a write returned false. */
  onDrain(callback: () => void): void;
  /**
   * Queues bytes; all writes of one tick leave together. The buffers are lent until `release` is called (written, or the connection
   * ended). Returns false when the queue is above its high mark: wait for onDrain before making more.
   */
  write(parts: readonly Uint8Array[], release?: () => void): boolean;
  /** Bytes queued and not yet taken by the kernel. */
  queuedBytes(): number;
  /** Stops delivery of data (back-pressure to the sender) until resume. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then FIN. */
  finish(): void;
  /** Drops the connection and what is queued, at once. */
  destroy(): void;
}

export type NetworkFaultCode = "refused" | "unreachable" | "timed-out" | "reset" | "address-in-use" | "failed";

export class NetworkFault extends Error {
  override readonly name = "NetworkFault";
  constructor(readonly code: NetworkFaultCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
  }
}

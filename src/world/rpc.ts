/**
 * Named bidirectional streams of messages (bytes) between our own roles: gRPC between processes, a MessagePort between threads, a
 * queue in the simulator. In order, never doubled, lost only with the stream's end. Re-dial, backoff, keepalive and request
 * matching live above.
 */
export interface Rpc {
  /** Answers streams opened to this role's own address under `method`, for instance "kontiki.raft.v1.Raft/Exchange". */
  serve(method: string, onStream: (stream: RpcStream) => void): void;
  /** Never throws: a stream that cannot be opened ends with "refused", "unreachable" or "timed-out". */
  open(to: RpcAddress, method: string): RpcStream;
}

export interface RpcAddress {
  readonly host: string;
  readonly port: number;
}

export type RpcEnd = "closed" | "reset" | "refused" | "unreachable" | "timed-out";

export interface RpcStream {
  /** Where the other side is, as the transport knows it; port 0 where it has none. */
  readonly remote: RpcAddress;
  /** Set the callbacks in the turn in which the stream was handed over. The message is the receiver's own. */
  onMessage(callback: (message: Uint8Array) => void): void;
  /** Once. Nothing is delivered after it. */
  onEnd(callback: (end: RpcEnd) => void): void;
  onDrain(callback: () => void): void;
  /** Queues a message; `message` must not change afterwards. False: the queue is above its high mark, wait for onDrain. */
  send(message: Uint8Array): boolean;
  queuedBytes(): number;
  /** Sends what is queued, then ends: the other side sees "closed". */
  close(): void;
}

/**
 * Worlds of several nodes on one virtual clock, for tests of the control plane: streams and dials are queues, a node can be killed or frozen. Time moves only in
 * `run`, from timer to timer, and every promise chain settles in between.
 */
import { uuid } from "../../src/base/ids.js";
import { NetworkFault } from "../../src/world/network.js";
import type { RpcAddress, RpcEnd, RpcStream } from "../../src/world/rpc.js";
import type { World } from "../../src/world/world.js";

interface Timer {
  readonly atMs: number;
  readonly seq: number;
  readonly node: TestNode;
  readonly fn: () => void;
  cancelled: boolean;
}

const DELAY_MS = 1;
/** How long a close waits for the other side, as over gRPC. */
const CLOSE_MAX_MS = 3_000;
const EVENTS_MAX = 200_000;

export class TestNet {
  nowMs = 0;
  #seq = 0;
  #timers: Timer[] = [];
  readonly nodes = new Map<string, TestNode>();
  /** host:port that accept connections. */
  readonly open = new Set<string>();
  /** Dials that are refused although somebody listens. */
  readonly refused = new Set<string>();
  readonly failures: unknown[] = [];
  dials = 0;
  /** Timers and deliveries so far. */
  events = 0;
  #draws = 1;

  node(host: string): TestNode {
    const node = new TestNode(this, host);
    this.nodes.set(host, node);
    return node;
  }

  draw(): number {
    this.#draws = (this.#draws * 48_271) % 2_147_483_647;
    return this.#draws;
  }

  after(node: TestNode, delayMs: number, fn: () => void): Timer {
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), seq: this.#seq++, node, fn, cancelled: false };
    this.#timers.push(timer);
    return timer;
  }

  async run(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    for (let events = 0; ; events++) {
      if (events > EVENTS_MAX) throw new Error("too many events");
      await new Promise((resolve) => setImmediate(resolve));
      this.#timers = this.#timers.filter((timer) => !timer.cancelled && !timer.node.dead);
      const next = this.#timers.filter((timer) => !timer.node.frozen).reduce<Timer | null>((first, timer) => (first === null || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.seq < first.seq) ? timer : first), null);
      if (next === null || next.atMs > end) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.cancelled = true;
      this.events++;
      next.fn();
    }
    this.nowMs = end;
    if (this.failures.length > 0) throw this.failures[0];
  }

  /** Timers that are armed and messages under way. */
  get armed(): number {
    return this.#timers.filter((timer) => !timer.cancelled && !timer.node.dead).length;
  }

  /** Runs until it holds; fails after `ms`. */
  async until(holds: () => boolean, ms: number, what: string): Promise<void> {
    for (const end = this.nowMs + ms; !holds(); ) {
      if (this.nowMs >= end) throw new Error(`not within ${ms} ms: ${what}`);
      await this.run(5);
    }
  }
}

export class TestNode {
  dead = false;
  frozen = false;
  readonly lines: { readonly fields: object; readonly message: string }[] = [];
  readonly served = new Map<string, (stream: RpcStream) => void>();
  readonly streams = new Set<TestStream>();
  readonly world: World;

  constructor(readonly net: TestNet, readonly host: string) {
    const log = (fields: object, message: string): void => void this.lines.push({ fields, message });
    const logger = { debug: log, info: log, warn: log, error: log, with: () => logger };
    const nothing = { add: () => undefined, set: () => undefined, record: () => undefined, remove: () => undefined };
    const never = (): never => {
      throw new Error("not used here");
    };
    this.world = {
      clock: {
        nowMs: () => net.nowMs,
        wallMs: () => Math.floor(net.nowMs),
        after: (delayMs: number, fn: () => void) => {
          const timer = net.after(this, delayMs, fn);
          return { cancel: () => void (timer.cancelled = true) };
        },
        sleep: (delayMs: number) => new Promise((resolve) => net.after(this, delayMs, resolve)),
        soon: (fn: () => void) => void net.after(this, 0, fn),
        yield: () => new Promise((resolve) => net.after(this, 0, resolve)),
      },
      random: {
        below: (end: number) => net.draw() % end,
        fraction: () => net.draw() / 2_147_483_647,
        uuid: () => uuid(`u${String(net.draw()).padStart(21, "0")}`),
        uuidLong: never,
        bytes: (count: number) => Uint8Array.from({ length: count }, () => net.draw() & 255),
      },
      network: {
        listen: never,
        connect: (to: { readonly host: string; readonly port: number; readonly timeoutMs: number }) =>
          new Promise((resolve, reject) =>
            net.after(this, DELAY_MS, () => {
              net.dials++;
              const key = `${to.host}:${to.port}`;
              if (net.open.has(key) && !net.refused.has(key)) resolve({ destroy: () => undefined } as never); // liveness looks at nothing else
              else reject(new NetworkFault("refused", key));
            }),
          ),
      },
      rpc: {
        serve: (method: string, onStream: (stream: RpcStream) => void) => void this.served.set(method, onStream),
        open: (to: RpcAddress, method: string) => this.#dial(to, method),
      },
      disk: {} as World["disk"], // the control plane above the quorum keeps nothing on disk
      logger,
      meter: { counter: () => nothing, gauge: () => nothing, observe: () => nothing, histogram: () => nothing },
      offload: never,
      own: (promise: Promise<unknown>) => void promise.catch((error: unknown) => net.failures.push(error)),
      halt: (reason: string, cause?: unknown) => void net.failures.push(cause ?? new Error(reason)),
      halted: false,
    };
  }

  #dial(to: RpcAddress, method: string): RpcStream {
    const near = new TestStream(this, to);
    this.streams.add(near);
    const there = this.net.nodes.get(to.host);
    this.net.after(this, DELAY_MS, () => {
      const serve = there?.dead === false ? there.served.get(method) : undefined;
      if (there === undefined || serve === undefined) return near.end("refused");
      const far = new TestStream(there, { host: this.host, port: 0 });
      there.streams.add(far);
      near.other = far;
      far.other = near;
      serve(far);
      for (const message of near.early.splice(0)) near.deliver(message);
    });
    return near;
  }

  /** kill -9: streams break, the port is gone, nothing it waited for comes. */
  kill(port?: number): void {
    this.dead = true;
    if (port !== undefined) this.net.open.delete(`${this.host}:${port}`);
    for (const stream of this.streams) stream.other?.endLater("reset");
  }

  breakStreams(): void {
    for (const stream of [...this.streams]) {
      stream.other?.endLater("reset");
      stream.endLater("reset");
    }
  }
}

class TestStream implements RpcStream {
  other: TestStream | null = null;
  readonly early: Uint8Array[] = [];
  #ended = false;
  #onMessage: (message: Uint8Array) => void = () => undefined;
  #onEnd: (end: RpcEnd) => void = () => undefined;

  constructor(readonly node: TestNode, readonly remote: RpcAddress) {}

  onMessage(callback: (message: Uint8Array) => void): void {
    this.#onMessage = callback;
  }
  onEnd(callback: (end: RpcEnd) => void): void {
    this.#onEnd = callback;
  }
  onDrain(): void {
    // never full
  }
  queuedBytes(): number {
    return 0;
  }
  send(message: Uint8Array): boolean {
    if (this.#ended) return true;
    if (this.other === null) this.early.push(message);
    else this.deliver(message);
    return true;
  }
  deliver(message: Uint8Array): void {
    const { other } = this;
    if (other === null) return;
    const copy = message.slice();
    this.node.net.after(other.node, DELAY_MS, () => {
      if (!other.#ended) other.#onMessage(copy);
    });
  }
  close(): void {
    this.other?.endLater("closed");
    this.endLater("closed", this.other?.node.frozen === true ? CLOSE_MAX_MS : DELAY_MS);
  }
  endLater(end: RpcEnd, delayMs = DELAY_MS): void {
    this.node.net.after(this.node, delayMs, () => this.end(end));
  }
  end(end: RpcEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.node.streams.delete(this);
    this.#onEnd(end);
  }
}

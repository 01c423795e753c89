/** One end of a connection: the World's side of a socket. Bytes are cut at random, lent chunks are overwritten, written ones are read only when the kernel takes them. */
import type { Connection, ConnectionEnd } from "../world/network.js";
import type { Life } from "./life.js";
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";
import type { Socket, SocketFailure, SocketUser } from "./socket.js";

export interface WaterMarks {
  readonly highBytes: number;
  readonly lowBytes: number;
}

export const CONNECTION_MARKS: WaterMarks = { highBytes: 1 << 20, lowBytes: 1 << 18 };

const CHUNK_MAX_BYTES = 64 * 1024;
const GIVEN_BACK = 0xd1; // what a lent chunk holds after its loan

interface Written {
  readonly parts: readonly Uint8Array[];
  readonly release: (() => void) | null;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const nothing = () => undefined;

export class SimConnection implements Connection, SocketUser {
  readonly remote: Address;
  readonly local: Address;
  readonly #life: Life;
  readonly #scheduler: Scheduler;
  readonly #socket: Socket;
  readonly #draws: Seeded;
  readonly #marks: WaterMarks;
  readonly #forget: () => void;
  #onData: (chunk: Uint8Array) => void = nothing;
  #onFinish: () => void = nothing;
  #onEnd: (end: ConnectionEnd) => void = nothing;
  #onDrain: () => void = nothing;
  #queue: Written[] = [];
  #partAt = 0; // in the oldest write: which part, and how much of it is taken
  #byteAt = 0;
  #queuedBytes = 0;
  #aboveHigh = false;
  #planned = false;
  #finishing = false;
  #finishSent = false;
  #finishTaken = false;
  #finishReceived = false;
  #ended = false;
  readonly #onGone: () => void;

  constructor(life: Life, scheduler: Scheduler, socket: Socket, draws: Seeded, marks: WaterMarks, local: Address, remote: Address, onGone: () => void) {
    this.#life = life;
    this.#scheduler = scheduler;
    this.#socket = socket;
    this.#draws = draws;
    this.#marks = marks;
    this.local = local;
    this.remote = remote;
    this.#onGone = onGone;
    socket.user = this;
    this.#forget = life.keep(() => {
      onGone();
      socket.close("reset"); // the process dies, or a role that lives in it
    });
  }

  onData(callback: (chunk: Uint8Array) => void): void {
    this.#onData = callback;
  }

  onFinish(callback: () => void): void {
    this.#onFinish = callback;
  }

  onEnd(callback: (end: ConnectionEnd) => void): void {
    this.#onEnd = callback;
  }

  onDrain(callback: () => void): void {
    this.#onDrain = callback;
  }

  write(parts: readonly Uint8Array[], release?: () => void): boolean {
    this.#life.check();
    if (this.#ended || this.#finishing || !this.#socket.isOpen) {
      if (release !== undefined) this.#soon(release);
      return true;
    }
    for (const part of parts) this.#queuedBytes += part.length;
    this.#queue.push({ parts, release: release ?? null });
    this.#plan();
    if (this.#queuedBytes > this.#marks.highBytes) this.#aboveHigh = true;
    return !this.#aboveHigh;
  }

  queuedBytes(): number {
    return this.#queuedBytes;
  }

  pause(): void {
    this.#life.check();
    this.#socket.pause();
  }

  resume(): void {
    this.#life.check();
    this.#socket.resume();
  }

  finish(): void {
    this.#life.check();
    if (this.#ended) return;
    this.#finishing = true;
    this.#plan();
  }

  destroy(): void {
    this.#life.check();
    if (this.#ended) return;
    this.#socket.close(this.#draws.chance(0.7) ? "finish" : "reset");
    this.#end("closed");
  }

  // ------------------------------------------------------------------------------------------------------------ from the socket

  received(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#scheduler.observer?.delivered(this, bytes);
    this.#life.run(() => this.#onData(bytes));
    bytes.fill(GIVEN_BACK);
  }

  finished(): void {
    if (this.#ended) return;
    this.#finishReceived = true;
    this.#life.run(this.#onFinish);
    this.#endIfDone();
  }

  finishDelivered(): void {
    this.#finishTaken = true;
    this.#endIfDone();
  }

  failed(end: SocketFailure): void {
    this.#end(end);
  }

  room(): void {
    this.#flush();
  }

  // ------------------------------------------------------------------------------------------------------------ inside

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    const { thread } = this.#life;
    // Mostly at the end of the tick, sometimes later: who touches written bytes before their release is found out.
    const delayMs = this.#draws.below(8) === 0 ? this.#draws.between(0, 0.5) : 0;
    this.#scheduler.at(thread.nowMs + delayMs, thread, () => {
      this.#planned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#ended || this.#life.halted) return;
    for (;;) {
      this.#releaseTaken();
      if (this.#ended || this.#life.halted) return; // a release may have destroyed it
      if (this.#queuedBytes === 0) break;
      const wanted = Math.min(this.#queuedBytes, CHUNK_MAX_BYTES);
      const count = Math.min(wanted, this.#socket.roomBytes(wanted));
      if (count === 0) break;
      const taken = this.#take(count);
      this.#scheduler.observer?.wrote(this, taken);
      this.#send(taken);
    }
    if (this.#aboveHigh && this.#queuedBytes < this.#marks.lowBytes) {
      this.#aboveHigh = false;
      this.#life.run(this.#onDrain);
    }
    if (this.#finishing && !this.#finishSent && this.#queuedBytes === 0) {
      this.#finishSent = true;
      this.#socket.finish();
    }
  }

  /** The kernel copies: here written bytes are read. */
  #take(count: number): Uint8Array {
    const taken = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const part = this.#queue[0]?.parts[this.#partAt];
      if (part === undefined) {
        this.#releaseOldest();
        continue;
      }
      const bytes = Math.min(count - filled, part.length - this.#byteAt);
      taken.set(part.subarray(this.#byteAt, this.#byteAt + bytes), filled);
      filled += bytes;
      this.#byteAt += bytes;
      if (this.#byteAt < part.length) break;
      this.#partAt++;
      this.#byteAt = 0;
    }
    this.#queuedBytes -= count;
    return taken;
  }

  #releaseTaken(): void {
    for (let oldest = this.#queue[0]; oldest !== undefined; oldest = this.#queue[0]) {
      while (oldest.parts[this.#partAt]?.length === this.#byteAt) {
        this.#partAt++;
        this.#byteAt = 0;
      }
      if (this.#partAt < oldest.parts.length) return;
      this.#releaseOldest();
    }
  }

  #releaseOldest(): void {
    const oldest = this.#queue.shift();
    this.#partAt = 0;
    this.#byteAt = 0;
    if (oldest !== undefined && oldest.release !== null) this.#life.run(oldest.release);
  }

  #send(bytes: Uint8Array): void {
    const cut = this.#draws.below(64);
    let most = bytes.length; // mostly one chunk; now and then a few, rarely crumbs
    if (cut < 8) most = 1 + this.#draws.below(bytes.length);
    else if (cut === 8) most = 1 + this.#draws.below(Math.max(1, Math.ceil(bytes.length / 8)));
    if (most === bytes.length) return this.#socket.send(bytes);
    for (let at = 0; at < bytes.length; ) {
      const size = Math.min(bytes.length - at, Math.max(1, Math.ceil(bytes.length / 16), this.#draws.below(most) + 1));
      this.#socket.send(bytes.subarray(at, at + size));
      at += size;
    }
  }

  #endIfDone(): void {
    if (this.#ended || !this.#finishTaken || !this.#finishReceived) return;
    this.#socket.close("finish");
    this.#end("closed");
  }

  /** Told in a later turn, after what was lent has been given back. */
  #end(end: ConnectionEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#forget();
    this.#onGone();
    const lent = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#soon(() => {
      for (const { release } of lent) if (release !== null) this.#life.run(release);
      this.#onEnd(end);
    });
  }

  #soon(act: () => void): void {
    const { thread } = this.#life;
    this.#scheduler.at(thread.nowMs, thread, () => this.#life.run(act));
  }
}

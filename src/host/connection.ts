/**
 * One TCP connection. Chunks arrive in a buffer shared by the thread's connections (no allocation per read, node-limits §2); writes of
 * one turn of the event loop are collected and leave in one writev.
 */
import type * as net from "node:net";
import type { Connection, ConnectionEnd } from "../world/network.js";
import type { Life } from "./life.js";
import { connectionEnd } from "./network-fault.js";

export interface WaterMarks {
  /** `write` returns false above it. */
  readonly highBytes: number;
  /** `onDrain` is called below it. */
  readonly lowBytes: number;
}

interface Batch {
  readonly bytes: number;
  readonly releases: readonly (() => void)[];
}

const nothing = () => undefined;

export class HostConnection implements Connection {
  readonly remote: { readonly host: string; readonly port: number };
  readonly local: { readonly host: string; readonly port: number };
  readonly #life: Life;
  readonly #socket: net.Socket;
  readonly #marks: WaterMarks;
  readonly #forget: () => void;
  #onData: (chunk: Uint8Array) => void = nothing;
  #onFinish: () => void = nothing;
  #onEnd: (end: ConnectionEnd) => void = nothing;
  #onDrain: () => void = nothing;
  #parts: Uint8Array[] = []; // of this turn
  #partsBytes = 0;
  #releases: (() => void)[] = [];
  #planned = false;
  readonly #sent: Batch[] = []; // with the kernel or before it, oldest first
  #queuedBytes = 0;
  #aboveHigh = false;
  #finishing = false;
  #ended = false;
  #error: Error | null = null;

  constructor(life: Life, socket: net.Socket, marks: WaterMarks) {
    this.#life = life;
    this.#socket = socket;
    this.#marks = marks;
    this.remote = { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.local = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 };
    this.#forget = life.keep(() => this.#drop());
    socket.on("error", (error) => (this.#error ??= error));
    socket.on("end", () => life.run(this.#onFinish));
    socket.on("close", () => this.#close());
  }

  /** From the socket's reader; `chunk` is lent until it returns. */
  deliver(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#life.run(() => this.#onData(chunk));
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
    if (this.#ended || this.#finishing || this.#socket.destroyed) {
      if (release !== undefined) setImmediate(() => this.#life.run(release));
      return true; // nothing is queued; the end is on its way or has been told
    }
    for (const part of parts) {
      if (part.length === 0) continue;
      this.#parts.push(part);
      this.#partsBytes += part.length;
      this.#queuedBytes += part.length;
    }
    if (release !== undefined) this.#releases.push(release);
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
    if (!this.#socket.destroyed) this.#socket.resume();
  }

  finish(): void {
    this.#life.check();
    this.#finishing = true;
    this.#plan();
  }

  destroy(): void {
    this.#life.check();
    this.#drop();
  }

  #drop(): void {
    this.#parts = [];
    this.#partsBytes = 0;
    this.#socket.destroy();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#planned = false;
    if (this.#life.halted || this.#socket.destroyed) return; // #close releases what was lent
    const parts = this.#parts;
    const batch: Batch = { bytes: this.#partsBytes, releases: this.#releases };
    this.#parts = [];
    this.#partsBytes = 0;
    this.#releases = [];
    const last = parts.pop();
    if (last !== undefined || batch.releases.length > 0) {
      this.#sent.push(batch);
      this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      this.#socket.write(last ?? new Uint8Array(0), (error) => {
        if (error === null || error === undefined) this.#written();
      });
      this.#socket.uncork();
    }
    if (this.#finishing) this.#socket.end();
  }

  /** Writes complete in order, so it is the oldest batch. */
  #written(): void {
    const batch = this.#sent.shift();
    if (batch === undefined) return;
    this.#queuedBytes -= batch.bytes;
    for (const release of batch.releases) this.#life.run(release);
    if (this.#aboveHigh && this.#queuedBytes < this.#marks.lowBytes) {
      this.#aboveHigh = false;
      this.#life.run(this.#onDrain);
    }
  }

  /** The handle is closed: the kernel no longer looks at any lent buffer. */
  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#forget();
    this.#parts = [];
    this.#queuedBytes = 0;
    const lent = [...this.#sent.flatMap((batch) => batch.releases), ...this.#releases];
    this.#sent.length = 0;
    this.#releases = [];
    for (const release of lent) this.#life.run(release);
    this.#life.run(() => this.#onEnd(connectionEnd(this.#error)));
  }
}

/** A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d. */
function plainHost(address: string | undefined): string {
  if (address === undefined) return "";
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}

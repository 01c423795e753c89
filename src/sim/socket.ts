/**
 * The kernel's side of a stream between two processes: parcels in order, each with its own latency, a window, FIN and RST. Connections and rpc
 * streams stand on it. What was given to it goes on when its process is killed or its connection is closed: bytes of a dead connection may come
 * after its successor's.
 *
 *     user ─ send ▶ [window] ═══ link ═══▶ user of the peer         killed: in-flight bytes, then RST
 *                                                                   power lost: in-flight bytes, then silence, RST once it is back
 */
import type { Link, LinkUser, NetworkBite } from "./links.js";
import type { Life } from "./life.js";
import type { Scheduler, SimEvent } from "./scheduler.js";
import { digestOf } from "./trace.js";

const GIVE_UP_MS = 300_000; // unacknowledged for so long: the kernel ends the connection

export type SocketFailure = "reset" | "timed-out";

/** Called on the owner's thread, only while it is open. */
export interface SocketUser {
  received(bytes: Uint8Array): void;
  /** The peer's FIN. */
  finished(): void;
  /** The peer has all that was sent, and the FIN. */
  finishDelivered(): void;
  failed(end: SocketFailure): void;
  /** There is room again after `send` was held back by the window. */
  room(): void;
}

/** Probes on an idle stream: of gRPC, or of TCP itself. */
export interface Keepalive {
  /** A peer that has forgotten the stream answers one with RST. */
  readonly everyMs: number;
  /** Without any answer for so long, the stream is over. */
  readonly deadMs: number;
}

/** Something that one process sends to another, for who watches the wires. */
export interface Sent {
  /** Of the stream, from 1 up in order of dials. */
  readonly stream: number;
  readonly kind: "bytes" | "rpc";
  /** Machines. */
  readonly from: string;
  readonly to: string;
  /** Who dialled. */
  readonly dialler: string;
  /** The port that was dialled, and what was asked for there: an rpc's method. */
  readonly port: number;
  readonly hello: string;
  /** Null: FIN. */
  readonly bytes: Uint8Array | null;
}

/** Watches the wires. What it returns is added to the parcel's latency, in milliseconds: a message held back on purpose, and all behind it. */
export type Watch = (sent: Sent) => number;

export interface Wires {
  readonly describe: Pick<Sent, "stream" | "kind" | "dialler" | "port" | "hello">;
  /** Asked at each parcel, so that it may come and go. */
  readonly watch: () => Watch | null;
  readonly scheduler: Scheduler;
  /** In this socket's direction, and against it. */
  readonly link: Link;
  readonly back: Link;
  readonly windowBytes: number;
  readonly keepalive: Keepalive;
  readonly onBite: (bite: NetworkBite) => void;
}

type State = "open" | "closed" | "gone" | "mute"; // gone: its machine lost power. mute: half-open, nothing is ever answered

export class Socket implements LinkUser {
  readonly owner: Life;
  #user: SocketUser | null = null;
  /** How it failed between the handshake and the hand-over, when there was nobody to tell. */
  #missed: SocketFailure | null = null;
  readonly #wires: Wires;
  #peer: Socket | null = null;
  #state: State = "open";
  /** Null stands for FIN. */
  readonly #parcels: { readonly bytes: Uint8Array | null; atMs: number }[] = [];
  #head: SimEvent | null = null;
  #lastMs = 0;
  #inFlightBytes = 0;
  #wantsRoom = false;
  #paused = false;
  #finishing = false;
  #suspects = false;
  #giveUp: SimEvent | null = null;

  private constructor(owner: Life, wires: Wires) {
    this.owner = owner;
    this.#wires = wires;
    wires.link.users.add(this);
    wires.back.users.add(this);
  }

  static pair(near: Life, far: Life, wires: Wires): readonly [Socket, Socket] {
    const one = new Socket(near, wires);
    const other = new Socket(far, { ...wires, link: wires.back, back: wires.link });
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get user(): SocketUser | null {
    return this.#user;
  }

  set user(user: SocketUser | null) {
    this.#user = user;
    const missed = this.#missed;
    if (user === null || missed === null) return;
    this.#missed = null;
    this.#wires.scheduler.at(this.#wires.scheduler.nowMs, this.owner.thread, () => user.failed(missed));
  }

  /** Nothing arrives before this time. */
  notBefore(atMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, atMs);
  }

  /** How many bytes it takes now; a parcel larger than the window is taken when the window is empty. If less than wanted, `room` follows. */
  roomBytes(wanted: number): number {
    const room = this.#inFlightBytes === 0 ? Math.max(wanted, this.#wires.windowBytes) : this.#wires.windowBytes - this.#inFlightBytes;
    if (room < wanted) this.#wantsRoom = true;
    return Math.max(0, room);
  }

  /** `bytes` is the socket's own from now on. */
  send(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#inFlightBytes += bytes.length;
    this.#push(bytes);
  }

  finish(): void {
    if (this.#state !== "open" || this.#finishing) return;
    this.#finishing = true;
    this.#push(null);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#peer !== null) this.#peer.#arm();
  }

  /** The process lets go of it: what is in flight goes on, then FIN or RST. */
  close(how: "finish" | "reset"): void {
    if (this.#state !== "open") return;
    if (how === "finish") this.finish();
    const before = this.#state;
    this.#state = "closed";
    this.#settleDown();
    if (how === "reset" && before === "open") this.#resetPeerLater(Math.max(this.#lastMs, this.#wires.scheduler.nowMs));
  }

  /** Its machine has lost power. */
  vanish(): void {
    if (this.#state === "mute") return;
    this.#state = "gone";
    this.#settleDown();
  }

  /** This side is told of a reset of which the other side never hears. */
  halfOpen(): void {
    if (this.#state !== "open") return;
    this.#wires.onBite("connection-half-open");
    this.#fail("reset", "mute");
    this.#peer?.linkDown();
  }

  /** A packet with RST has come, or a middlebox sends one. */
  reset(): void {
    if (this.#state !== "open") return;
    this.#wires.onBite("connection-reset");
    this.#fail("reset", "closed");
  }

  linkUp(): void {
    const peer = this.#peer;
    if (peer !== null && (peer.#state === "gone" || peer.#state === "closed")) this.#probeForgotten();
    if (this.#head !== null || this.#parcels.length === 0) return;
    this.#stopGivingUp();
    const atMs = this.#wires.scheduler.nowMs + this.#wires.link.retransmitMs();
    for (const parcel of this.#parcels) parcel.atMs = Math.max(parcel.atMs, atMs);
    this.notBefore(atMs);
    this.#arm();
  }

  /** Probes get no answer from now on, perhaps: looks again when they would have told. */
  linkDown(): void {
    if (this.#state !== "open" || this.#suspects) return;
    this.#suspects = true;
    const { keepalive, link } = this.#wires;
    const deadMs = keepalive.deadMs * (0.6 + link.below(400) / 1000);
    this.#lookAgain(deadMs, deadMs);
  }

  #lookAgain(afterMs: number, deadMs: number): void {
    const { scheduler } = this.#wires;
    scheduler.at(scheduler.nowMs + afterMs, this.owner.thread, () => {
      if (this.#state !== "open") return;
      const silentMs = this.#silentForMs();
      if (silentMs >= deadMs) return this.#fail("timed-out", "closed");
      this.#suspects = silentMs > 0;
      if (silentMs > 0) this.#lookAgain(deadMs - silentMs, deadMs);
    });
  }

  /** The peer knows nothing of this stream any more, and says so to the next probe. */
  #probeForgotten(): void {
    if (this.#state === "open") this.#later(() => this.reset(), this.#wires.keepalive.everyMs * (this.#wires.link.below(1000) / 1000));
  }

  #silentForMs(): number {
    const peer = this.#peer;
    const frozenSinceMs = peer === null || peer.#state !== "open" ? null : peer.owner.thread.frozenSinceMs;
    const frozenMs = frozenSinceMs === null ? 0 : this.#wires.scheduler.nowMs - frozenSinceMs;
    const goneMs = peer !== null && peer.#state === "mute" ? Infinity : 0;
    return Math.max(this.#wires.link.downForMs(), this.#wires.back.downForMs(), frozenMs, goneMs);
  }

  #push(bytes: Uint8Array | null): void {
    const { scheduler, link } = this.#wires;
    if (link.faults.slowness > 1) this.#wires.onBite("bytes-slow");
    const watch = this.#wires.watch();
    const heldMs = watch === null ? 0 : watch({ ...this.#wires.describe, from: link.from.name, to: link.to.name, bytes });
    this.#lastMs = Math.max(this.#lastMs, Math.max(scheduler.nowMs, this.owner.thread.nowMs) + link.latencyMs() + heldMs);
    this.#parcels.push({ bytes, atMs: this.#lastMs });
    this.#arm();
  }

  #arm(): void {
    const parcel = this.#parcels[0];
    const peer = this.#peer;
    if (this.#head !== null || parcel === undefined || peer === null) return;
    if (peer.#paused && peer.#state === "open") return;
    if (!this.#wires.link.carries(this.#state === "gone")) return this.#hold();
    this.#head = this.#wires.scheduler.at(parcel.atMs, peer.#state === "open" ? peer.owner.thread : null, () => {
      this.#head = null;
      this.#arrive(peer);
    });
  }

  /** Waits for the link; not for ever. */
  #hold(): void {
    this.#wires.onBite("bytes-held");
    const { scheduler } = this.#wires;
    if (this.#giveUp !== null || this.#state !== "open") return;
    this.#giveUp = scheduler.at(scheduler.nowMs + GIVE_UP_MS, this.owner.thread, () => this.#fail("timed-out", "closed"));
  }

  #stopGivingUp(): void {
    if (this.#giveUp !== null) this.#wires.scheduler.cancel(this.#giveUp);
    this.#giveUp = null;
  }

  #arrive(peer: Socket): void {
    if (!this.#wires.link.carries(this.#state === "gone")) return this.#hold();
    if (peer.#paused && peer.#state === "open") return;
    const parcel = this.#parcels.shift();
    if (parcel === undefined) return;
    this.#inFlightBytes -= parcel.bytes?.length ?? 0;
    if (peer.#state !== "open") return this.#arriveAtNobody(peer, parcel.bytes === null);
    const { scheduler } = this.#wires;
    scheduler.trace.note("deliver", peer.owner.thread.id, scheduler.nowMs, parcel.bytes === null ? -1 : digestOf(parcel.bytes));
    if (parcel.bytes !== null) peer.#user?.received(parcel.bytes);
    else {
      peer.#user?.finished();
      this.#later(() => this.#user?.finishDelivered());
    }
    if (this.#wantsRoom && this.#inFlightBytes * 2 <= this.#wires.windowBytes) {
      this.#wantsRoom = false;
      this.#later(() => this.#user?.room());
    }
    this.#arm();
    this.#leaveLinkIfDone();
  }

  #arriveAtNobody(peer: Socket, isFinish: boolean): void {
    if (peer.#state === "mute") return this.#hold(); // unanswered until it gives up
    const wasClosedToo = isFinish && peer.#state === "closed" && peer.#finishing;
    this.#parcels.length = 0;
    if (wasClosedToo) this.#later(() => this.#user?.finishDelivered());
    else this.#later(() => this.reset());
    this.#leaveLinkIfDone();
  }

  /** On this side's thread, after the way back; sent again until the way back carries. */
  #later(act: () => void, delayMs = 0): void {
    const { scheduler, back } = this.#wires;
    if (this.#state !== "open") return;
    const waitMs = back.carries() ? back.latencyMs() : back.retransmitMs() * 4;
    const sent = back.carries();
    scheduler.at(scheduler.nowMs + delayMs + waitMs, sent ? this.owner.thread : null, () => {
      if (this.#state !== "open") return;
      if (sent) act();
      else this.#later(act);
    });
  }

  #resetPeerLater(atMs: number): void {
    const peer = this.#peer;
    const { scheduler, link } = this.#wires;
    if (peer === null || peer.#state !== "open" || !link.passesPacket()) return;
    scheduler.at(atMs + link.latencyMs(), peer.owner.thread, () => peer.reset());
  }

  #fail(end: SocketFailure, state: State): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#parcels.length = 0;
    if (this.#head !== null) this.#wires.scheduler.cancel(this.#head);
    this.#head = null;
    this.#settleDown();
    const peer = this.#peer;
    if (end === "timed-out" && peer !== null) peer.#probeForgotten(); // nobody tells it otherwise: what was in the way may have been a standing process, not a link
    if (this.#user === null) this.#missed = end;
    else this.#user.failed(end);
  }

  /** No longer open: what still comes is the kernel's, not the thread's. */
  #settleDown(): void {
    this.#stopGivingUp();
    if (this.#wires.back !== this.#wires.link) this.#wires.back.users.delete(this);
    const peer = this.#peer;
    if (peer !== null) {
      if (peer.#head !== null) this.#wires.scheduler.cancel(peer.#head);
      peer.#head = null;
      peer.#arm();
    }
    this.#leaveLinkIfDone();
  }

  #leaveLinkIfDone(): void {
    if (this.#state !== "open" && this.#parcels.length === 0) this.#wires.link.users.delete(this);
  }
}

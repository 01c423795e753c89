/** The network of a simulation: machines by name, their ports, the links between them, and dialling. */
import { NetworkFault, type NetworkFaultCode } from "../world/network.js";
import type { Life } from "./life.js";
import { Link, type LinkFaults, type NetworkBite, NO_LINK_FAULTS, type Station } from "./links.js";
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";
import { type Keepalive, Socket, type Watch } from "./socket.js";

const FIRST_FREE_PORT = 32_768;
const LAST_FREE_PORT = 60_999;
const RETRY_FIRST_MS = 1_000; // of an unanswered SYN, then twice as long each time
const LOOPBACK: ReadonlySet<string> = new Set(["", "localhost", "127.0.0.1", "0.0.0.0", "::1", "::"]);

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What listens on a port. */
export interface Bound {
  readonly kind: "bytes" | "rpc";
  /** Who answers, by what the dialler asks for (an rpc's method); null: nobody does. */
  ownerFor(hello: string): Life | null;
  /** On that owner's thread: a dial has come through. */
  accept(socket: Socket, local: Address, remote: Address, hello: string): void;
}

export interface Dial {
  readonly from: Station;
  readonly owner: Life;
  readonly to: Address;
  /** Connections of bytes are opened by the kernel, rpc streams by the process that answers. */
  readonly kind: Bound["kind"];
  readonly hello: string;
  readonly keepalive: Keepalive;
  readonly timeoutMs: number;
  /** On the dialler's thread, each once and only one of them. */
  readonly onOpen: (socket: Socket, local: Address) => void;
  readonly onFault: (fault: NetworkFault) => void;
}

export class Fabric {
  readonly #scheduler: Scheduler;
  readonly #seeded: Seeded;
  readonly #onBite: (bite: NetworkBite) => void;
  readonly #stations = new Map<string, Station>();
  readonly #ports = new Map<Station, Map<number, Bound>>();
  readonly #nextFree = new Map<Station, number>();
  readonly #links = new Map<string, Link>();
  /** Every socket that is open, for resets. */
  readonly #pairs = new Set<readonly [Socket, Socket, Station, Station]>();
  readonly #windowBytes: number;
  #sweepAt = 64;
  #streams = 0;
  /** Sees all that is sent, and may hold it back; null: nobody watches. */
  watch: Watch | null = null;

  constructor(scheduler: Scheduler, seeded: Seeded, onBite: (bite: NetworkBite) => void) {
    this.#scheduler = scheduler;
    this.#seeded = seeded;
    this.#onBite = onBite;
    this.#windowBytes = seeded.fork("window").pick([32, 128, 256]) * 1024;
  }

  /** @param host another name under which it is found, for instance the address of one that is gone */
  alias(host: string, station: Station): void {
    this.#stations.set(host, station);
  }

  add(station: Station): void {
    this.#stations.set(station.name, station);
    this.#ports.set(station, new Map());
  }

  /** One direction. */
  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link(this.#scheduler, this.#seeded.fork(key), this.#station(from), this.#station(to));
      this.#links.set(key, link);
    }
    return link;
  }

  /** Between each of some and each of others, both ways unless told otherwise. */
  fault(some: readonly string[], others: readonly string[], change: Partial<LinkFaults>, ways: "both" | "there" = "both"): void {
    for (const from of some) {
      for (const to of others) {
        if (from === to) continue;
        this.link(from, to).fault(change);
        if (ways === "both") this.link(to, from).fault(change);
      }
    }
  }

  /** No link has any fault. */
  heal(): void {
    for (const link of this.#links.values()) link.fault(NO_LINK_FAULTS);
  }

  /** Ends connections between two machines: both sides hear of a reset, or the first one alone. @returns how many */
  breakConnections(between: readonly [string, string], how: "reset" | "half-open"): number {
    const [a, b] = between;
    let count = 0;
    for (const [near, far, from, to] of [...this.#pairs]) {
      const straight = from.name === a && to.name === b;
      if (!straight && !(from.name === b && to.name === a)) continue;
      const [first, second] = straight ? [near, far] : [far, near];
      if (!first.isOpen || !second.isOpen) continue;
      count++;
      if (how === "half-open") this.#onThread(first, () => first.halfOpen());
      else for (const one of [first, second]) this.#onThread(one, () => one.reset());
    }
    return count;
  }

  /** The machine has become silent, or has ceased to be: streams over its links must know. */
  tellLinks(station: Station): void {
    for (const link of this.#links.values()) if (link.from === station || link.to === station) link.tellUsers();
  }

  /** The machine has lost power: its kernel's streams are gone without a word. */
  vanish(station: Station): void {
    for (const [near, far, from, to] of [...this.#pairs]) {
      if (from === station) near.vanish();
      if (to === station) far.vanish();
    }
    this.#ports.set(station, new Map());
  }

  /** A process stands still: probes of its peers get no answer. */
  suspect(station: Station): void {
    for (const link of this.#links.values()) if (link.from === station || link.to === station) for (const user of [...link.users]) user.linkDown();
  }

  /** @param port 0 for any; @returns the port, or null if it is taken */
  bind(station: Station, port: number, bound: Bound): number | null {
    const ports = this.#ports.get(station) ?? new Map<number, Bound>();
    const chosen = port === 0 ? this.#freePort(station) : port;
    if (ports.has(chosen)) return null;
    ports.set(chosen, bound);
    return chosen;
  }

  unbind(station: Station, port: number, bound: Bound): void {
    const ports = this.#ports.get(station);
    if (ports?.get(port) === bound) ports.delete(port);
  }

  dial(dial: Dial): void {
    const { from, owner, to } = dial;
    const target = LOOPBACK.has(to.host) ? from : (this.#stations.get(to.host) ?? null);
    let settled = false;
    let timeout: (() => void) | null = null;
    const settle = (atMs: number, act: () => void) =>
      this.#scheduler.at(atMs, owner.thread, () => {
        if (settled || owner.halted) return;
        settled = true;
        timeout?.();
        act();
      });
    const fail = (afterMs: number, code: NetworkFaultCode, detail: string) => settle(this.#scheduler.nowMs + afterMs, () => dial.onFault(new NetworkFault(code, `${to.host}:${to.port}: ${detail}`)));
    if (target === null) return void fail(1, "unreachable", "no such host");
    const [there, back] = [this.link(from.name, target.name), this.link(target.name, from.name)];
    const late = fail(dial.timeoutMs, "timed-out", `no connection within ${dial.timeoutMs} ms`);
    timeout = () => this.#scheduler.cancel(late);

    const attempt = (retryMs: number) => {
      if (settled || owner.halted) return;
      if (!there.passesPacket() || !back.passesPacket()) {
        this.#onBite("dial-unanswered");
        return void this.#scheduler.at(this.#scheduler.nowMs + retryMs, null, () => attempt(retryMs * 2));
      }
      const bound = this.#ports.get(target)?.get(to.port);
      const answerMs = back.latencyMs();
      if (there.faults.refuses) this.#onBite("dial-refused");
      if (bound === undefined || bound.kind !== dial.kind || there.faults.refuses) return void fail(answerMs, "refused", "nobody listens");
      const server = bound.ownerFor(dial.hello);
      if (server === null) return void fail(answerMs, "unreachable", `${dial.hello} is not served there`);
      const local = { host: target === from ? "127.0.0.1" : from.name, port: this.#freePort(from) };
      const [near, far] = this.#pair(dial, server, [there, back], target);
      const forgetNear = owner.keep(() => near.close("reset")); // between the handshake and the hand-over
      const forgetFar = server.keep(() => far.close("reset"));
      const open = () => {
        const openMs = this.#scheduler.nowMs + answerMs;
        far.notBefore(openMs);
        this.#scheduler.at(openMs, owner.thread, () => {
          forgetNear();
          if (settled || owner.halted) return near.close("reset");
          settled = true;
          timeout?.();
          dial.onOpen(near, local);
        });
      };
      if (dial.kind === "bytes") open();
      this.#scheduler.at(this.#scheduler.nowMs, server.thread, () => {
        forgetFar();
        if (dial.kind === "rpc") open();
        bound.accept(far, to, local, dial.hello);
      });
      this.#scheduler.trace.note("connect", owner.thread.id, this.#scheduler.nowMs, to.port);
    };
    this.#scheduler.at(Math.max(owner.thread.nowMs, this.#scheduler.nowMs) + there.latencyMs(), null, () => attempt(RETRY_FIRST_MS));
  }

  #pair(dial: Dial, server: Life, [link, back]: readonly [Link, Link], target: Station): readonly [Socket, Socket] {
    const describe = { stream: ++this.#streams, kind: dial.kind, dialler: dial.from.name, port: dial.to.port, hello: dial.hello };
    const wires = { describe, watch: () => this.watch, scheduler: this.#scheduler, link, back, windowBytes: this.#windowBytes, keepalive: dial.keepalive, onBite: this.#onBite };
    const pair = Socket.pair(dial.owner, server, wires);
    this.#pairs.add([...pair, dial.from, target]);
    if (this.#pairs.size > this.#sweepAt) {
      for (const one of this.#pairs) if (!one[0].isOpen && !one[1].isOpen) this.#pairs.delete(one);
      this.#sweepAt = Math.max(64, this.#pairs.size * 2);
    }
    return pair;
  }

  #onThread(socket: Socket, act: () => void): void {
    this.#scheduler.at(this.#scheduler.nowMs, socket.owner.thread, act);
  }

  #freePort(station: Station): number {
    const ports = this.#ports.get(station);
    let next = this.#nextFree.get(station) ?? FIRST_FREE_PORT;
    while (ports?.has(next) === true) next = next === LAST_FREE_PORT ? FIRST_FREE_PORT : next + 1;
    this.#nextFree.set(station, next === LAST_FREE_PORT ? FIRST_FREE_PORT : next + 1);
    return next;
  }

  #station(name: string): Station {
    const station = this.#stations.get(name);
    if (station === undefined) throw new Error(`no machine is called ${name}`);
    return station;
  }
}

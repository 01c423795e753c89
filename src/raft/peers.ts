/**
 * Streams to the other members: one that we open to each, for what we say, and those that they open to us. Dialled anew for ever, by name each time. Both
 * sides say hello first; a stream of another cluster, of a node that nobody expects, or of an earlier incarnation than the one we know carries nothing.
 */
import { backoffMs } from "../base/backoff.js";
import type { NodeId } from "../base/ids.js";
import type { Timer } from "../world/clock.js";
import type { RpcAddress, RpcEnd, RpcStream } from "../world/rpc.js";
import type { World } from "../world/world.js";
import type { Message } from "./core/messages.js";
import { keyOf, type MemberKey } from "./types.js";
import { decodeEnvelope, encodeEnvelope, METHOD, WireError, type Envelope, type Hello } from "./wire.js";

const REDIAL = { firstMs: 25, maxMs: 500 };
/** While founding, all wait for the last one to come up. */
const REDIAL_FOUNDING = { firstMs: 25, maxMs: 60 };
/** Queued to one peer; above it messages are dropped, and Raft asks again. */
const QUEUE_MAX_BYTES = 32 << 20;
const INCOMING_MAX = 64;
const REFUSALS_MAX = 100;

export interface PeerEvents {
  hello(): Hello;
  /** May this node be a member at all? */
  isExpected(id: NodeId): boolean;
  onHello(hello: Hello): void;
  onMessage(from: MemberKey, message: Message): void;
  onConnected(peer: MemberKey): void;
  onDisconnected(peer: MemberKey, refused: boolean): void;
}

interface Link {
  readonly id: NodeId;
  /** Tried in turn: what the settings say, and what the log says. */
  addresses: readonly RpcAddress[];
  stream: RpcStream | null;
  redial: Timer | null;
  /** What the other side said last on this stream. */
  hello: Hello | null;
  /** Who it is, once both of us belong to one cluster. */
  peer: MemberKey | null;
  /** Whose stream was lost last, until a dial after it has told whether the process is gone. */
  lost: MemberKey | null;
  attempt: number;
}

export class Peers {
  readonly #links = new Map<NodeId, Link>();
  readonly #incoming = new Map<RpcStream, Hello | null>();
  /** The newest incarnation of each disk: bytes of an earlier one may come after it and must not count. */
  readonly #starts = new Map<MemberKey, number>();
  readonly #refusals = new Set<string>();
  #closed = false;

  constructor(readonly world: World, readonly events: PeerEvents) {
    world.rpc.serve(METHOD, (stream) => this.#accept(stream));
  }

  /** Keeps a link to exactly these nodes from now on. */
  keep(wanted: ReadonlyMap<NodeId, readonly RpcAddress[]>): void {
    for (const [id, link] of this.#links) {
      if (wanted.has(id)) continue;
      this.#links.delete(id);
      link.redial?.cancel();
      link.stream?.close();
      if (link.peer !== null) this.events.onDisconnected(link.peer, false);
    }
    for (const [id, addresses] of wanted) {
      const known = this.#links.get(id);
      if (known !== undefined) known.addresses = addresses;
      else {
        const link: Link = { id, addresses, stream: null, redial: null, hello: null, peer: null, lost: null, attempt: 0 };
        this.#links.set(id, link);
        this.#dial(link);
      }
    }
  }

  /** Says hello again on every stream: we have changed. */
  greet(): void {
    const bytes = encodeEnvelope({ hello: this.events.hello() });
    for (const link of this.#links.values()) link.stream?.send(bytes);
    for (const stream of this.#incoming.keys()) stream.send(bytes);
    for (const link of this.#links.values()) this.#recognize(link);
  }

  /** Lost unless that member is connected. */
  send(to: MemberKey, message: Message): void {
    for (const link of this.#links.values()) {
      if (link.peer !== to || link.stream === null) continue;
      if (link.stream.queuedBytes() < QUEUE_MAX_BYTES) link.stream.send(encodeEnvelope({ message }));
      return;
    }
  }

  get openStreams(): number {
    return this.#incoming.size + [...this.#links.values()].filter((link) => link.stream !== null).length;
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) {
      link.redial?.cancel();
      link.stream?.close();
    }
    for (const stream of this.#incoming.keys()) stream.close();
  }

  // ------------------------------------------------------------------------------------------------ ours

  #dial(link: Link): void {
    const address = link.addresses[link.attempt % link.addresses.length];
    if (this.#closed || address === undefined || this.#links.get(link.id) !== link) return;
    const stream = this.world.rpc.open(address, METHOD);
    link.redial = null;
    link.stream = stream;
    stream.onMessage((bytes) => {
      const envelope = this.#read(stream, bytes);
      if (envelope !== null && "hello" in envelope && link.stream === stream) this.#greeted(link, address, envelope.hello);
    });
    stream.onDrain(() => undefined);
    stream.onEnd((end) => this.#lost(link, stream, end));
    stream.send(encodeEnvelope({ hello: this.events.hello() }));
  }

  #greeted(link: Link, address: RpcAddress, hello: Hello): void {
    if (this.#closed) return;
    const where = `${address.host}:${address.port}`;
    if (hello.nodeId !== link.id) return this.#refuse(link.stream, { address: where, expected: link.id, found: hello.nodeId }, "another node answers at a member's address");
    if (!this.#sameCluster(link.stream, hello)) return;
    this.#note(hello);
    link.hello = hello;
    link.attempt = 0;
    this.events.onHello(hello);
    this.#recognize(link);
  }

  /** Either side may learn of the cluster after it said hello. */
  #recognize(link: Link): void {
    const { hello } = link;
    const own = this.events.hello();
    if (hello === null || own.clusterId === "" || hello.clusterId !== own.clusterId) return;
    const peer = keyOf({ id: hello.nodeId, directoryId: hello.directoryId });
    link.lost = null;
    if (link.peer === peer) return;
    link.peer = peer;
    this.events.onConnected(peer);
  }

  #lost(link: Link, stream: RpcStream, end: RpcEnd): void {
    if (link.stream !== stream) return;
    link.stream = null;
    link.hello = null;
    if (this.#closed || this.#links.get(link.id) !== link) return;
    const { peer } = link;
    link.peer = null;
    if (peer !== null) {
      link.lost = peer;
      this.events.onDisconnected(peer, false);
      return this.#dial(link); // at once: a refused dial tells that the process is gone
    }
    if (end === "refused" && link.lost !== null) this.events.onDisconnected(link.lost, true);
    link.lost = null;
    const limits = this.events.hello().clusterId === "" ? REDIAL_FOUNDING : REDIAL;
    link.redial = this.world.clock.after(backoffMs(link.attempt++, limits, this.world.random.fraction()), () => this.#dial(link));
  }

  // ------------------------------------------------------------------------------------------------ theirs

  #accept(stream: RpcStream): void {
    stream.onMessage((bytes) => this.#received(stream, bytes));
    stream.onDrain(() => undefined);
    stream.onEnd(() => this.#incoming.delete(stream));
    if (this.#closed || this.#incoming.size >= INCOMING_MAX) return stream.close();
    this.#incoming.set(stream, null);
    stream.send(encodeEnvelope({ hello: this.events.hello() }));
  }

  #received(stream: RpcStream, bytes: Uint8Array): void {
    if (this.#closed || !this.#incoming.has(stream)) return;
    const envelope = this.#read(stream, bytes);
    if (envelope === null) return;
    if ("hello" in envelope) return this.#welcomed(stream, envelope.hello);
    const from = this.#incoming.get(stream) ?? null;
    if (from === null) return this.#refuse(stream, { from: stream.remote.host }, "a raft stream that did not say hello first");
    const own = this.events.hello();
    if (own.clusterId === "" || from.clusterId !== own.clusterId) return; // it will say hello again when it belongs to us
    const key = keyOf({ id: from.nodeId, directoryId: from.directoryId });
    if (from.starts < (this.#starts.get(key) ?? 0)) return;
    this.events.onMessage(key, envelope.message);
  }

  #welcomed(stream: RpcStream, hello: Hello): void {
    if (!this.events.isExpected(hello.nodeId)) return this.#refuse(stream, { node: hello.nodeId, directory: hello.directoryId, from: stream.remote.host }, "a node that is no expected member was refused");
    if (!this.#sameCluster(stream, hello)) return;
    this.#incoming.set(stream, hello);
    this.#note(hello);
    this.events.onHello(hello);
    // It is up, so our own dial need not wait out its backoff.
    const link = this.#links.get(hello.nodeId);
    if (link === undefined || link.redial === null) return;
    link.redial.cancel();
    link.attempt = 0;
    this.#dial(link);
  }

  // ------------------------------------------------------------------------------------------------ both

  #note(hello: Hello): void {
    const key = keyOf({ id: hello.nodeId, directoryId: hello.directoryId });
    this.#starts.set(key, Math.max(this.#starts.get(key) ?? 0, hello.starts));
  }

  #sameCluster(stream: RpcStream | null, hello: Hello): boolean {
    const own = this.events.hello();
    if (own.clusterId === "" || hello.clusterId === "" || own.clusterId === hello.clusterId) return true;
    this.#refuse(stream, { node: hello.nodeId, theirs: hello.clusterId, ours: own.clusterId }, "a node of another cluster was refused");
    return false;
  }

  #read(stream: RpcStream, bytes: Uint8Array): Envelope | null {
    try {
      return decodeEnvelope(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#refuse(stream, { from: stream.remote.host, detail: error.message }, "a raft message that cannot be read: stream closed");
      return null;
    }
  }

  /** Each refusal is logged once, since the other side dials again for ever. */
  #refuse(stream: RpcStream | null, fields: { readonly [name: string]: unknown }, reason: string): void {
    const line = `${reason} ${JSON.stringify(fields)}`;
    if (!this.#refusals.has(line)) {
      if (this.#refusals.size >= REFUSALS_MAX) this.#refusals.clear();
      this.#refusals.add(line);
      this.world.logger.error(fields, reason);
    }
    if (stream === null) return;
    this.#incoming.delete(stream);
    stream.close();
  }
}

/**
 * All that the World saw in a run, decoded as it comes. One observer takes it from the disks and the wires and hands it to whom it concerns:
 *
 *     disks ──▶ raft (entries, votes, snapshots) ──▶ committed ──▶ metadata (records, images)
 *           └─▶ logs (batches of each replica) ◀── high watermarks ── brokers (inspect)
 *     wires ──▶ raft (votes, leaders, commit), controllers (ISR asks, feed), clients (acknowledgements, what readers get)
 */
import { METHOD as RAFT } from "../../raft/wire.js";
import type { SimNode } from "../cluster/node.js";
import { BROKER_PORT, DATA } from "../cluster/node.js";
import type { SimConnection } from "../connection.js";
import type { FileContent, SyncSnapshot } from "../file-content.js";
import type { Life } from "../life.js";
import type { MachineDisk } from "../machine-disk.js";
import type { Observer } from "../observer.js";
import type { Run } from "../run.js";
import { BrokerEvidence } from "./broker-evidence.js";
import { ClientWires } from "./client-wires.js";
import { ControllerWires } from "./controller-wires.js";
import { LogEvidence } from "./log-evidence.js";
import { MetadataEvidence } from "./metadata-evidence.js";
import { RaftEvidence } from "./raft-evidence.js";
import { RaftNode } from "./raft-node.js";
import { Signal } from "./signal.js";

/** A sync that failed, by its process. */
export interface FailedSync {
  readonly node: number;
  readonly life: Life;
  readonly path: string;
}

export interface Evidence {
  readonly raft: RaftEvidence;
  readonly metadata: MetadataEvidence;
  readonly logs: LogEvidence;
  readonly brokers: BrokerEvidence;
  readonly clients: ClientWires;
  readonly controllers: ControllerWires;
  readonly onSyncFailed: Signal<FailedSync>;
  /** Any message between roles, after it was taken in. */
  readonly onSent: Signal<{ readonly node: number; readonly life: Life }>;
  /** Power was lost, or the disk was damaged or replaced. */
  readonly onShaken: Signal<number>;
  /** How often that has befallen a node. */
  readonly shaken: ReadonlyMap<number, number>;
  /** Whether a topic counts what is written only. */
  isLax(topic: string): boolean;
}

interface Watched {
  readonly node: SimNode;
  readonly raft: RaftNode;
  readonly quorumFolder: string;
  readonly root: string;
}

/** Where nobody listens yet: parts for tests that feed evidence by hand. */
export function bareEvidence(): Evidence & { readonly shaken: Map<number, number> } {
  const logs = new LogEvidence();
  const metadata = new MetadataEvidence();
  const raft = new RaftEvidence();
  raft.onCommitted.on((fact) => metadata.committed(fact));
  return {
    raft, metadata, logs,
    brokers: new BrokerEvidence(logs),
    clients: new ClientWires(),
    controllers: new ControllerWires(),
    onSyncFailed: new Signal(),
    onSent: new Signal(),
    onShaken: new Signal(),
    shaken: new Map(),
    isLax: (topic) => metadata.image.config("topic", topic).get("kontiki.acks.durable") === "false",
  };
}

/** Watches a run. To be made before its nodes start. */
export class Watching implements Observer {
  readonly evidence = bareEvidence();
  readonly #run: Run;
  readonly #byDisk = new Map<MachineDisk, Watched>();
  readonly #byName = new Map<string, Watched>();
  /** Nodes whose brokers have told somebody something. */
  readonly #touched = new Set<SimNode>();
  readonly #onError: (error: unknown) => void;

  /** @param onError a checker has failed: it must not take the node with it in whose call it was */
  constructor(run: Run, onError: (error: unknown) => void) {
    this.#run = run;
    this.#onError = onError;
    const { raft, logs, metadata, controllers } = this.evidence;
    for (const node of run.cluster.nodes) {
      const { disk, name } = node.machine;
      const root = absolute(node.config.dataDirectory);
      const quorumFolder = `${absolute(node.config.metadataDirectory)}/quorum`;
      const raftNode = new RaftNode(node.id, quorumFolder, disk, raft.facts, {
        clash: (at, known, text) => raft.onClash.tell({ node: at, known, text }),
        entry: (at, fact) => raft.onEntry.tell({ node: at, fact }),
        cut: (at, facts) => raft.onCut.tell({ node: at, facts }),
        hardened: () => undefined,
        vote: (at, before, now) => raft.onVoteDurable.tell({ node: at, key: at.key, before, now }),
        snapshot: (at, point) => raft.snapshotSeen(at, point),
      });
      raft.addNode(raftNode);
      logs.addNode(node.id, disk, root);
      const watched: Watched = { node, raft: raftNode, quorumFolder, root };
      this.#byDisk.set(disk, watched);
      this.#byName.set(name, watched);
    }
    controllers.onFed.on(({ by, position }) => {
      const node = raft.nodes.get(by);
      if (node !== undefined) raft.fedUpTo(node, position);
    });
    metadata.onRow.on(({ topic, before, change }) => {
      if (change.unclean) logs.partition(before.topicId, topic, before.index).unclean = true;
    });
    logs.onBorn.on(({ replica }) => {
      if (this.evidence.isLax(replica.facts.topic)) replica.facts.lax = true;
    });
    run.sim.scheduler.observer = this;
  }

  /** After each event: what brokers say of themselves. */
  afterEvent(): void {
    if (this.#touched.size === 0) return;
    for (const node of this.#touched) this.evidence.brokers.look(node);
    this.#touched.clear();
  }

  lookAtAll(): void {
    for (const node of this.#run.cluster.nodes) this.evidence.brokers.look(node);
  }

  // ------------------------------------------------------------------------------------------------------------ disks

  written(disk: MachineDisk, _path: string, file: FileContent, position: number): void {
    this.#guarded(() => {
      const replica = this.evidence.logs.tracked.get(file);
      if (replica !== undefined) replica.wrote(file, position);
      else this.#byDisk.get(disk)?.raft.wrote(file, position);
    });
  }

  truncated(disk: MachineDisk, _path: string, file: FileContent): void {
    this.#guarded(() => {
      const replica = this.evidence.logs.tracked.get(file);
      if (replica !== undefined) replica.truncated(file);
      else this.#byDisk.get(disk)?.raft.truncated(file);
    });
  }

  synced(disk: MachineDisk, _path: string, file: FileContent, snapshot: SyncSnapshot): void {
    this.#guarded(() => {
      const watched = this.#byDisk.get(disk);
      const replica = this.evidence.logs.tracked.get(file);
      if (replica === undefined) watched?.raft.synced(file, snapshot);
      else replica.synced(file, snapshot);
    });
  }

  syncFailed(disk: MachineDisk, path: string, life: Life): void {
    this.#guarded(() => {
      const watched = this.#byDisk.get(disk);
      if (watched !== undefined) this.evidence.onSyncFailed.tell({ node: watched.node.id, life, path });
    });
  }

  named(disk: MachineDisk, path: string): void {
    this.#guarded(() => {
      const watched = this.#byDisk.get(disk);
      if (watched === undefined) return;
      if (path.startsWith(watched.quorumFolder)) return watched.raft.named();
      if (path.startsWith(`${watched.root}/`)) this.evidence.logs.named(watched.node.id, path);
    });
  }

  namesSynced(disk: MachineDisk): void {
    this.#guarded(() => {
      const watched = this.#byDisk.get(disk);
      if (watched === undefined) return;
      watched.raft.namesSynced();
      this.evidence.logs.namesSynced(watched.node.id);
    });
  }

  shaken(disk: MachineDisk): void {
    this.#guarded(() => {
      const watched = this.#byDisk.get(disk);
      if (watched === undefined) return;
      const { id } = watched.node;
      this.evidence.shaken.set(id, (this.evidence.shaken.get(id) ?? 0) + 1);
      watched.raft.reread();
      this.evidence.logs.reread(id);
      this.evidence.raft.onShaken.tell(watched.raft);
      this.evidence.onShaken.tell(id);
    });
  }

  // ------------------------------------------------------------------------------------------------------------ wires

  sent(life: Life, from: string, to: string, method: string, message: Uint8Array): void {
    this.#guarded(() => {
      const sender = this.#byName.get(from);
      const receiver = to === "127.0.0.1" ? sender : this.#byName.get(to);
      if (sender === undefined || receiver === undefined) return;
      if (method === RAFT) this.evidence.raft.sent(sender.raft, receiver.node.id, message);
      else this.evidence.controllers.sent(sender.node.id, receiver.node.id, method, message);
      this.evidence.onSent.tell({ node: sender.node.id, life });
    });
  }

  wrote(connection: SimConnection, bytes: Uint8Array): void {
    this.#guarded(() => {
      const watched = this.#served(connection);
      if (watched === null) return;
      this.#touched.add(watched.node);
      if (!this.#isBroker(connection)) this.evidence.clients.wrote(watched.node.id, connection, bytes);
    });
  }

  delivered(connection: SimConnection, bytes: Uint8Array): void {
    this.#guarded(() => {
      const watched = this.#served(connection);
      if (watched !== null && !this.#isBroker(connection)) this.evidence.clients.delivered(watched.node.id, connection, bytes);
    });
  }

  /** The node whose listener took the connection, if this is its end. */
  #served(connection: SimConnection): Watched | null {
    return connection.local.port === BROKER_PORT ? (this.#byName.get(connection.local.host) ?? null) : null;
  }

  #isBroker(connection: SimConnection): boolean {
    return connection.remote.host === "127.0.0.1" || this.#byName.has(connection.remote.host);
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onError(error);
    }
  }
}

/** As a World resolves it. */
function absolute(path: string): string {
  return path.startsWith("/") ? path : `${DATA}/${path}`;
}

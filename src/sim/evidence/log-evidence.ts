/** All partition logs on all disks, and what is committed of each: what a leader's high watermark has passed, by the bytes that its log held then. */
import type { FileContent } from "../file-content.js";
import type { MachineDisk } from "../machine-disk.js";
import { type BatchFact, type LogEvents, LogReplica, PartitionFacts } from "./log-replica.js";
import { Signal } from "./signal.js";

const PARTITION_METADATA = "/partition.metadata";

export class LogEvidence implements LogEvents {
  /** By topic id and partition. */
  readonly partitions = new Map<string, PartitionFacts>();
  /** Node → folder → replica. */
  readonly #nodes = new Map<number, { readonly disk: MachineDisk; readonly root: string; readonly replicas: Map<string, LogReplica> }>();
  readonly tracked = new Map<FileContent, LogReplica>();

  readonly onBorn = new Signal<{ readonly replica: LogReplica; readonly fact: BatchFact }>();
  readonly onAdded = new Signal<{ readonly replica: LogReplica; readonly fact: BatchFact; readonly before: BatchFact | null }>();
  readonly onCut = new Signal<{ readonly replica: LogReplica; readonly facts: readonly BatchFact[] }>();
  readonly onHardened = new Signal<LogReplica>();
  readonly onClash = new Signal<{ readonly replica: LogReplica; readonly known: BatchFact; readonly text: string }>();
  readonly onCommitted = new Signal<{ readonly partition: PartitionFacts; readonly fact: BatchFact }>();
  /** A leader of that log counts as committed what it does not hold. */
  readonly onMissing = new Signal<{ readonly replica: LogReplica; readonly highWatermark: number }>();

  addNode(id: number, disk: MachineDisk, root: string): void {
    this.#nodes.set(id, { disk, root, replicas: new Map() });
  }

  /** Every replica on one node's disk, in order of folders. */
  replicasOf(node: number): IterableIterator<LogReplica> {
    return (this.#nodes.get(node)?.replicas ?? new Map<string, LogReplica>()).values();
  }

  replica(node: number, topic: string, partition: number): LogReplica | null {
    const of = this.#nodes.get(node);
    return of?.replicas.get(`${of.root}/${topic}-${partition}`) ?? null;
  }

  /** Under its topic's id; null also while the disk holds another topic of that name. */
  replicaOf(node: number, facts: PartitionFacts): LogReplica | null {
    const found = this.replica(node, facts.topic, facts.partition);
    return found !== null && found.facts === facts ? found : null;
  }

  partition(topicId: string, topic: string, partition: number): PartitionFacts {
    const key = `${topicId}/${partition}`;
    let facts = this.partitions.get(key);
    if (facts === undefined) this.partitions.set(key, (facts = new PartitionFacts(topicId, topic, partition)));
    return facts;
  }

  /** A name on a node's disk, below its data directory, has changed. */
  named(node: number, path: string): void {
    const of = this.#nodes.get(node);
    if (of === undefined) return;
    const rest = path.slice(of.root.length + 1);
    const slash = rest.indexOf("/");
    const folder = `${of.root}/${slash < 0 ? rest : rest.slice(0, slash)}`;
    const known = of.replicas.get(folder);
    if (known === undefined) return this.#find(node, folder);
    if (slash >= 0 && !path.endsWith(".log") && !path.endsWith(PARTITION_METADATA)) return; // derived files, in which nothing is read
    if (of.disk.tree.find(folder)?.kind === "directory" && (slash >= 0 || this.#topicIdIn(of.disk, folder) === known.facts.topicId)) return known.named();
    this.#forget(known);
    of.replicas.delete(folder);
    this.#find(node, folder);
  }

  namesSynced(node: number): void {
    for (const replica of this.replicasOf(node)) replica.namesSynced();
  }

  /** Every folder and byte of a node anew. */
  reread(node: number): void {
    const of = this.#nodes.get(node);
    if (of === undefined) return;
    for (const replica of of.replicas.values()) this.#forget(replica);
    of.replicas.clear();
    const root = of.disk.tree.find(of.root);
    if (root?.kind !== "directory") return;
    for (const name of [...root.entries.keys()].sort()) this.#find(node, `${of.root}/${name}`);
  }

  /** A leader's high watermark, as it told it. */
  marked(replica: LogReplica, highWatermark: number): void {
    const { facts } = replica;
    if (highWatermark <= facts.committedEnd) return;
    if (replica.end < highWatermark) return this.onMissing.tell({ replica, highWatermark });
    const from = facts.committedEnd;
    facts.committedEnd = highWatermark;
    for (const fact of replica.from(from, highWatermark)) {
      facts.committed.push(fact);
      this.onCommitted.tell({ partition: facts, fact });
    }
  }

  #find(node: number, folder: string): void {
    const of = this.#nodes.get(node);
    if (of === undefined) return;
    const named = /^(.+)-(\d+)$/.exec(folder.slice(of.root.length + 1));
    const topicId = named === null ? null : this.#topicIdIn(of.disk, folder);
    if (named === null || topicId === null) return;
    const facts = this.partition(topicId, named[1] ?? "", Number(named[2]));
    of.replicas.set(folder, new LogReplica(node, folder, facts, of.disk, this.tracked, this));
  }

  #topicIdIn(disk: MachineDisk, folder: string): string | null {
    const node = disk.tree.find(folder);
    const file = node?.kind === "directory" ? node.entries.get("partition.metadata") : undefined;
    if (file?.kind !== "file") return null;
    return /^topic_id: (\S+)$/m.exec(file.peek().toString("latin1"))?.[1] ?? null;
  }

  #forget(replica: LogReplica): void {
    for (const [file, owner] of this.tracked) if (owner === replica) this.tracked.delete(file);
  }

  born(replica: LogReplica, fact: BatchFact): void {
    this.onBorn.tell({ replica, fact });
  }

  added(replica: LogReplica, fact: BatchFact, before: BatchFact | null): void {
    this.onAdded.tell({ replica, fact, before });
  }

  cut(replica: LogReplica, facts: readonly BatchFact[]): void {
    this.onCut.tell({ replica, facts });
  }

  hardened(replica: LogReplica): void {
    this.onHardened.tell(replica);
  }

  clash(replica: LogReplica, known: BatchFact, text: string): void {
    this.onClash.tell({ replica, known, text });
  }
}

/** A stage for evidence that breaks an invariant: machines whose nodes never start, and hands that put bytes on their disks and wires. */
import { encodeSegmentHead, encodeRecord, sealed } from "../../../src/raft/store-format.js";
import type { Message } from "../../../src/raft/core/messages.js";
import { encodeMembership } from "../../../src/raft/members.js";
import type { Membership } from "../../../src/raft/types.js";
import { encodeEnvelope, METHOD } from "../../../src/raft/wire.js";
import { nodeId, uuid, uuidFromBytes } from "../../../src/base/ids.js";
import { encodeBatch, type MetadataRecord } from "../../../src/metadata/records.js";
import { buildBatch } from "../../../src/records/builder.js";
import { SimCluster } from "../../../src/sim/cluster/cluster.js";
import type { Evidence } from "../../../src/sim/evidence/evidence.js";
import { Watching } from "../../../src/sim/evidence/evidence.js";
import type { Checker, Invariant } from "../../../src/sim/invariants/invariant.js";
import type { Plan } from "../../../src/sim/plan.js";
import type { Run } from "../../../src/sim/run.js";
import { Simulation } from "../../../src/sim/simulation.js";
import type { Life } from "../../../src/sim/life.js";

export const id = (n: number) => uuidFromBytes(new Uint8Array(16).fill(n));
export const TOPIC = id(77);

const LIFE = { halted: false, thread: { name: "n1/node-1/controller" } } as unknown as Life; // all that is asked of it

export interface EntryIn {
  readonly term: number;
  readonly kind?: "noop" | "data" | "members";
  readonly payload?: Uint8Array;
}

export class Stage {
  readonly sim = new Simulation({ seed: 1 });
  readonly violations: string[] = [];
  readonly evidence: Evidence;
  readonly checker: Checker;
  readonly run: Run;
  readonly damaged = new Set<number>();
  readonly #watching: Watching;

  constructor(invariant: Invariant, nodes = 3) {
    const plan: Plan = { version: 1, seed: "1", nodes, phases: { faultsMs: 1, coreMs: 1, healedMs: 1 }, core: [], settings: {}, topics: [], clients: [], faults: [] };
    const cluster = new SimCluster(this.sim, plan);
    this.run = {
      sim: this.sim, cluster, plan,
      violate: (rule, text) => void this.violations.push(`${rule}: ${text}`),
      sometimes: () => undefined,
      excuses: { isDamaged: (node) => this.damaged.has(node), explainsFall: () => false },
    };
    this.#watching = new Watching(this.run, (error) => {
      throw error;
    });
    this.evidence = this.#watching.evidence;
    this.checker = invariant.watch(this.run, this.evidence);
    for (let node = 1; node <= nodes; node++) {
      const { tree } = this.#disk(node);
      tree.makeDirectory("/data/quorum/log");
      tree.makeDurable();
      this.file(node, "/data/quorum/meta.properties", Buffer.from(`directory.id=${id(node)}\n`));
    }
  }

  #disk(node: number) {
    return this.run.cluster.node(node).machine.disk;
  }

  static key(node: number): string {
    return `${node}/${id(node)}`;
  }

  // ------------------------------------------------------------------------------------------------------------ disks

  /** Replaces a file, durably unless told otherwise. */
  file(node: number, path: string, bytes: Uint8Array, durable = true): void {
    const disk = this.#disk(node);
    if (disk.tree.find(path) !== null) disk.tree.unlink(path);
    disk.tree.createFile(path);
    this.#watching.named(disk, path);
    this.write(node, path, 0, bytes);
    this.#watching.named(disk, path); // as by the rename that real writers end with
    if (durable) this.sync(node, path);
  }

  write(node: number, path: string, position: number, bytes: Uint8Array): void {
    const disk = this.#disk(node);
    const file = disk.tree.findFile(path);
    if (file === null) throw new Error(`there is no ${path}`);
    file.write(position, [bytes]);
    this.#watching.written(disk, path, file, position);
  }

  truncate(node: number, path: string, size: number): void {
    const disk = this.#disk(node);
    const file = disk.tree.findFile(path);
    if (file === null) throw new Error(`there is no ${path}`);
    file.truncate(size);
    this.#watching.truncated(disk, path, file);
  }

  sync(node: number, path: string): void {
    const disk = this.#disk(node);
    const file = disk.tree.findFile(path);
    if (file === null) throw new Error(`there is no ${path}`);
    const snapshot = file.beginSync();
    file.completeSync(snapshot);
    disk.tree.makeDurable();
    this.#watching.synced(disk, path, file, snapshot);
    this.#watching.namesSynced(disk);
  }

  // ------------------------------------------------------------------------------------------------------------ the quorum

  vote(node: number, term: number, votedFor: number | null): void {
    this.file(node, "/data/quorum/log/vote", sealed(Buffer.from(JSON.stringify({ term, votedFor: votedFor === null ? null : Stage.key(votedFor) }))));
  }

  /** The whole log anew, from entry 1. */
  log(node: number, entries: readonly EntryIn[], durable = true): void {
    this.file(node, "/data/quorum/log/00000000000000000001.log", logBytes(entries), durable);
  }

  say(from: number, to: number, message: Message): void {
    this.#watching.sent(LIFE, `n${from}`, `n${to}`, METHOD, encodeEnvelope({ message }));
  }

  /** As the leader of a term, with a commit index. */
  lead(from: number, to: number, term: number, commit = 0): void {
    this.say(from, to, { kind: "append", term, previous: { index: 0, term: 0 }, entries: [], commit, round: 1 });
  }

  /** Everybody has these entries on the disk, and node 1 leads and tells so. */
  commit(entries: readonly EntryIn[]): void {
    const term = entries.at(-1)?.term ?? 1;
    for (const node of [1, 2, 3]) this.log(node, entries);
    this.vote(1, term, 1);
    this.lead(1, 2, term, entries.length);
  }

  /** Metadata that begins with three voters and three brokers, one batch a list. */
  metadata(...batches: readonly (readonly MetadataRecord[])[]): void {
    this.commit([VOTERS, ...batches.map((records): EntryIn => ({ term: 1, kind: "data", payload: encodeBatch(records) }))]);
  }

  // ------------------------------------------------------------------------------------------------------------ partitions

  folder(node: number, partition = 0): string {
    const folder = `/data/t-${partition}`;
    const { tree } = this.#disk(node);
    if (tree.find(folder) === null) {
      tree.makeDirectory(folder);
      this.file(node, `${folder}/partition.metadata`, Buffer.from(`version: 0\ntopic_id: ${TOPIC}`));
      this.file(node, `${folder}/00000000000000000000.log`, new Uint8Array(0));
    }
    return folder;
  }

  /** Appends batches of one record. @returns the path */
  append(node: number, batches: readonly BatchIn[], durable = true): string {
    const path = `${this.folder(node)}/00000000000000000000.log`;
    for (const batch of batches) {
      const file = this.#disk(node).tree.findFile(path);
      this.write(node, path, file?.size ?? 0, batchBytes(batch));
    }
    if (durable) this.sync(node, path);
    return path;
  }

  mark(node: number, row: { readonly epoch: number; readonly highWatermark: number; readonly isr: readonly number[] }, before: { readonly epoch: number; readonly highWatermark: number; readonly isr: readonly number[] } | null = null): void {
    const replica = this.evidence.logs.replica(node, "t", 0);
    if (replica === null) throw new Error("there is no such replica");
    const full = (one: typeof row) => ({ topic: "t", partition: 0, role: "leader" as const, start: 0, durableEnd: replica.durableEnd, end: replica.end, ...one });
    this.evidence.logs.marked(replica, row.highWatermark);
    this.evidence.brokers.onMark.tell({ node, replica, row: full(row), before: before === null ? null : full(before), image: this.evidence.metadata.image });
  }

  event(): void {
    this.checker.onEvent?.();
  }

  scan(): void {
    this.checker.scan?.();
  }

  end(): void {
    this.checker.atEnd?.("over");
  }
}

export interface BatchIn {
  readonly offset: number;
  readonly epoch?: number;
  readonly value?: string;
  readonly producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number };
}

export function batchBytes({ offset, epoch = 0, value = `v${offset}`, producer }: BatchIn): Uint8Array {
  return buildBatch([{ key: null, value: Buffer.from(value), timestamp: 1 }], { baseOffset: offset, leaderEpoch: epoch, ...(producer === undefined ? {} : { producer }) });
}

export function logBytes(entries: readonly EntryIn[]): Uint8Array {
  const parts: Uint8Array[] = [encodeSegmentHead({ first: 1, previousTerm: 0, chain: 0 })];
  let chain = 0;
  entries.forEach(({ term, kind = "noop", payload = new Uint8Array(0) }, i) => {
    const record = encodeRecord({ index: i + 1, term, kind, payload }, chain);
    parts.push(...record.parts);
    chain = record.chain;
  });
  return Buffer.concat(parts);
}

export function members(...nodes: readonly number[]): Membership {
  return { voters: nodes.map((n) => ({ id: nodeId(n), directoryId: uuid(id(n)), host: `n${n}`, port: 9093 })), learners: [] };
}

export const VOTERS: EntryIn = { term: 1, kind: "members", payload: encodeMembership(members(1, 2, 3)) };
export const data = (text: string, term = 1): EntryIn => ({ term, kind: "data", payload: encodeBatch([{ kind: "config-changed", type: "topic", name: text, changes: [{ name: "retention.ms", value: "1" }] }]) });

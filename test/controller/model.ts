/** A metadata log without a quorum: what is decided is replayed at once. */
import { nodeId, uuid, type NodeId } from "../../src/base/ids.js";
import { decideRegister, fenceBlock, mendBlock, REGISTER_START, stopBlock, unfenceBlock, type RegisterAt, type Registering } from "../../src/controller/decide/brokers.js";
import type { DecideContext, Decision } from "../../src/controller/decide/context.js";
import { START, type Cursor } from "../../src/controller/decide/partition-change.js";
import { ClusterImage } from "../../src/metadata/cluster-image.js";
import { decodeBatch, encodeBatch, type MetadataRecord } from "../../src/metadata/records.js";
import { replay } from "../../src/metadata/replay.js";

export class Model {
  image = ClusterImage.empty;
  draws = 1;
  /** Partitions decided at once. */
  limit = 2_000;
  #uuids = 0;
  readonly context: DecideContext;

  constructor(settings: Readonly<Record<string, string>> = {}) {
    const setting = (name: string): string | null => settings[name] ?? ({ "num.partitions": "1", "default.replication.factor": "1" } as Record<string, string>)[name] ?? null;
    this.context = {
      defaults: { brokerId: null, given: (name) => settings[name] ?? null },
      setting,
      below: (end) => this.below(end),
      uuid: () => uuid(`t${String(this.#uuids++).padStart(21, "0")}`),
    };
    this.commit([{ kind: "cluster", clusterId: "c" }, { kind: "feature-level", level: 1 }]);
  }

  below(end: number): number {
    this.draws = (this.draws * 48_271) % 2_147_483_647;
    return this.draws % end;
  }

  /** Through the codec, as the log would carry it. */
  commit(records: readonly MetadataRecord[]): void {
    if (records.length > 0) this.image = replay(this.image, decodeBatch(encodeBatch(records)), this.image.position + 1n);
  }

  do<Reply>(decision: Decision<Reply>): Reply {
    this.commit(decision.records);
    return decision.reply;
  }

  registering(id: number, options: { readonly disk?: number; readonly rack?: string; readonly incarnation?: number; readonly lost?: Registering["lost"] } = {}): Registering {
    return {
      nodeId: nodeId(id),
      incarnation: uuid(`i${String(options.incarnation ?? this.#uuids++).padStart(21, "0")}`),
      directories: [directory(id, options.disk ?? 0)],
      listeners: [],
      nodePort: { host: "h", port: 1 },
      rack: options.rack ?? null,
      previousBrokerEpoch: -1n,
      cleanShutdown: false,
      clusterId: "c",
      features: { min: 1, max: 1 },
      lost: options.lost ?? [],
    };
  }

  register(id: number, options: Parameters<Model["registering"]>[1] = {}) {
    const ask = this.registering(id, options);
    for (let at: RegisterAt = REGISTER_START; ; ) {
      const reply = this.do(decideRegister(this.image, ask, "secret", at, this.limit, this.context));
      if (!reply.ok || reply.again === null) return reply;
      at = reply.again;
    }
  }

  /** A walk over all partitions; stops early after `blocks`. @returns whether it came to its end */
  walk(step: typeof fenceBlock, id: number, blocks = Infinity): boolean {
    let from: Cursor | null = START;
    for (let i = 0; from !== null; i++) {
      if (i === blocks) return false;
      const block: ReturnType<typeof fenceBlock> = step(this.image, nodeId(id), from, this.limit, this.context);
      this.commit(block.records);
      from = block.next;
    }
    return true;
  }

  unfence(id: number): void {
    this.walk(unfenceBlock, id);
  }

  fence(id: number): void {
    this.walk(fenceBlock, id);
  }

  stop(id: number): void {
    this.walk(stopBlock, id);
  }

  /** As a new controller begins. */
  mend(): void {
    for (const broker of this.image.brokers()) this.walk(mendBlock, broker.id);
  }

  up(...ids: readonly number[]): void {
    for (const id of ids) {
      this.register(id);
      this.unfence(id);
    }
  }
}

export function directory(id: number, disk: number) {
  return uuid(`d${String(id * 100 + disk).padStart(21, "0")}`);
}

export function ids(...numbers: readonly number[]): NodeId[] {
  return numbers.map(nodeId);
}

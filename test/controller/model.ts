/** A metadata log without a quorum: what is decided is replayed at once. */
import { nodeId, uuid, type NodeId } from "../../src/base/ids.js";
import { decideRegister, fenceRecords, unfenceRecords, type Registering } from "../../src/controller/decide/brokers.js";
import type { DecideContext, Decision } from "../../src/controller/decide/context.js";
import { ClusterImage } from "../../src/metadata/cluster-image.js";
import { decodeBatch, encodeBatch, type MetadataRecord } from "../../src/metadata/records.js";
import { replay } from "../../src/metadata/replay.js";

export class Model {
  image = ClusterImage.empty;
  draws = 1;
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
    return this.do(decideRegister(this.image, this.registering(id, options), "secret", this.context));
  }

  unfence(id: number): void {
    this.commit(unfenceRecords(this.image, nodeId(id), this.context));
  }

  fence(id: number): void {
    this.commit(fenceRecords(this.image, nodeId(id), this.context));
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

/** What brokers say of their replicas to `inspect()`: roles, epochs, high watermarks. Asked after an event that could have moved them. */
import type { BrokerRole } from "../../app/broker-role.js";
import type { MetadataImage } from "../../metadata/image.js";
import type { ReplicasInspection } from "../../replication/replicas.js";
import type { SimNode } from "../cluster/node.js";
import type { LogEvidence } from "./log-evidence.js";
import type { LogReplica } from "./log-replica.js";
import { Signal } from "./signal.js";

export type Row = ReplicasInspection["partitions"][number];

/** A row that differs from what its broker said before; `before` is null in a new process. */
export interface Mark {
  readonly node: number;
  readonly replica: LogReplica;
  readonly row: Row;
  readonly before: Row | null;
  /** The metadata that the broker has. */
  readonly image: MetadataImage;
}

export class BrokerEvidence {
  readonly onMark = new Signal<Mark>();
  readonly #rows = new Map<number, { readonly role: BrokerRole; readonly rows: Map<string, Row> }>();
  readonly #logs: LogEvidence;

  constructor(logs: LogEvidence) {
    this.#logs = logs;
  }

  look(node: SimNode): void {
    const role = node.isUp ? (node.current?.broker ?? null) : null;
    if (role === null) return;
    let known = this.#rows.get(node.id);
    if (known?.role !== role) this.#rows.set(node.id, (known = { role, rows: new Map() }));
    const { replicas, image } = role.inspect();
    for (const row of replicas.partitions) {
      const key = `${row.topic}/${row.partition}`;
      const before = known.rows.get(key) ?? null;
      if (before !== null && isSame(before, row)) continue;
      known.rows.set(key, row);
      const replica = this.#logs.replica(node.id, row.topic, row.partition);
      if (replica === null) continue; // of a folder that is being made
      if (row.role === "leader") {
        replica.facts.start = Math.max(replica.facts.start, row.start);
        this.#logs.marked(replica, row.highWatermark);
      }
      this.onMark.tell({ node: node.id, replica, row, before, image });
    }
  }
}

function isSame(a: Row, b: Row): boolean {
  return a.highWatermark === b.highWatermark && a.role === b.role && a.epoch === b.epoch && a.start === b.start && a.isr.length === b.isr.length && a.isr.every((id, i) => id === b.isr[i]);
}

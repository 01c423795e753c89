/**
 * What happens in a run, as data: drawn before it (plan-draw.ts), kept as JSON, replayed, and shrunk. What is not listed here is drawn during the
 * run by name (each link, each disk, each client, each node), so that dropping one thing leaves the draws of the others as they were.
 */

export interface Plan {
  readonly version: 1;
  readonly seed: string;
  /** Combined nodes with ids 1 to n on machines "n1" to "nn". */
  readonly nodes: number;
  /** Virtual milliseconds: any faults; then a healthy core must carry on without the rest; then everything heals. */
  readonly phases: { readonly faultsMs: number; readonly coreMs: number; readonly healedMs: number };
  /** Who must meet liveness in the second phase: a majority of voters, with min.insync members of each partition. */
  readonly core: readonly number[];
  /** Settings of every node, by Kafka's names. */
  readonly settings: { readonly [name: string]: string };
  readonly topics: readonly TopicPlan[];
  readonly clients: readonly ClientPlan[];
  /** In order of time. */
  readonly faults: readonly FaultPlan[];
}

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  readonly replicas: number;
  readonly configs: { readonly [name: string]: string };
}

export type ClientPlan =
  | {
      readonly kind: "producer";
      readonly name: string;
      readonly topic: string;
      readonly acks: 0 | 1 | -1;
      readonly idempotent: boolean;
      readonly codec: "none" | "gzip" | "snappy" | "lz4";
      readonly recordsPerBatch: number;
      readonly recordBytes: number;
      /** Between batches of one partition. */
      readonly everyMs: number;
      readonly inFlight: number;
      readonly requestTimeoutMs: number;
    }
  /** Reads all partitions of a topic from the beginning, again and again from where it is. */
  | { readonly kind: "reader"; readonly name: string; readonly topic: string; readonly maxWaitMs: number; readonly isolation: "read-uncommitted" | "read-committed" }
  /** Members of one group; each may die, pause, come back, by its own draws. */
  | { readonly kind: "group"; readonly name: string; readonly group: string; readonly topics: readonly string[]; readonly members: number; readonly static: boolean; readonly sessionMs: number; readonly commitEveryMs: number; readonly churn: number }
  /** Creates, alters and deletes topics of its own, grows partitions, deletes records, elects preferred leaders. */
  | { readonly kind: "admin"; readonly name: string; readonly everyMs: number };

/** `kind` names what is done (faults/kinds.ts lists them); the fault ends by itself after `forMs`. */
export interface FaultPlan {
  readonly kind: string;
  readonly atMs: number;
  readonly forMs: number;
  readonly nodes: readonly number[];
  readonly with: { readonly [name: string]: number | string | boolean };
}

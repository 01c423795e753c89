/** Admin commands as plain data: brokers forward them, the controller decides them, each item is answered on its own. */
import type { NodeId, Uuid } from "../base/ids.js";
import type { ErrorName } from "../protocol/errors.js";
import type { ConfigType } from "../metadata/image.js";

export type AdminCommand =
  | { readonly kind: "create-topics"; readonly topics: readonly NewTopic[]; readonly validateOnly: boolean }
  | { readonly kind: "delete-topics"; readonly topics: readonly { readonly name: string | null; readonly id: Uuid | null }[] }
  | { readonly kind: "create-partitions"; readonly topics: readonly MorePartitions[]; readonly validateOnly: boolean }
  | { readonly kind: "incremental-alter-configs"; readonly resources: readonly ConfigAlteration[]; readonly validateOnly: boolean }
  | { readonly kind: "alter-configs"; readonly resources: readonly ConfigReplacement[]; readonly validateOnly: boolean }
  /** partitions null: all that need it. */
  | { readonly kind: "elect-leaders"; readonly type: "preferred" | "unclean"; readonly partitions: readonly { readonly topic: string; readonly partition: number }[] | null };

export interface NewTopic {
  readonly name: string;
  readonly partitions: number; // -1: broker default
  readonly replicationFactor: number; // -1: broker default
  /** By partition index; empty: the controller places. */
  readonly assignments: readonly { readonly partition: number; readonly brokers: readonly NodeId[] }[];
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

export interface MorePartitions {
  readonly name: string;
  readonly count: number; // total afterwards
  readonly assignments: readonly (readonly NodeId[])[] | null;
}

export interface ConfigAlteration {
  readonly type: ConfigType;
  readonly name: string;
  readonly operations: readonly { readonly name: string; readonly op: "set" | "delete" | "append" | "subtract"; readonly value: string | null }[];
}

export interface ConfigReplacement {
  readonly type: ConfigType;
  readonly name: string;
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

/** One per item of the command, in its order. "elect-leaders" with null lists only partitions that needed an election. */
export interface AdminReply {
  /** Set when the whole command was refused; results are empty then. */
  readonly error: ErrorName | null;
  readonly message: string | null;
  readonly results: readonly AdminResult[];
}

export interface AdminResult {
  readonly error: ErrorName; // "NONE" when done
  readonly message: string | null;
  readonly name: string; // topic or resource name
  readonly topicId?: Uuid;
  readonly partition?: number; // elect-leaders
  readonly partitionCount?: number; // create-topics
  readonly replicationFactor?: number; // create-topics
  readonly configs?: readonly { readonly name: string; readonly value: string; readonly isDefault: boolean }[]; // create-topics
}

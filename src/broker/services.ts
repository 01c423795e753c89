/** What API handlers stand on. Joined in app/; a handler has not heard of files or sockets. */
import type { BufferPool } from "../base/buffer-pool.js";
import type { NodeId } from "../base/ids.js";
import type { Coordination } from "../coordination/coordination.js";
import type { GroupCoordinator } from "../coordinator/group/coordinator.js";
import type { FetchService } from "../replication/fetch-service.js";
import type { ProduceService } from "../replication/produce-service.js";
import type { Replicas } from "../replication/replicas.js";
import type { World } from "../world/world.js";
import type { BrokerSettings } from "./broker-settings-view.js";
import type { TopicsOnFirstUse } from "./auto-create.js";
import type { ProducerIds } from "./producer-ids.js";

export interface BrokerServices {
  readonly world: World;
  readonly nodeId: NodeId;
  readonly settings: BrokerSettings;
  readonly coordination: Coordination;
  readonly replicas: Replicas;
  readonly fetches: FetchService;
  readonly produces: ProduceService;
  readonly groups: GroupCoordinator;
  readonly producerIds: ProducerIds;
  readonly firstUse: TopicsOnFirstUse;
  /** Where large requests are received. */
  readonly frames: BufferPool;
}

/** One request's circumstances. */
export interface RequestContext {
  readonly version: number;
  readonly clientId: string | null;
  readonly connection: ConnectionContext;
  /** The request's bytes are not looked at any more, by anybody: their memory may be used again. Calling it is never needed. */
  recycle(): void;
}

/** What a connection has told about itself; lives as long as it. */
export interface ConnectionContext {
  readonly listener: string;
  readonly remoteHost: string;
  /** From ApiVersions v3+ (KIP-511). */
  softwareName: string;
  softwareVersion: string;
  /** Calls back when the connection is gone; returns how to forget the callback. */
  onClose(callback: () => void): () => void;
}

/** What a handler hands back. */
export interface Answer<Body> {
  /** Null: nothing is sent (Produce with acks=0). */
  readonly body: Body | null;
  /** Drops the connection instead of answering (an error under acks=0). */
  readonly drop?: boolean;
  /** Gives back what the body lends, once it was sent or the connection is gone. */
  readonly release?: () => void;
}

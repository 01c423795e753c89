/** How brokers, topics and partitions look to a client: shared by Metadata, DescribeCluster and DescribeTopicPartitions. */
import type { NodeId } from "../base/ids.js";
import type { BrokerImage, MetadataImage, PartitionImage } from "../metadata/image.js";
import type { ErrorName } from "../protocol/errors.js";

export interface BrokerView {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

/** Brokers that have the listener the client came in on, sorted by id. */
export function brokersOn(image: MetadataImage, listener: string, options: { readonly fenced: boolean }): readonly BrokerView[] {
  const views: BrokerView[] = [];
  for (const broker of image.brokers()) {
    const view = brokerOn(broker, listener);
    if (view !== null && (options.fenced || !view.fenced)) views.push(view);
  }
  return views;
}

export function brokerOn(broker: BrokerImage, listener: string): BrokerView | null {
  const found = broker.listeners.find((one) => one.name === listener);
  return found === undefined ? null : { id: broker.id, host: found.host, port: found.port, rack: broker.rack, fenced: broker.fenced };
}

export interface PartitionView {
  readonly error: ErrorName;
  readonly leader: number; // -1: none
  readonly offline: readonly NodeId[];
}

/** The leader as a client may use it, and the replicas on brokers that are down. */
export function partitionOn(image: MetadataImage, partition: PartitionImage, listener: string): PartitionView {
  const alive = (id: NodeId) => {
    const broker = image.broker(id);
    return broker !== null && !broker.fenced && brokerOn(broker, listener) !== null;
  };
  const offline = partition.replicas.filter((id) => !alive(id));
  if (partition.leader === null) return { error: "LEADER_NOT_AVAILABLE", leader: -1, offline };
  const leader = image.broker(partition.leader);
  if (leader === null || leader.fenced) return { error: "LEADER_NOT_AVAILABLE", leader: -1, offline };
  if (brokerOn(leader, listener) === null) return { error: "LISTENER_NOT_FOUND", leader: -1, offline };
  return { error: "NONE", leader: partition.leader, offline };
}

export function isInternal(topic: string): boolean {
  return topic === "__consumer_offsets" || topic === "__transaction_state" || topic === "__share_group_state";
}

/** 1-249 of `[a-zA-Z0-9._-]`, not `.` or `..`. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..";
}

/** Settings of a cluster on one machine: combined nodes on loopback. With three or more, topics have three replicas, two of which must be in sync. */

export interface DevNode {
  readonly index: number;
  readonly count: number;
  readonly ports: readonly number[];
  readonly controllerPorts: readonly number[];
  readonly data: string;
}

const HOST = "127.0.0.1";

export function nodeSettings(node: DevNode): Map<string, string> {
  const replicas = String(Math.min(3, node.count));
  return new Map([
    ["node.id", String(node.index + 1)],
    ["process.roles", "broker,controller"],
    ["controller.quorum.voters", node.controllerPorts.map((port, i) => `${i + 1}@${HOST}:${port}`).join(",")],
    ["controller.listener.names", "CONTROLLER"],
    ["listeners", `PLAINTEXT://${HOST}:${node.ports[node.index] ?? 0},CONTROLLER://${HOST}:${node.controllerPorts[node.index] ?? 0}`],
    ["listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"],
    ["log.dirs", `${node.data}/node-${node.index + 1}`],
    ["default.replication.factor", replicas],
    ["min.insync.replicas", node.count >= 3 ? "2" : "1"],
    ["offsets.topic.replication.factor", replicas],
    ["group.initial.rebalance.delay.ms", "0"],
  ]);
}

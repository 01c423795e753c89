/** `kontiki status`: brokers, the quorum, and each partition that is not healthy with its reason. */
import { DescribeQuorumRequest, DescribeQuorumResponse } from "../protocol/messages/55-describe-quorum.js";
import { MetadataRequest, MetadataResponse } from "../protocol/messages/03-metadata.js";
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from "../protocol/messages/35-describe-log-dirs.js";
import { DescribeConfigsRequest, DescribeConfigsResponse } from "../protocol/messages/32-describe-configs.js";
import { connectAll, type KafkaClient } from "./kafka-client.js";
import { table } from "./table.js";
import type { Shown } from "./topics.js";

type Partition = MetadataResponse["topics"][number]["partitions"][number];

export async function status(client: KafkaClient): Promise<Shown> {
  const { clients, cluster } = await connectAll(client);
  try {
    const metadata = await client.ask(MetadataRequest, MetadataResponse, { topics: null, allowAutoTopicCreation: false });
    const quorum = await readQuorum(client);
    const alive = new Set(metadata.brokers.map((broker) => broker.nodeId));
    const brokers = cluster.brokers
      .map((broker) => ({ id: broker.brokerId, address: `${broker.host}:${broker.port}`, rack: broker.rack, state: broker.isFenced || !alive.has(broker.brokerId) ? "down" : clients.has(broker.brokerId) ? "up" : "not answering" }))
      .sort((a, b) => a.id - b.id);
    const unhealthy = metadata.topics.flatMap((topic) =>
      topic.partitions.flatMap((partition) => {
        const reason = whyUnhealthy(partition, alive);
        return reason === null ? [] : [{ topic: topic.name ?? "", partition: partition.partitionIndex, leader: partition.leaderId, isr: partition.isrNodes, replicas: partition.replicaNodes, reason }];
      }),
    );
    const notes = [...learnerNotes(quorum), ...(await strayNotes(clients)), ...(await compactNotes(client, metadata))];
    const count = metadata.topics.reduce((sum, topic) => sum + topic.partitions.length, 0);
    const parts = [
      `cluster ${cluster.clusterId}`,
      "",
      table(["BROKER", "ADDRESS", "RACK", "STATE"], brokers.map((one) => [one.id, one.address, one.rack ?? "-", one.state])),
      "",
      ...quorumText(quorum),
      "",
      unhealthy.length === 0
        ? `${count} partitions of ${metadata.topics.length} topics, all healthy`
        : `${unhealthy.length} of ${count} partitions are not healthy\n${table(["TOPIC", "PARTITION", "LEADER", "ISR", "REPLICAS", "REASON"], unhealthy.map((one) => [one.topic, one.partition, one.leader < 0 ? "none" : String(one.leader), one.isr.join(","), one.replicas.join(","), one.reason]))}`,
      ...notes.map((note) => `note: ${note}`),
    ];
    return { text: parts.join("\n"), data: { clusterId: cluster.clusterId, brokers, quorum, partitions: count, unhealthy, notes } };
  } finally {
    for (const one of clients.values()) one.close();
  }
}

/** Null when in order. */
export function whyUnhealthy(partition: Pick<Partition, "leaderId" | "isrNodes" | "replicaNodes">, alive: ReadonlySet<number>): string | null {
  const outside = partition.replicaNodes.filter((id) => !partition.isrNodes.includes(id));
  const down = outside.filter((id) => !alive.has(id));
  const behind = outside.filter((id) => alive.has(id));
  if (partition.leaderId < 0) {
    const needed = partition.isrNodes.filter((id) => !alive.has(id));
    return needed.length > 0 ? `no leader: waits for broker ${needed.join(" or ")}, which has everything acknowledged` : "no leader: none is elected yet";
  }
  if (outside.length === 0) return null;
  return [down.length > 0 ? `broker ${down.join(", ")} is down` : "", behind.length > 0 ? `broker ${behind.join(", ")} is catching up` : ""].filter((text) => text !== "").join("; ");
}

export interface QuorumShown {
  readonly leader: number;
  readonly term: number;
  readonly committed: number;
  readonly members: readonly { readonly id: number; readonly directory: string; readonly role: string; readonly end: number; readonly lag: number; readonly caughtUpMsAgo: number | null }[];
}

async function readQuorum(client: KafkaClient): Promise<QuorumShown | null> {
  if (!client.speaks(DescribeQuorumRequest)) return null;
  const answer = await client.ask(DescribeQuorumRequest, DescribeQuorumResponse, { topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }] });
  const found = answer.topics[0]?.partitions[0];
  if (answer.errorCode !== 0 || found === undefined || found.errorCode !== 0) return null;
  const ends = [...found.currentVoters, ...found.observers].map((one) => Number(one.logEndOffset));
  const end = Math.max(0, ...ends);
  const now = client.reach.clock.wallMs();
  const member = (role: string) => (one: (typeof found.currentVoters)[number]) => ({
    id: one.replicaId,
    directory: one.replicaDirectoryId,
    role: role === "voter" && one.replicaId === found.leaderId ? "leader" : role,
    end: Number(one.logEndOffset),
    lag: Math.max(0, end - Number(one.logEndOffset)),
    caughtUpMsAgo: one.lastCaughtUpTimestamp < 0n ? null : Math.max(0, now - Number(one.lastCaughtUpTimestamp)),
  });
  return { leader: found.leaderId, term: found.leaderEpoch, committed: Number(found.highWatermark), members: [...found.currentVoters.map(member("voter")), ...found.observers.map(member("learner"))] };
}

function quorumText(quorum: QuorumShown | null): readonly string[] {
  if (quorum === null) return ["quorum: no leader is known"];
  const rows = quorum.members.map((one) => [one.id, one.role, one.end, one.lag, one.role === "leader" ? "-" : one.caughtUpMsAgo === null ? "never" : `${(one.caughtUpMsAgo / 1000).toFixed(1)} s ago`]);
  return [`quorum: leader ${quorum.leader}, term ${quorum.term}, committed ${quorum.committed}`, table(["NODE", "ROLE", "END", "LAG", "CAUGHT UP"], rows)];
}

/** Who follows the quorum without a vote, why, and what there is to do. */
export function learnerNotes(quorum: QuorumShown | null): readonly string[] {
  const members = quorum?.members ?? [];
  return members.filter((one) => one.role === "learner").map((one) => {
    const before = members.find((other) => other.id === one.id && other !== one);
    if (before === undefined) return `node ${one.id} follows the quorum as a learner and does not vote: nothing to do if it voted before on a disk that is lost, its vote comes back by itself once it is in step`;
    return `node ${one.id} came back on another disk (${one.directory}, before ${before.directory}): it is a learner and does not vote until it has been in step for a while, then it takes the old disk's place by itself; nothing to do, unless the old disk is still there: then start the node on that one`;
  });
}

async function strayNotes(clients: ReadonlyMap<number, KafkaClient>): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const [id, client] of [...clients].sort(([a], [b]) => a - b)) {
    if (!client.speaks(DescribeLogDirsRequest)) continue;
    const answer = await client.ask(DescribeLogDirsRequest, DescribeLogDirsResponse, { topics: null });
    for (const dir of answer.results) {
      const strays = dir.topics.filter((topic) => topic.name.endsWith("-stray"));
      if (strays.length > 0) notes.push(`broker ${id} has set aside ${strays.map((topic) => topic.name).join(", ")} in ${dir.logDir}: metadata does not know them; remove the folders if you do not need them`);
    }
  }
  return notes;
}

/** Until compaction exists nothing is deleted in compacted topics; somebody who watches the disk should know. */
async function compactNotes(client: KafkaClient, metadata: MetadataResponse): Promise<readonly string[]> {
  const names = metadata.topics.map((topic) => topic.name ?? "").filter((name) => name !== "");
  if (names.length === 0) return [];
  const configs = await client.ask(DescribeConfigsRequest, DescribeConfigsResponse, { resources: names.map((name) => ({ resourceType: 2, resourceName: name, configurationKeys: ["cleanup.policy", "kontiki.acks.durable"] })) });
  const compacted = configs.results.filter((result) => result.configs.some((config) => config.name === "cleanup.policy" && (config.value ?? "").includes("compact"))).map((result) => result.resourceName);
  // Only our own brokers have this setting: other clusters do compact.
  const ours = configs.results.some((result) => result.configs.some((config) => config.name === "kontiki.acks.durable"));
  return ours && compacted.length > 0 ? [`${compacted.join(", ")}: cleanup.policy has compact; keys are enforced, nothing is compacted or deleted yet`] : [];
}

import { type Invariant } from "./invariant.js";

/**
 * One broker leads a partition in an epoch, in one life of it, and only its batches carry that epoch: the first disk that has a batch is the leader's. A
 * process appends in no epoch that an earlier process of its broker has appended in.
 */
export const oneLeaderPerEpoch: Invariant = {
  name: "one-leader-per-epoch",
  source: "design §6, §11 one leader per leader epoch; reliability.md M4; KIP-101",
  watch(run, { metadata, logs }) {
    const violate = (text: string) => run.violate("one-leader-per-epoch", text);
    const reigns = new Map<string, number>();
    const writers = new Map<string, string>();
    const note = (topicId: string, topic: string, partition: number, epoch: number, leader: number | null) => {
      if (leader === null) return;
      const key = `${topicId}/${partition}/${epoch}`;
      const known = reigns.get(key);
      if (known === undefined) reigns.set(key, leader);
      else if (known !== leader) violate(`in epoch ${epoch} of ${topic}-${partition} both ${known} and ${leader} are leaders`);
    };
    metadata.onRecord.on(({ record, image }) => {
      if (record.kind === "partitions-made") record.rows.forEach((row, i) => note(record.topicId, image.topicById(record.topicId)?.name ?? record.topicId, record.first + i, row.leaderEpoch, row.leader));
    });
    metadata.onRow.on(({ topic, before, change }) => note(before.topicId, topic, before.index, change.leaderEpoch, change.leader));
    logs.onBorn.on(({ replica, fact }) => {
      const { facts, node } = replica;
      if (run.excuses.isDamaged(node)) return;
      const key = `${facts.topicId}/${facts.partition}/${fact.epoch}`;
      const leader = metadata.leaderOf(facts.topicId, facts.partition, fact.epoch);
      if (leader !== node) return violate(`node ${node} appends offset ${fact.base} of ${facts.name} in epoch ${fact.epoch}, whose leader is ${leader ?? "not committed"}`);
      const process = run.cluster.node(node).current?.process.name ?? "";
      const writer = writers.get(key);
      if (writer === undefined) writers.set(key, process);
      else if (writer !== process) violate(`${process} appends offset ${fact.base} of ${facts.name} in epoch ${fact.epoch}, in which ${writer} led`);
    });
    return {};
  },
};

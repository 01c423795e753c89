import type { BatchFact, LogReplica, PartitionFacts } from "../evidence/log-replica.js";
import { type Invariant } from "./invariant.js";

/**
 * What a high watermark has passed, and what a producer was told to be on all, is on the disk of every member of the ISR; on lax topics it is written
 * there. Judged when the mark moves and when the answer leaves.
 */
export const ackedDurable: Invariant = {
  name: "acked-durable",
  source: "design §7, §11 high watermark ≤ durable end on every in-sync replica; reliability.md P4, P9",
  watch(run, { logs, brokers, clients, metadata, raft, shaken }) {
    const violate = (text: string) => run.violate("acked-durable", text);
    const lacks = (facts: PartitionFacts, id: number, end: number, batch: BatchFact | null): string | null => {
      // Whose sync failed discards what lay above its checkpoint, tells so when it registers, and leaves the ISR then.
      if (run.excuses.isDamaged(id) || run.excuses.explainsFall(id, run.sim.nowMs) || (facts.lax && (shaken.get(id) ?? 0) > 0)) return null;
      const replica = logs.replicaOf(id, facts);
      const view = facts.lax ? "written" : "durable";
      const has = replica === null ? 0 : facts.lax ? replica.end : replica.durableEnd;
      if (has < end) return `node ${id} has it ${view} up to ${has}`;
      const differs = batch !== null && replica !== null && batch.base >= replica.start && !replica.holds(batch, view);
      return differs ? `node ${id} has another batch at ${batch.base}` : null;
    };
    const judge = (what: string, facts: PartitionFacts, members: readonly number[], end: number, batch: BatchFact | null) => {
      if (facts.unclean) return;
      for (const id of members) {
        const problem = lacks(facts, id, end, batch);
        if (problem !== null) return violate(`${what}; in the ISR are ${members.join(", ")}, and ${problem}`);
      }
    };
    const marked = (replica: LogReplica, isr: readonly number[], mark: number) => {
      const { facts } = replica;
      const last = facts.committed.at(-1) ?? null;
      judge(`node ${replica.node} has the high watermark of ${facts.name} at ${mark}`, facts, isr, mark, last !== null && last.last < mark ? last : null);
    };
    brokers.onMark.on(({ replica, row, before }) => {
      if (row.role !== "leader" || row.highWatermark <= (before?.role === "leader" && before.epoch === row.epoch ? before.highWatermark : -1)) return;
      marked(replica, row.isr, row.highWatermark);
    });
    logs.onMissing.on(({ replica, highWatermark }) => {
      if (!replica.facts.unclean && !replica.facts.lax && !run.excuses.isDamaged(replica.node)) violate(`node ${replica.node} has the high watermark of ${replica.name} at ${highWatermark} and a log up to ${replica.end}`);
    });
    clients.onAcknowledged.on(({ node, topic, topicId, partition, base }) => {
      const named = topic === "" ? metadata.image.topicById(topicId as never) : metadata.image.topic(topic); // a client's id is a uuid by its codec
      const replica = named === null ? null : logs.replica(node, named.name, partition);
      const state = named?.partition(partition) ?? null;
      if (raft.mayBeBehind || replica === null || state === null || replica.facts.topicId !== named?.id) return;
      const batch = replica.batchAt(base);
      if (batch !== null) judge(`node ${node} acknowledges offset ${base} of ${replica.name}`, replica.facts, state.isr, batch.last + 1, batch);
    });
    return {};
  },
};

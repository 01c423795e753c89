import type { LogReplica } from "../evidence/log-replica.js";
import { type Invariant } from "./invariant.js";

/** Batches looked at when somebody begins to lead; a scan looks at all. */
const NEWEST = 100;

/** Who begins to lead has every committed batch, and so has, at every scan, each member of the ISR. */
export const committedKept: Invariant = {
  name: "committed-kept",
  source: "design §11 no acknowledged record lost, reordered or changed; reliability.md P1, P2, P5",
  watch(run, { logs, brokers, metadata, raft }) {
    // Whose sync failed discards what lay above its checkpoint, tells so when it registers, and leaves the ISR then.
    const isExcused = (node: number) => run.excuses.isDamaged(node) || run.excuses.explainsFall(node, run.sim.nowMs);
    const check = (replica: LogReplica, who: string, newest: number, view: "written" | "durable") => {
      const { facts } = replica;
      if (facts.unclean || facts.lax || isExcused(replica.node)) return;
      const first = Math.max(facts.committedFrom(Math.max(facts.start, replica.start)), facts.committed.length - newest);
      for (let i = first; i < facts.committed.length; i++) {
        const fact = facts.committed[i];
        if (fact === undefined || fact.base < replica.start || replica.holds(fact, view)) continue;
        const has = replica.batchAt(fact.base, view);
        return run.violate("committed-kept", `${who} lacks committed offset ${fact.base} of epoch ${fact.epoch} of ${facts.name}: it has ${has === null ? `a log from ${replica.start} to ${replica.end}` : `a batch of epoch ${has.epoch} there`}`);
      }
    };
    brokers.onMark.on(({ replica, row, before }) => {
      if (row.role !== "leader" || (before?.role === "leader" && before.epoch === row.epoch)) return;
      // A leader that was deposed before it knew lacks what its successor has committed.
      if (metadata.image.topic(row.topic)?.partition(row.partition)?.leaderEpoch !== row.epoch) return;
      check(replica, `node ${replica.node}, leader in epoch ${row.epoch},`, NEWEST, "written");
    });
    return {
      scan() {
        if (raft.mayBeBehind) return; // the ISR may be another by now
        for (const topic of metadata.image.topics()) {
          for (let index = 0; index < topic.partitionCount; index++) {
            const state = topic.partition(index);
            const facts = logs.partitions.get(`${topic.id}/${index}`);
            if (state === null || facts === undefined || facts.committed.length === 0) continue;
            for (const id of state.isr) {
              const replica = logs.replicaOf(id, facts);
              if (replica !== null) check(replica, `node ${id}, in the ISR,`, NEWEST, "durable");
            }
          }
        }
      },
      atEnd() {
        if (raft.mayBeBehind) return;
        for (const topic of metadata.image.topics()) {
          for (let index = 0; index < topic.partitionCount; index++) {
            const facts = logs.partitions.get(`${topic.id}/${index}`);
            if (facts === undefined) continue;
            for (const id of topic.partition(index)?.isr ?? []) {
              const replica = logs.replicaOf(id, facts);
              if (replica !== null) check(replica, `node ${id}, in the ISR,`, Infinity, "durable");
              else if (facts.committedEnd > facts.start && !facts.unclean && !facts.lax && !isExcused(id)) run.violate("committed-kept", `node ${id}, in the ISR, has no log of ${facts.name}`);
            }
          }
        }
      },
    };
  },
};

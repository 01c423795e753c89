import type { Served } from "../evidence/client-wires.js";
import { type Invariant } from "./invariant.js";

/** Readers get only what is committed: the very batches that a leader's high watermark had passed. */
export const visibleBelowHw: Invariant = {
  name: "visible-below-hw",
  source: "design §11 nothing visible above the high watermark; reliability.md P3, P8, P11",
  watch(run, { clients, logs, metadata }) {
    let served: Served[] = [];
    clients.onServed.on((one) => served.push(one));
    return {
      onEvent() {
        if (served.length === 0) return;
        const due = served;
        served = [];
        for (const one of due) {
          const topic = one.topic === "" ? metadata.image.topicById(one.topicId as never) : metadata.image.topic(one.topic); // a client's id is a uuid by its codec
          const replica = topic === null ? null : logs.replica(one.node, topic.name, one.partition);
          if (replica === null || replica.facts.topicId !== topic?.id || replica.facts.unclean) continue;
          const { facts } = replica;
          const what = `node ${one.node} serves offsets ${one.base} to ${one.last} of ${facts.name}, epoch ${one.epoch}`;
          if (one.last >= facts.committedEnd) return run.violate("visible-below-hw", `${what}; committed is what lies below ${facts.committedEnd}`);
          if (facts.lax) continue;
          const fact = facts.committed[facts.committedFrom(one.base)];
          if (fact !== undefined && fact.base === one.base && (fact.epoch !== one.epoch || fact.crc !== one.crc)) return run.violate("visible-below-hw", `${what}; committed there is a batch of epoch ${fact.epoch}`);
        }
      },
    };
  },
};

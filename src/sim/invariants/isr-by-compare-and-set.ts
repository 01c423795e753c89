import { type Invariant } from "./invariant.js";

/**
 * The ISR grows only because the leader asked for just that, knowing the newest state of the partition, with members that are neither fenced nor stopping
 * and of the incarnation that the leader saw; and whoever joins has everything committed on its disk.
 */
export const isrByCompareAndSet: Invariant = {
  name: "isr-by-compare-and-set",
  source: "design §7, reliability.md M7; KIP-497, KIP-841, KIP-903",
  watch(run, { metadata, controllers, logs }) {
    metadata.onRow.on(({ topic, before, change, position, image }) => {
      const joined = change.isr.filter((id) => !before.isr.includes(id));
      if (joined.length === 0) return;
      const violate = (text: string) => run.violate("isr-by-compare-and-set", `${topic}-${before.index} at ${position}: ${text}`);
      if (change.leader !== before.leader) {
        // Elected from the ELR, or uncleanly: nobody else comes along.
        const others = joined.filter((id) => id !== change.leader);
        if (others.length > 0) violate(`with the election of ${change.leader ?? "nobody"} the ISR also gets ${others.join(", ")}`);
        return;
      }
      const asked = [...controllers.asksFor(before.topicId, before.index)].find(
        (ask) => ask.from === before.leader && ask.leaderEpoch === before.leaderEpoch && ask.partitionEpoch === before.partitionEpoch && ask.isr.length === change.isr.length && ask.isr.every(({ id }) => change.isr.includes(id)),
      );
      if (asked === undefined) return violate(`the ISR goes from ${before.isr.join(", ")} to ${change.isr.join(", ")}; leader ${before.leader ?? "nobody"} did not ask for that in epoch ${before.leaderEpoch} at partition epoch ${before.partitionEpoch}`);
      for (const id of joined) {
        const broker = image.broker(id);
        const seen = asked.isr.find((one) => one.id === id)?.brokerEpoch;
        if (broker === null || broker.fenced || broker.stopping) violate(`broker ${id} joins the ISR and is ${broker === null ? "not registered" : broker.fenced ? "fenced" : "stopping"}`);
        else if (broker.epoch !== seen) violate(`broker ${id} joins the ISR in epoch ${broker.epoch}; the leader saw epoch ${seen ?? "none"}`);
        const facts = logs.partition(before.topicId, topic, before.index);
        if (facts.unclean || facts.lax || run.excuses.isDamaged(id)) continue;
        const end = logs.replicaOf(id, facts)?.durableEnd ?? 0;
        if (end < facts.committedEnd) violate(`broker ${id} joins the ISR with ${end} on its disk; ${facts.committedEnd} is committed`);
      }
    });
    return {};
  },
};

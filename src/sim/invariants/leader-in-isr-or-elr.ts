import { type Invariant } from "./invariant.js";

/** A leader is in the ISR. A new one was in ISR or ELR, and is neither fenced nor unknown; else the election says that it was unclean, and somebody allowed that. */
export const leaderInIsrOrElr: Invariant = {
  name: "leader-in-isr-or-elr",
  source: "design §11 leaders come from ISR or ELR; reliability.md M5, M6; KIP-966",
  watch(run, { metadata, controllers }) {
    metadata.onRow.on(({ topic, before, change, position, image }) => {
      const violate = (text: string) => run.violate("leader-in-isr-or-elr", `${topic}-${before.index} at ${position}: ${text}`);
      const { leader } = change;
      if (leader === null) return;
      if (!change.isr.includes(leader)) return violate(`leader ${leader} is not in the ISR ${change.isr.join(", ")}`);
      if (leader === before.leader) return;
      const sets = `ISR ${before.isr.join(", ") || "empty"}, ELR ${before.elr.join(", ") || "empty"}`;
      const broker = image.broker(leader);
      if (broker === null || broker.fenced) return violate(`broker ${leader} is elected and is ${broker === null ? "not registered" : "fenced"}`);
      const eligible = before.isr.includes(leader) || before.elr.includes(leader);
      if (!eligible && !change.unclean) return violate(`broker ${leader} is elected; it was in neither: ${sets}`);
      if (!change.unclean || before.isr.length + before.elr.length === 0) return;
      const allowed = image.config("topic", topic).get("unclean.leader.election.enable") ?? image.config("broker", "").get("unclean.leader.election.enable") ?? run.plan.settings["unclean.leader.election.enable"];
      if (allowed !== "true" && !controllers.uncleanAsked) violate(`broker ${leader} is elected uncleanly, which nobody allowed: ${sets}`);
    });
    return {};
  },
};

/** A group commits only what its members have read: each begins where the group has got to, and every record below a committed offset was polled. */
import type { Member, Partition } from "./history.js";
import type { Judge, Rule } from "./rule.js";

export function commitUnread(judge: Judge, found: (text: string) => void): Rule {
  const readTo = new Map<string, number>();
  const starts = new Map<number, number>();
  const keyOf = (member: Member, partition: Partition) => `${member.group} ${partition.number}`;
  return {
    name: "commit-unread",
    source: "reliability.md G6",
    read(entry) {
      if (entry.f === "start") starts.set(entry.shown.partition.number, Math.max(starts.get(entry.shown.partition.number) ?? 0, entry.shown.start));
      else if (entry.f === "member-polled") {
        const key = keyOf(entry.member, entry.partition);
        const before = Math.max(readTo.get(key) ?? 0, starts.get(entry.partition.number) ?? 0);
        if (entry.from > before && !judge.terms.hasRetention(entry.partition)) found(`${entry.member.group}: ${entry.member.name} reads ${entry.partition.text} from ${entry.from}, but nobody of the group has read beyond ${before}`);
        readTo.set(key, Math.max(before, entry.to));
      } else if (entry.f === "commit" && entry.type === "invoke") {
        const { member, partition, offset } = entry.commit;
        const to = Math.max(readTo.get(keyOf(member, partition)) ?? 0, starts.get(partition.number) ?? 0);
        if (offset > to && !judge.terms.hasRetention(partition)) found(`${member.group}: ${member.name} commits ${offset} of ${partition.text}, which was read up to ${to}`);
      }
    },
  };
}

/** One effect as one short line, for transcripts. */
import type { Effect, Message } from "../../src/raft/core/messages.js";
import type { Raft } from "../../src/raft/core/state.js";
import type { Entry, LogPoint } from "../../src/raft/types.js";

const point = (at: LogPoint) => `${at.index}@${at.term}`;
const id = (key: string) => key.split("/")[0] ?? key;
const list = (entries: readonly Entry[]) => (entries.length === 0 ? "nothing" : entries.map((entry) => `${point(entry)}${entry.kind === "data" ? `=${Buffer.from(entry.payload).toString()}` : `=${entry.kind}`}`).join(" "));

export function messageText(message: Message): string {
  const { kind, term } = message;
  switch (kind) {
    case "pre-vote":
      return `pre-vote t${term} last ${point(message.last)}`;
    case "vote":
      return `vote t${term} last ${point(message.last)}${message.transfer ? " transfer" : ""}`;
    case "pre-vote-answer":
    case "vote-answer":
      return `${kind === "vote-answer" ? "vote" : "pre-vote"} ${message.granted ? "granted" : "refused"} t${term}`;
    case "append":
      return `append t${term} after ${point(message.previous)}: ${list(message.entries)}, commit ${message.commit}`;
    case "append-answer":
      return message.ok ? `has t${term} up to ${message.previous}, on disk ${message.match}` : `differs t${term} at ${message.previous}, maybe not at ${point(message.hint)}`;
    case "snapshot":
      return `snapshot t${term} ${point(message.point)} from byte ${message.position}`;
    case "snapshot-answer":
      return message.done ? `installed t${term} ${message.index}` : `wants t${term} snapshot ${message.index} from byte ${message.next}`;
    case "timeout-now":
      return `timeout-now t${term}`;
  }
}

export function traceOf(node: number, effect: Effect, raft: Raft): string[] {
  switch (effect.do) {
    case "save":
      return [`${node} saves t${effect.state.term} vote ${effect.state.votedFor === null ? "none" : id(effect.state.votedFor)}`];
    case "append":
      return [`${node} appends ${list(effect.entries)}`];
    case "truncate":
      return [`${node} cuts from ${effect.from}`];
    case "reset":
      return [`${node} begins its log anew after ${point(effect.to)}`];
    case "compact":
      return [`${node} drops entries up to ${point(effect.to)}`];
    case "send":
      return [`${node}→${id(effect.to)} ${messageText(effect.message)}`];
    case "send-chunk":
      return [`${node}→${id(effect.to)} snapshot t${effect.term} ${point(effect.snapshot)} from byte ${effect.position}`];
    case "store-chunk":
      return [];
    case "install":
      return [`${node} installs ${point(effect.point)}`];
    case "apply":
      return [`${node} applies ${list(effect.entries)}`];
    case "restore":
      return [`${node} restores ${point(effect.snapshot)}`];
    case "lead":
      return [effect.self ? `${node} leads t${effect.term}${effect.ready ? ", ready" : ""}` : `${node} follows ${effect.leader === null ? "nobody" : id(effect.leader)} t${effect.term}`];
    case "read-ready":
      return [`${node} reads at ${effect.index}`];
    case "read-failed":
      return [`${node} cannot read`];
    case "repaired":
      return [`${node} is whole again at ${raft.writing.durable}`];
  }
}

import { describe, expect, test } from "vitest";
import { Epochs } from "../../src/log/epochs.js";
import { onReply, type FollowerLog, type LeaderReply } from "../../src/replication/follower-steps.js";

function log(start: number, end: number, epochs: readonly (readonly [epoch: number, start: number])[]): FollowerLog {
  const table = new Epochs(epochs.map(([epoch, at]) => ({ epoch, start: at })));
  return { start, end, endOfEpoch: (epoch) => table.endOf(epoch, end) };
}
const reply = (change: Partial<LeaderReply>): LeaderReply => ({ error: "NONE", diverging: null, logStart: 0, ...change });

describe("a diverging answer only truncates", () => {
  const ours = log(0, 50, [[1, 0], [3, 20], [6, 40]]);
  test.each([
    ["we went on longer in the same epoch", { epoch: 3, end: 30 }, 30],
    ["the leader went on longer: our end of that epoch", { epoch: 3, end: 45 }, 40],
    ["the leader's epoch is unknown here: our largest below it (KIP-279)", { epoch: 2, end: 35 }, 20],
    ["nothing to cut, only epochs", { epoch: 6, end: 60 }, 50],
    ["nothing in common", { epoch: 0, end: 0 }, 0],
  ])("%s", (_, diverging, to) => expect(onReply(ours, reply({ diverging }))).toEqual({ do: "truncate", to }));

  test("never below the start of the log", () => expect(onReply(log(10, 50, [[3, 10]]), reply({ diverging: { epoch: 2, end: 4 } }))).toEqual({ do: "truncate", to: 10 }));
});

describe("out of range", () => {
  test.each([
    ["below the leader's start", log(0, 5, [[1, 0]]), 9, { do: "reset", start: 9 }],
    ["empty, begun beyond the leader's end", log(20, 20, []), 3, { do: "reset", start: 3 }],
    ["with records that may be wanted: nothing is deleted on doubt", log(0, 50, [[1, 0]]), 3, { do: "delay" }],
  ])("%s", (_, ours, logStart, step) => expect(onReply(ours, reply({ error: "OFFSET_OUT_OF_RANGE", logStart }))).toEqual(step));
});

test("C4: a fence or any other refusal leaves the log alone", () => {
  for (const error of ["FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH", "NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_ID"] as const) expect(onReply(log(0, 5, [[1, 0]]), reply({ error }))).toEqual({ do: "delay" });
});

test("an answer without a divergence is appended", () => expect(onReply(log(0, 5, [[1, 0]]), reply({}))).toEqual({ do: "append" }));

/** Each invariant of the quorum fires on evidence that breaks it, and says nothing on the same story told soundly. */
import { expect, test } from "vitest";
import { encodeMembership } from "../../../src/raft/members.js";
import { commitRule } from "../../../src/sim/invariants/commit-rule.js";
import { committedDurable } from "../../../src/sim/invariants/committed-durable.js";
import { electionSafety } from "../../../src/sim/invariants/election-safety.js";
import { leaderCompleteness } from "../../../src/sim/invariants/leader-completeness.js";
import { logMatching } from "../../../src/sim/invariants/log-matching.js";
import { noTruncationBelowCommit } from "../../../src/sim/invariants/no-truncation-below-commit.js";
import { snapshots } from "../../../src/sim/invariants/snapshots.js";
import { stateMachineSafety } from "../../../src/sim/invariants/state-machine-safety.js";
import { voteOnceDurably } from "../../../src/sim/invariants/vote-once-durably.js";
import { voterChange } from "../../../src/sim/invariants/voter-change.js";
import { data, logBytes, members, Stage, VOTERS } from "./staging.js";

const one = [expect.anything()];
const LOG = "/data/quorum/log/00000000000000000001.log";

test("election-safety: two lead in one term", () => {
  const stage = new Stage(electionSafety);
  stage.lead(1, 2, 4);
  stage.lead(1, 3, 4);
  stage.lead(2, 3, 5);
  expect(stage.violations).toEqual([]);
  stage.lead(3, 1, 5);
  expect(stage.violations).toEqual(["election-safety: in term 5 both 2/AgICAgICAgICAgICAgICAg and 3/AwMDAwMDAwMDAwMDAwMDAw send as leaders"]);
});

test("vote-once-durably: a vote leaves that the disk does not have, or is given twice, or a term falls", () => {
  const stage = new Stage(voteOnceDurably);
  stage.vote(2, 3, 1);
  stage.say(2, 1, { kind: "vote-answer", term: 3, granted: true });
  stage.vote(1, 3, 1);
  stage.say(1, 2, { kind: "vote", term: 3, last: { index: 0, term: 0 }, transfer: false });
  stage.lead(1, 2, 3);
  stage.say(3, 1, { kind: "vote-answer", term: 3, granted: false });
  expect(stage.violations).toEqual([]);
  stage.say(3, 1, { kind: "vote-answer", term: 3, granted: true }); // nothing on its disk
  expect(stage.violations.splice(0)).toEqual(one);
  stage.say(2, 3, { kind: "vote-answer", term: 3, granted: true }); // its disk has the other one
  expect(stage.violations.splice(0)).toEqual(one);
  stage.vote(2, 3, 3); // and now it is changed
  expect(stage.violations.splice(0)).toEqual(one);
  stage.vote(2, 2, null);
  expect(stage.violations.splice(0)).toEqual(one);
  stage.lead(3, 1, 9);
  expect(stage.violations).toEqual(one);
});

test("log-matching: one index and term, two entries; or one entry after different ones", () => {
  const stage = new Stage(logMatching);
  stage.log(1, [{ term: 1 }, data("a"), data("b", 2)]);
  stage.log(2, [{ term: 1 }, data("a"), data("c", 3)]);
  expect(stage.violations).toEqual([]);
  stage.log(3, [{ term: 1 }, data("other")]);
  expect(stage.violations.splice(0)).toEqual(one);
  stage.log(3, [{ term: 1 }, data("a", 2), data("b", 2)]);
  expect(stage.violations).toEqual(one);
});

test("leader-completeness: elected without what an earlier term committed", () => {
  const stage = new Stage(leaderCompleteness);
  stage.commit([VOTERS, data("a"), data("b")]);
  stage.lead(2, 1, 2, 3);
  expect(stage.violations).toEqual([]);
  stage.log(3, [VOTERS, data("a")]);
  stage.lead(3, 1, 3, 2);
  expect(stage.violations).toEqual(one);
});

test("commit-rule: told before a majority has it on disk, or of an older term, or promised before it is durable", () => {
  const stage = new Stage(commitRule);
  stage.log(1, [VOTERS, data("a")]);
  stage.log(2, [VOTERS, data("a")]);
  stage.log(3, [VOTERS]);
  stage.lead(1, 2, 1, 2);
  expect(stage.violations).toEqual([]);
  for (const node of [1, 2]) stage.log(node, [VOTERS, data("a"), data("b")], node === 1);
  stage.lead(1, 2, 1, 3); // written on 2, not durable
  expect(stage.violations.splice(0)).toEqual(one);
  stage.say(2, 1, { kind: "append-answer", term: 1, ok: true, previous: 3, match: 3, hint: { index: 0, term: 0 }, round: 1 });
  expect(stage.violations.splice(0)).toEqual(one);
  stage.sync(2, LOG);
  stage.say(2, 1, { kind: "append-answer", term: 1, ok: true, previous: 3, match: 3, hint: { index: 0, term: 0 }, round: 1 });
  expect(stage.violations).toEqual([]);

  const old = new Stage(commitRule);
  for (const node of [1, 2, 3]) old.log(node, [VOTERS, data("a", 2)]);
  old.lead(3, 1, 4, 2); // of term 2, by itself: Raft's figure 8
  expect(old.violations).toEqual(one);
});

test("committed-durable: a majority would not have it without power", () => {
  const stage = new Stage(committedDurable);
  stage.commit([VOTERS, data("a")]);
  stage.event();
  stage.log(2, [VOTERS]);
  stage.event();
  expect(stage.violations).toEqual([]);
  stage.log(3, [VOTERS]);
  stage.event();
  expect(stage.violations.splice(0)).toEqual(one);
  stage.damaged.add(3);
  stage.scan();
  expect(stage.violations).toEqual([]);
});

test("no-truncation-below-commit: a committed entry is cut, or a leader cuts its own", () => {
  const stage = new Stage(noTruncationBelowCommit);
  stage.commit([VOTERS, data("a")]);
  const committed = logBytes([VOTERS, data("a")]).length;
  stage.write(2, LOG, committed, logBytes([data("x")]).subarray(32)); // an index of its own, and no entry
  stage.truncate(2, LOG, committed);
  expect(stage.violations).toEqual([]);
  stage.truncate(2, LOG, committed - 1);
  expect(stage.violations.splice(0)).toEqual(one);
  stage.log(1, [VOTERS, data("a"), data("b")]);
  stage.violations.splice(0);
  stage.truncate(1, LOG, logBytes([VOTERS, data("a"), data("b")]).length - 1);
  expect(stage.violations).toEqual(one);
});

test("snapshots: of what is not committed, or with a gap behind it", () => {
  const stage = new Stage(snapshots);
  stage.commit([VOTERS, data("a"), data("b")]);
  stage.file(1, "/data/quorum/log/00000000000000000002-1.snapshot", new Uint8Array(1));
  expect(stage.violations).toEqual([]);
  stage.file(2, "/data/quorum/log/00000000000000000007-1.snapshot", new Uint8Array(1));
  expect(stage.violations.splice(0)).toEqual(one);
  stage.file(3, "/data/quorum/log/00000000000000000002-9.snapshot", new Uint8Array(1));
  expect(stage.violations).toEqual(one);
});

test("voter-change: two voters at once, or before the last change is on a majority", () => {
  const change = (...nodes: readonly number[]) => ({ term: 1, kind: "members" as const, payload: encodeMembership(members(...nodes)) });
  const sound = new Stage(voterChange);
  sound.commit([VOTERS, { term: 1 }]);
  sound.log(1, [VOTERS, { term: 1 }, change(1, 2)]);
  expect(sound.violations).toEqual([]);
  const two = new Stage(voterChange);
  two.commit([VOTERS, { term: 1 }]);
  two.log(1, [VOTERS, { term: 1 }, change(1, 4)]);
  expect(two.violations).toEqual(one);
  const early = new Stage(voterChange);
  early.commit([VOTERS, { term: 1 }]);
  early.log(1, [VOTERS, { term: 1 }, change(1, 2), change(1)]);
  expect(early.violations).toEqual(one);
  const foreign = new Stage(voterChange); // nothing of its own term is on a majority
  foreign.commit([VOTERS, { term: 1 }]);
  foreign.log(1, [VOTERS, { term: 1 }, { ...change(1, 2), term: 2 }]);
  expect(foreign.violations).toEqual(one);
});

test("state-machine-safety: the feed has another batch than the log, or a snapshot another state", () => {
  const stage = new Stage(stateMachineSafety);
  stage.commit([VOTERS, data("a")]);
  const { controllers, metadata } = stage.evidence;
  controllers.onFed.tell({ by: 1, position: 2, bytes: Buffer.from(metadata.payloadAt(2) ?? []) });
  expect(stage.violations).toEqual([]);
  controllers.onFed.tell({ by: 1, position: 2, bytes: data("other").payload ?? null });
  expect(stage.violations.splice(0)).toEqual(one);
  const head = Buffer.alloc(28 + 4);
  const end = Buffer.alloc(4, 0xff);
  stage.file(2, "/data/quorum/log/00000000000000000002-1.snapshot", Buffer.concat([head, end])); // no block at all
  expect(stage.violations).toEqual(one);
});

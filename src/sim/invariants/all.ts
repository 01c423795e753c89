/** Every invariant, by name. */
import type { Run } from "../run.js";
import { ackedDurable } from "./acked-durable.js";
import { brokerEpoch } from "./broker-epoch.js";
import { commitRule } from "./commit-rule.js";
import { committedDurable } from "./committed-durable.js";
import { committedKept } from "./committed-kept.js";
import { electionSafety } from "./election-safety.js";
import { fsyncFailureIsFinal } from "./fsync-failure-is-final.js";
import { type Checker, type Invariant, watchAll } from "./invariant.js";
import { isrByCompareAndSet } from "./isr-by-compare-and-set.js";
import { leaderCompleteness } from "./leader-completeness.js";
import { leaderInIsrOrElr } from "./leader-in-isr-or-elr.js";
import { lineage } from "./lineage.js";
import { logMatching } from "./log-matching.js";
import { minIsr } from "./min-isr.js";
import { noTruncationBelowCommit } from "./no-truncation-below-commit.js";
import { noTruncationBelowHw } from "./no-truncation-below-hw.js";
import { oneLeaderPerEpoch } from "./one-leader-per-epoch.js";
import { partitionEpochs } from "./partition-epochs.js";
import { producerIdBlocks } from "./producer-id-blocks.js";
import { producerState } from "./producer-state.js";
import { sequencesContiguous } from "./sequences-contiguous.js";
import { snapshots } from "./snapshots.js";
import { stateMachineSafety } from "./state-machine-safety.js";
import { topicIds } from "./topic-ids.js";
import { visibleBelowHw } from "./visible-below-hw.js";
import { voteOnceDurably } from "./vote-once-durably.js";
import { voterChange } from "./voter-change.js";

export const INVARIANTS: readonly Invariant[] = [
  // the quorum
  electionSafety,
  voteOnceDurably,
  logMatching,
  leaderCompleteness,
  stateMachineSafety,
  commitRule,
  committedDurable,
  noTruncationBelowCommit,
  snapshots,
  voterChange,
  // the metadata
  brokerEpoch,
  partitionEpochs,
  oneLeaderPerEpoch,
  leaderInIsrOrElr,
  isrByCompareAndSet,
  minIsr,
  topicIds,
  producerIdBlocks,
  // partitions
  ackedDurable,
  lineage,
  noTruncationBelowHw,
  committedKept,
  visibleBelowHw,
  sequencesContiguous,
  producerState,
  // disks
  fsyncFailureIsFinal,
];

/** For `Parts.invariants` of a run. */
export function watchInvariants(run: Run): readonly Checker[] {
  return watchAll(run, INVARIANTS);
}

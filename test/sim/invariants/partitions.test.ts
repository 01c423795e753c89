/** Each invariant of metadata, partitions and disks fires on evidence that breaks it, and says nothing on the same story told soundly. */
import { describe, expect, test } from "vitest";
import { epoch, nodeId, uuid } from "../../../src/base/ids.js";
import type { MetadataRecord, PartitionChange } from "../../../src/metadata/records.js";
import { encodeSnapshot } from "../../../src/log/producer-snapshot.js";
import { Producers } from "../../../src/log/producers.js";
import { ackedDurable } from "../../../src/sim/invariants/acked-durable.js";
import { brokerEpoch } from "../../../src/sim/invariants/broker-epoch.js";
import { committedKept } from "../../../src/sim/invariants/committed-kept.js";
import { fsyncFailureIsFinal } from "../../../src/sim/invariants/fsync-failure-is-final.js";
import { isrByCompareAndSet } from "../../../src/sim/invariants/isr-by-compare-and-set.js";
import { leaderInIsrOrElr } from "../../../src/sim/invariants/leader-in-isr-or-elr.js";
import { lineage } from "../../../src/sim/invariants/lineage.js";
import { minIsr } from "../../../src/sim/invariants/min-isr.js";
import { noTruncationBelowHw } from "../../../src/sim/invariants/no-truncation-below-hw.js";
import { oneLeaderPerEpoch } from "../../../src/sim/invariants/one-leader-per-epoch.js";
import { partitionEpochs } from "../../../src/sim/invariants/partition-epochs.js";
import { producerIdBlocks } from "../../../src/sim/invariants/producer-id-blocks.js";
import { producerState } from "../../../src/sim/invariants/producer-state.js";
import { sequencesContiguous } from "../../../src/sim/invariants/sequences-contiguous.js";
import { topicIds } from "../../../src/sim/invariants/topic-ids.js";
import { visibleBelowHw } from "../../../src/sim/invariants/visible-below-hw.js";
import { Life } from "../../../src/sim/life.js";
import { batchBytes, id, Stage, TOPIC } from "./staging.js";

const one = [expect.anything()];
const all = [1, 2, 3];
const topicId = uuid(TOPIC);

const registered = (n: number): MetadataRecord => ({
  kind: "broker-registered", id: nodeId(n), incarnation: uuid(id(100 + n)), directories: [uuid(id(n))], rack: null, listeners: [], nodePort: { host: `n${n}`, port: 9092 }, features: { min: 1, max: 1 }, secret: "",
});
/** Three brokers register at positions 2, 3 and 4, and are let in. */
const BROKERS: readonly (readonly MetadataRecord[])[] = [...all.map((n) => [registered(n)]), all.map((n) => ({ kind: "broker-changed", id: nodeId(n), epoch: BigInt(1 + n), fenced: false, stopping: false }))];
const MADE: readonly MetadataRecord[] = [
  { kind: "topic-made", topicId, name: "t" },
  { kind: "partitions-made", topicId, first: 0, rows: [{ replicas: all.map(nodeId), directories: all.map((n) => uuid(id(n))), isr: all.map(nodeId), elr: [], lastKnownElr: [], leader: nodeId(1), leaderEpoch: epoch(0), partitionEpoch: 0, recovering: false }] },
];

interface Next {
  readonly isr: readonly number[];
  readonly elr?: readonly number[];
  readonly leader: number | null;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly unclean?: boolean;
}

function row({ isr, elr = [], leader, leaderEpoch, partitionEpoch, unclean = false }: Next): PartitionChange {
  return { index: 0, isr: isr.map(nodeId), elr: elr.map(nodeId), lastKnownElr: [], leader: leader === null ? null : nodeId(leader), leaderEpoch: epoch(leaderEpoch), partitionEpoch, recovering: false, directories: null, unclean };
}
const changed = (next: Next): readonly MetadataRecord[] => [{ kind: "partitions-changed", topicId, rows: [row(next)] }];

/** What the metadata could not even take is told of as by its replay: the row alone. */
function tellRow(stage: Stage, next: Next): void {
  const { metadata } = stage.evidence;
  const before = metadata.image.topicById(topicId)?.partition(0);
  if (before == null) throw new Error("there is no such partition");
  metadata.onRow.tell({ position: 99, topic: "t", before, change: row(next), image: metadata.image, batch: [] });
}

describe("metadata", () => {
  test("broker-epoch: told an epoch that is no registration of its own, or registered while unfenced", () => {
    const stage = new Stage(brokerEpoch);
    stage.metadata(...BROKERS);
    stage.evidence.controllers.onRegistered.tell({ to: 1, epoch: 2n });
    stage.scan();
    expect(stage.violations).toEqual([]);
    stage.evidence.controllers.onRegistered.tell({ to: 1, epoch: 3n });
    stage.scan();
    expect(stage.violations.splice(0)).toEqual(one);
    stage.evidence.metadata.onRecord.tell({ record: registered(1), position: 9, image: stage.evidence.metadata.image });
    expect(stage.violations).toEqual(one);
  });

  test("partition-epochs: they leap, fall, or a leader changes within one", () => {
    const stage = new Stage(partitionEpochs);
    stage.metadata(...BROKERS, MADE, changed({ isr: [1, 2], leader: 1, leaderEpoch: 0, partitionEpoch: 1 }));
    expect(stage.violations).toEqual([]);
    tellRow(stage, { isr: [1, 2], leader: 1, leaderEpoch: 0, partitionEpoch: 3 });
    expect(stage.violations.splice(0)).toEqual(one);
    tellRow(stage, { isr: [1, 2], leader: 2, leaderEpoch: 0, partitionEpoch: 2 });
    expect(stage.violations).toEqual(one);
  });

  test("one-leader-per-epoch: two in the metadata, or a batch from somebody else", () => {
    const stage = new Stage(oneLeaderPerEpoch);
    stage.metadata(...BROKERS, MADE);
    stage.append(1, [{ offset: 0 }]);
    stage.append(2, [{ offset: 0 }]); // its copy
    expect(stage.violations).toEqual([]);
    stage.append(2, [{ offset: 1 }]);
    expect(stage.violations.splice(0)).toEqual(one);
    tellRow(stage, { isr: [2], leader: 2, leaderEpoch: 0, partitionEpoch: 1 });
    expect(stage.violations).toEqual(one);
  });

  test("leader-in-isr-or-elr: elected from outside, fenced, or not in its own ISR", () => {
    const stage = new Stage(leaderInIsrOrElr);
    stage.metadata(...BROKERS, MADE, changed({ isr: [1], elr: [2], leader: 1, leaderEpoch: 0, partitionEpoch: 1 }));
    tellRow(stage, { isr: [2], elr: [1], leader: 2, leaderEpoch: 1, partitionEpoch: 2 });
    expect(stage.violations).toEqual([]);
    tellRow(stage, { isr: [3], leader: 3, leaderEpoch: 1, partitionEpoch: 2 });
    expect(stage.violations.splice(0)).toEqual(one);
    tellRow(stage, { isr: [1], leader: 2, leaderEpoch: 1, partitionEpoch: 2 });
    expect(stage.violations.splice(0)).toEqual(one);
    tellRow(stage, { isr: [3], leader: 3, leaderEpoch: 1, partitionEpoch: 2, unclean: true });
    expect(stage.violations.splice(0)).toEqual(one);
    stage.evidence.controllers.uncleanAsked = true;
    tellRow(stage, { isr: [3], leader: 3, leaderEpoch: 1, partitionEpoch: 2, unclean: true });
    expect(stage.violations).toEqual([]);
  });

  test("isr-by-compare-and-set: it grows unasked, or with an incarnation that the leader did not see, or with a log that lacks something", () => {
    const grown = { isr: [1, 2, 3], leader: 1, leaderEpoch: 0, partitionEpoch: 2 };
    const ask = (stage: Stage, partitionEpoch: number, seen: bigint) => {
      const controllers = stage.evidence.controllers as unknown as { asksFor: () => Iterable<object> };
      controllers.asksFor = () => [{ from: 1, topicId, partition: 0, leaderEpoch: 0, partitionEpoch, isr: all.map((n) => ({ id: n, brokerEpoch: n === 3 ? seen : -1n })), recovered: false }];
    };
    const stage = new Stage(isrByCompareAndSet);
    stage.metadata(...BROKERS, MADE, changed({ isr: [1, 2], leader: 1, leaderEpoch: 0, partitionEpoch: 1 }));
    ask(stage, 1, 4n);
    tellRow(stage, grown);
    expect(stage.violations).toEqual([]);
    ask(stage, 0, 4n);
    tellRow(stage, grown);
    expect(stage.violations.splice(0)).toEqual(one);
    ask(stage, 1, 3n);
    tellRow(stage, grown);
    expect(stage.violations.splice(0)).toEqual(one);
    ask(stage, 1, 4n);
    for (const node of [1, 2]) stage.append(node, [{ offset: 0 }]);
    stage.mark(1, { epoch: 0, highWatermark: 1, isr: [1, 2] });
    tellRow(stage, grown);
    expect(stage.violations).toEqual(one);
  });

  test("min-isr: who leaves below the minimum is not eligible any more, or the mark moves", () => {
    const stage = new Stage(minIsr);
    stage.metadata(...BROKERS, MADE, changed({ isr: [1, 2], leader: 1, leaderEpoch: 0, partitionEpoch: 1 }));
    tellRow(stage, { isr: [1], elr: [2], leader: 1, leaderEpoch: 0, partitionEpoch: 2 });
    expect(stage.violations).toEqual([]);
    tellRow(stage, { isr: [1], leader: 1, leaderEpoch: 0, partitionEpoch: 2 });
    expect(stage.violations.splice(0)).toEqual(one);
    stage.append(1, [{ offset: 0 }]);
    stage.mark(1, { epoch: 0, highWatermark: 1, isr: [1] }, { epoch: 0, highWatermark: 0, isr: [1] });
    expect(stage.violations).toEqual(one);
  });

  test("topic-ids: used again, or a name twice", () => {
    const stage = new Stage(topicIds);
    stage.metadata(...BROKERS, MADE, [{ kind: "topic-deleted", topicId }]);
    expect(stage.violations).toEqual([]);
    stage.evidence.metadata.onRecord.tell({ record: { kind: "topic-made", topicId, name: "u" }, position: 9, image: stage.evidence.metadata.image });
    expect(stage.violations).toEqual(one);
  });

  test("producer-id-blocks: they overlap, or are not of the metadata", () => {
    const stage = new Stage(producerIdBlocks);
    stage.metadata(...BROKERS, [{ kind: "producer-ids", next: 2000n, broker: nodeId(1) }]);
    const { onProducerIds } = stage.evidence.controllers;
    onProducerIds.tell({ to: 1, first: 0n, count: 1000 });
    onProducerIds.tell({ to: 2, first: 1000n, count: 1000 });
    stage.end();
    expect(stage.violations).toEqual([]);
    onProducerIds.tell({ to: 3, first: 1500n, count: 10 });
    expect(stage.violations.splice(0)).toEqual(one);
    onProducerIds.tell({ to: 3, first: 2000n, count: 10 });
    stage.end();
    expect(stage.violations).toEqual(one);
  });
});

describe("partitions", () => {
  const first = [{ offset: 0 }, { offset: 1 }];

  test("acked-durable: the mark passes what a member has on its disk, or an answer leaves", () => {
    const stage = new Stage(ackedDurable);
    stage.metadata(...BROKERS, MADE);
    for (const node of all) stage.append(node, first);
    stage.mark(1, { epoch: 0, highWatermark: 2, isr: all });
    expect(stage.violations).toEqual([]);
    for (const node of all) stage.append(node, [{ offset: 2 }], node !== 3);
    stage.evidence.clients.onAcknowledged.tell({ node: 1, topic: "t", topicId: "", partition: 0, base: 2 });
    expect(stage.violations.splice(0)).toEqual(one);
    stage.mark(1, { epoch: 0, highWatermark: 3, isr: all }, { epoch: 0, highWatermark: 2, isr: all });
    expect(stage.violations.splice(0)).toEqual(one);
    stage.damaged.add(3);
    stage.evidence.clients.onAcknowledged.tell({ node: 1, topic: "t", topicId: "", partition: 0, base: 2 });
    expect(stage.violations).toEqual([]);
    stage.mark(1, { epoch: 0, highWatermark: 9, isr: [1] });
    expect(stage.violations.length).toBeGreaterThan(0);
  });

  test("lineage: other bytes under one offset and epoch, a hole, or an epoch that falls", () => {
    const stage = new Stage(lineage);
    stage.append(1, first);
    stage.append(2, [{ offset: 0 }, { offset: 1, epoch: 1, value: "later" }]);
    expect(stage.violations).toEqual([]);
    stage.append(3, [{ offset: 0, value: "other" }]);
    expect(stage.violations.splice(0)).toEqual(one);
    stage.append(1, [{ offset: 3 }]);
    expect(stage.violations.splice(0)).toEqual(one);
    stage.append(2, [{ offset: 2, epoch: 0 }]);
    expect(stage.violations).toEqual(one);
  });

  test("no-truncation-below-hw: a committed batch is cut", () => {
    const stage = new Stage(noTruncationBelowHw);
    for (const node of all) stage.append(node, [...first, { offset: 2 }]);
    stage.mark(1, { epoch: 0, highWatermark: 2, isr: all });
    const path = `${stage.folder(2)}/00000000000000000000.log`;
    const size = batchBytes({ offset: 0 }).length;
    stage.truncate(2, path, 2 * size);
    expect(stage.violations).toEqual([]);
    stage.truncate(2, path, size);
    expect(stage.violations).toEqual(one);
  });

  test("committed-kept: a new leader, or a member of the ISR, lacks what is committed", () => {
    const stage = new Stage(committedKept);
    stage.metadata(...BROKERS, MADE);
    for (const node of [1, 2]) stage.append(node, first);
    stage.append(3, [{ offset: 0 }]);
    stage.mark(1, { epoch: 0, highWatermark: 1, isr: all });
    stage.scan();
    expect(stage.violations).toEqual([]);
    stage.mark(1, { epoch: 0, highWatermark: 2, isr: [1, 2] }, { epoch: 0, highWatermark: 1, isr: all });
    stage.scan();
    expect(stage.violations.splice(0)).toEqual(one);
    stage.end();
    expect(stage.violations.splice(0)).toEqual(one);
    stage.mark(3, { epoch: 0, highWatermark: 1, isr: [3] });
    expect(stage.violations).toEqual(one);
  });

  test("visible-below-hw: a reader gets what is not committed, or another batch", () => {
    const stage = new Stage(visibleBelowHw);
    stage.metadata(...BROKERS, MADE);
    for (const node of all) stage.append(node, first);
    stage.mark(1, { epoch: 0, highWatermark: 1, isr: all });
    const fact = stage.evidence.logs.replica(1, "t", 0)?.batchAt(0);
    const served = (base: number, crc: number) => {
      stage.evidence.clients.onServed.tell({ node: 1, topic: "t", topicId: "", partition: 0, base, last: base, epoch: 0, crc, highWatermark: 1 });
      stage.event();
    };
    served(0, fact?.crc ?? 0);
    expect(stage.violations).toEqual([]);
    served(1, 0);
    expect(stage.violations.splice(0)).toEqual(one);
    served(0, 123);
    expect(stage.violations).toEqual(one);
  });

  test("sequences-contiguous: one is doubled, left out, or an old epoch goes on", () => {
    const story = (...batches: readonly (readonly [epoch: number, sequence: number])[]) => {
      const stage = new Stage(sequencesContiguous);
      stage.append(1, batches.map(([producerEpoch, sequence], offset) => ({ offset, producer: { id: 7n, epoch: producerEpoch, sequence } })));
      stage.mark(1, { epoch: 0, highWatermark: batches.length, isr: [1] });
      return stage.violations;
    };
    expect(story([0, 0], [0, 1], [1, 0], [1, 1])).toEqual([]);
    expect(story([0, 2 ** 31 - 1], [0, 0])).toEqual([]);
    expect(story([0, 0], [0, 0])).toEqual(one);
    expect(story([0, 0], [0, 2])).toEqual(one);
    expect(story([1, 0], [0, 1])).toEqual(one);
    expect(story([0, 0], [1, 1])).toEqual(one);
  });

  test("producer-state: a snapshot of producers says other than the log", () => {
    const stage = new Stage(producerState);
    stage.append(1, [{ offset: 0, producer: { id: 7n, epoch: 0, sequence: 4 } }]);
    const kept = (sequence: number, name: string) => {
      const producers = new Producers();
      producers.restore(7n, { epoch: 0, coordinatorEpoch: -1, lastTimestampMs: 1, usedMs: 0, openSince: null, batches: [{ lastSequence: sequence, offsetDelta: 0, lastOffset: 0, timestampMs: 1 }] });
      stage.file(1, `${stage.folder(1)}/${name}.snapshot`, encodeSnapshot(producers));
      stage.end();
    };
    kept(4, "00000000000000000001");
    expect(stage.violations).toEqual([]);
    kept(3, "00000000000000000000");
    expect(stage.violations.splice(0)).toEqual(one); // nothing lies below offset 0
    kept(3, "00000000000000000001");
    expect(stage.violations).toEqual(one);
  });

  test("fsync-failure-is-final: the process goes on after it", () => {
    const stage = new Stage(fsyncFailureIsFinal);
    const life = (name: string) => new Life(stage.sim.scheduler.thread(name), () => undefined);
    const [dead, alive] = [life("n1/node-1/broker"), life("n2/node-1/broker")];
    stage.evidence.onSyncFailed.tell({ node: 1, life: dead, path: "/data/x" });
    dead.halt("a sync failed");
    stage.event();
    expect(stage.violations).toEqual([]);
    stage.evidence.onSyncFailed.tell({ node: 2, life: alive, path: "/data/x" });
    stage.sim.scheduler.count++;
    stage.evidence.onSent.tell({ node: 2, life: alive });
    stage.event();
    expect(stage.violations).toHaveLength(2);
  });
});

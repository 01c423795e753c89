/** Any sequence of commands keeps the invariants of reliability.md §2 M1-M10: each image on its own, and each step from one to the next. */
import { expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import { decideIncremental } from "../../src/controller/decide/configs.js";
import { decideElections, rebalanceRecords } from "../../src/controller/decide/elections.js";
import { decideIsr } from "../../src/controller/decide/isr.js";
import { decideCreatePartitions, decideCreateTopics, decideDeleteTopics } from "../../src/controller/decide/topics.js";
import { changesBetween, ChangeLog } from "../../src/metadata/changes.js";
import { checkImage } from "../../src/metadata/check-image.js";
import { ClusterImage } from "../../src/metadata/cluster-image.js";
import { decodeBatch, encodeBatch, type MetadataRecord } from "../../src/metadata/records.js";
import { replay } from "../../src/metadata/replay.js";
import { snapshotBlocks, SnapshotLoader } from "../../src/metadata/snapshot.js";
import { effectiveMinIsr } from "../../src/metadata/topic-settings.js";
import { directory, Model } from "./model.js";

const BROKERS = 5;
const STEPS = 150;

class Run extends Model {
  readonly log: (readonly MetadataRecord[])[] = [];
  /** Steps that may take members out of ISR and ELR for good: losses, and a changed minimum. */
  lossy = false;
  unclean = false;
  #disks = new Array<number>(BROKERS).fill(0);

  override commit(records: readonly MetadataRecord[]): void {
    super.commit(records);
    if (records.length > 0) this.log?.push(records); // the first batch comes before the field
  }

  step(): void {
    this.lossy = this.unclean = false;
    const id = this.below(BROKERS);
    const topics = [...this.image.topics()];
    const topic = topics[this.below(Math.max(1, topics.length))];
    const partition = topic === undefined ? 0 : this.below(topic.partitionCount);
    const { context, image } = this;
    switch (this.below(13)) {
      case 0:
        if (this.below(4) === 0) this.#disks[id] = (this.#disks[id] ?? 0) + 1;
        this.lossy = image.broker(nodeId(id))?.directories.includes(directory(id, this.#disks[id] ?? 0)) === false;
        return void this.register(id, { disk: this.#disks[id] ?? 0 });
      case 1:
        this.lossy = true;
        return void this.register(id, { disk: this.#disks[id] ?? 0, lost: topic === undefined ? [] : [{ topicId: topic.id, partition }] });
      case 2:
      case 3:
      case 4:
        return this.unfence(id);
      case 5:
        return this.fence(id);
      case 6:
        return this.stop(id);
      case 7:
        return void this.do(decideCreateTopics(image, { kind: "create-topics", topics: [{ name: `t${this.below(6)}`, partitions: 1 + this.below(3), replicationFactor: 1 + this.below(3), assignments: [], configs: [] }], validateOnly: false }, context));
      case 8:
        if (topic !== undefined && this.below(6) === 0) this.do(decideDeleteTopics(image, { kind: "delete-topics", topics: [{ name: topic.name, id: null }] }, context));
        else if (topic !== undefined) this.do(decideCreatePartitions(image, { kind: "create-partitions", topics: [{ name: topic.name, count: topic.partitionCount + 1, assignments: null }], validateOnly: false }, context));
        return;
      case 9:
        if (this.below(3) === 0 && topic !== undefined) {
          this.lossy = true;
          this.do(decideIncremental(image, { kind: "incremental-alter-configs", validateOnly: false, resources: [{ type: "topic", name: topic.name, operations: [{ name: "min.insync.replicas", op: "set", value: String(1 + this.below(3)) }] }] }, context));
        }
        return;
      case 10:
        this.unclean = this.below(8) === 0;
        return void this.do(decideElections(image, { kind: "elect-leaders", type: this.unclean ? "unclean" : "preferred", partitions: null }, context));
      case 11:
        return this.commit(rebalanceRecords(image, 1 + this.below(5), context));
      default: {
        if (topic === undefined) return;
        const p = topic.existing(partition);
        const isr = p.replicas.filter((one) => one === p.leader || this.below(2) === 0).map((one) => ({ id: one, brokerEpoch: (image.broker(one)?.epoch ?? 0n) - BigInt(this.below(8) === 0 ? 1 : 0) }));
        return void this.do(decideIsr(image, p.leader ?? nodeId(id), [{ topicId: topic.id, partition, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch - (this.below(8) === 0 ? 1 : 0), isr, recovered: this.below(2) === 0 }], context));
      }
    }
  }

  checkStep(before: ClusterImage): void {
    checkImage(this.image);
    if (!this.unclean) expect(this.image.uncleanElections).toBe(before.uncleanElections);
    for (const broker of this.image.brokers()) expect(broker.epoch).toBeGreaterThanOrEqual(before.broker(broker.id)?.epoch ?? 0n);
    for (const topic of this.image.topics()) {
      const old = before.topicById(topic.id);
      if (old === null || old === topic) continue;
      for (let i = 0; i < old.partitionCount; i++) {
        const [was, is] = [old.existing(i), topic.existing(i)];
        const where = `${topic.name}-${i}`;
        if (was.partitionEpoch === is.partitionEpoch) {
          expect(is, where).toEqual(was);
          continue;
        }
        expect(is.partitionEpoch, where).toBe(was.partitionEpoch + changesIn(this, topic.id, i)); // M3
        if (is.leader !== was.leader) expect(is.leaderEpoch, where).toBeGreaterThan(was.leaderEpoch); // M3, M4
        if (is.leader !== null && is.leader !== was.leader && !this.unclean) expect([...was.isr, ...was.elr], where).toContain(is.leader); // M6
        const min = effectiveMinIsr(this.image, topic.name, is.replicas.length, this.context.defaults);
        const eligible = (p: typeof is): number => p.isr.length + p.elr.length;
        if (!this.lossy && !this.unclean && eligible(was) >= min) expect(eligible(is), where).toBeGreaterThanOrEqual(min); // M8
      }
    }
  }
}

/** How many changes the last batch holds for the partition. */
function changesIn(run: Run, topicId: string, index: number): number {
  return (run.log.at(-1) ?? []).filter((record) => record.kind === "partitions-changed" && record.topicId === topicId && record.rows.some((row) => row.index === index)).length;
}

function bytesOf(image: ClusterImage): Buffer {
  return Buffer.concat([...snapshotBlocks(image)]);
}

test.each(Array.from({ length: 30 }, (_, i) => i + 1))("commands in any order keep the invariants, seed %i", (seed) => {
  const run = new Run({ "min.insync.replicas": String(1 + (seed % 3)) });
  run.draws = seed * 7919;
  const start = run.image;
  for (let i = 0; i < STEPS; i++) {
    const before = run.image;
    const bytes = i % 10 === 0 ? bytesOf(before) : null;
    run.step();
    run.checkStep(before);
    if (bytes !== null) expect(bytesOf(before).equals(bytes)).toBe(true); // an image that somebody holds never changes
  }

  // M1: the same log gives the same image anywhere, in one go or by way of a snapshot.
  let other = start;
  const changes = new ChangeLog();
  for (const batch of run.log) other = replay(other, decodeBatch(encodeBatch(batch)), other.position + 1n, changes);
  expect(bytesOf(other).equals(bytesOf(run.image))).toBe(true);
  const loader = new SnapshotLoader();
  for (const block of snapshotBlocks(run.image)) loader.add(block);
  const loaded = loader.finish();
  expect(bytesOf(loaded).equals(bytesOf(run.image))).toBe(true);
  checkImage(loaded);

  // What replay gathered covers what comparing finds.
  const found = changesBetween(start, loaded);
  expect([...found.topicsMade].every((id) => changes.topicsMade.has(id))).toBe(true);
  for (const [id, indexes] of found.partitions) for (const index of indexes) expect(changes.partitions.get(id)?.has(index)).toBe(true);
});

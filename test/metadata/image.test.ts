/** Images as values, in columns, by snapshot and by feed. */
import { describe, expect, test } from "vitest";
import { epoch, nodeId, uuid, type NodeId } from "../../src/base/ids.js";
import { changesBetween, ChangeLog } from "../../src/metadata/changes.js";
import { checkImage } from "../../src/metadata/check-image.js";
import { ClusterImage } from "../../src/metadata/cluster-image.js";
import type { PartitionState } from "../../src/metadata/partition-columns.js";
import { Publisher, type FeedMessage } from "../../src/metadata/publisher.js";
import { decodeBatch, encodeBatch, UnknownRecord, type MetadataRecord } from "../../src/metadata/records.js";
import { replay } from "../../src/metadata/replay.js";
import { SNAPSHOT_BLOCK_BYTES, snapshotBlocks, SnapshotLoader } from "../../src/metadata/snapshot.js";
import { SortedMap } from "../../src/metadata/sorted-map.js";
import { effectiveMinIsr, effectiveTopicSettings, TOPIC_SETTINGS, topicSetting, topicSettingValues } from "../../src/metadata/topic-settings.js";
import { wrongWith } from "../../src/metadata/setting-value.js";
import { Packr } from "msgpackr";

const id = (prefix: string, n: number) => uuid(prefix + String(n).padStart(21, "0"));
const nodes = (...ids: readonly number[]): NodeId[] => ids.map(nodeId);

function row(n: number): PartitionState {
  const first = n % 3;
  const replicas = nodes(1 + first, 1 + ((first + 1) % 3), 1 + ((first + 2) % 3));
  return { replicas, directories: replicas.map((one) => id("d", one)), isr: replicas, elr: [], lastKnownElr: [], leader: replicas[0] ?? null, leaderEpoch: epoch(0), partitionEpoch: 0, recovering: false };
}

function brokers(): MetadataRecord[] {
  return [1, 2, 3].map((n) => ({ kind: "broker-registered", id: nodeId(n), incarnation: id("i", n), directories: [id("d", n)], rack: null, listeners: [], nodePort: { host: "h", port: n }, features: { min: 1, max: 1 }, secret: "s" }));
}

function topic(n: number, partitions: number): MetadataRecord[] {
  const topicId = id("t", n);
  return [{ kind: "topic-made", topicId, name: `topic-${n}` }, { kind: "partitions-made", topicId, first: 0, rows: Array.from({ length: partitions }, (_, i) => row(i)) }];
}

function base(topics: number, partitions: number): ClusterImage {
  let image = replay(ClusterImage.empty, [{ kind: "cluster", clusterId: "c" }, { kind: "feature-level", level: 1 }, ...brokers()], 1n);
  for (const one of image.brokers()) image = replay(image, [{ kind: "broker-changed", id: one.id, epoch: 1n, fenced: false, stopping: false }], image.position + 1n);
  for (let n = 0; n < topics; n++) image = replay(image, topic(n, partitions), image.position + 1n);
  return image;
}

function change(image: ClusterImage, n: number, indexes: readonly number[]): MetadataRecord {
  const state = image.topicById(id("t", n));
  if (state === null) throw new Error("it exists");
  return {
    kind: "partitions-changed",
    topicId: state.id,
    rows: indexes.map((index) => {
      const p = state.existing(index);
      return { index, isr: p.isr.slice(0, 2), elr: p.isr.slice(2), lastKnownElr: [], leader: p.isr[1] ?? null, leaderEpoch: epoch(p.leaderEpoch + 1), partitionEpoch: p.partitionEpoch + 1, recovering: true, directories: null, unclean: false };
    }),
  };
}

function loaded(image: ClusterImage): ClusterImage {
  const loader = new SnapshotLoader();
  for (const block of snapshotBlocks(image)) {
    expect(block.length).toBeLessThanOrEqual(SNAPSHOT_BLOCK_BYTES);
    loader.add(block);
  }
  return loader.finish();
}

describe("images are values", () => {
  test("who holds one sees it unchanged", () => {
    const before = base(3, 200);
    const p = before.topic("topic-1")?.partition(130);
    const after = replay(before, [change(before, 1, [130, 131])], before.position + 1n);
    expect(before.topic("topic-1")?.partition(130)).toEqual(p);
    expect(after.topic("topic-1")?.partition(130)).toMatchObject({ leaderEpoch: 1, partitionEpoch: 1, recovering: true });
    expect(after.topic("topic-1")?.partition(129)).toEqual(before.topic("topic-1")?.partition(129));
    expect(after.topic("topic-0")).toBe(before.topic("topic-0"));
    checkImage(before);
  });

  test("changes gathered while replaying are those found by comparing, also across a snapshot", () => {
    const before = base(3, 200);
    const gathered = new ChangeLog();
    const batch: MetadataRecord[] = [change(before, 1, [7, 199]), { kind: "topic-deleted", topicId: id("t", 2) }, ...topic(9, 2), { kind: "config-changed", type: "topic", name: "topic-0", changes: [{ name: "retention.ms", value: "1" }] }];
    const after = replay(before, batch, before.position + 1n, gathered);
    for (const found of [changesBetween(before, after), changesBetween(before, loaded(after)), changesBetween(loaded(before), after)]) {
      expect(found.topicsMade).toEqual(gathered.topicsMade);
      expect(found.topicsDeleted).toEqual(gathered.topicsDeleted);
      expect(found.partitions).toEqual(gathered.partitions);
      expect(found.configs).toEqual(gathered.configs);
    }
  });

  test("rows grow by any number, at any width", () => {
    let image = base(0, 0);
    const topicId = id("t", 0);
    image = replay(image, [{ kind: "topic-made", topicId, name: "w" }], image.position + 1n);
    const rows: PartitionState[] = [];
    for (const count of [1, 62, 1, 1, 64, 127, 3]) {
      const fresh = Array.from({ length: count }, (_, i) => {
        const full = row(rows.length + i);
        const width = 1 + ((rows.length + i) % 3);
        const replicas = full.replicas.slice(0, width);
        return { ...full, replicas, directories: full.directories.slice(0, width), isr: replicas };
      });
      image = replay(image, [{ kind: "partitions-made", topicId, first: rows.length, rows: fresh }], image.position + 1n);
      rows.push(...fresh);
    }
    rows.forEach((state, index) => expect(image.topicById(topicId)?.partition(index)).toEqual({ topicId, index, ...state }));
    expect(image.partitionCount).toBe(rows.length);
    expect(image.topicById(topicId)?.partition(rows.length)).toBeNull();
    expect(image.topicById(topicId)?.partition(-1)).toBeNull();
    expect(image.topicById(topicId)?.partition(0.5)).toBeNull();
  });
});

describe("records", () => {
  test("an unknown kind and an unknown version stop whoever reads them, before anything of the batch is applied", () => {
    const packr = new Packr({ useRecords: false });
    const known = [...brokers()];
    expect(decodeBatch(encodeBatch(known))).toEqual(known);
    expect(() => decodeBatch(packr.pack([["producer-ids", 1, { next: 5n, broker: 1 }], ["from-the-future", 1, {}]]))).toThrow(UnknownRecord);
    expect(() => decodeBatch(packr.pack([["producer-ids", 2, { next: 5n, broker: 1 }]]))).toThrow(/version 2/);
  });

  test.each([
    ["a partition epoch that skips", (image: ClusterImage) => ({ ...change(image, 0, [0]), rows: [{ ...(change(image, 0, [0]) as { rows: readonly object[] }).rows[0], partitionEpoch: 2 }] })],
    ["a leader that changes within its epoch", (image: ClusterImage) => ({ ...change(image, 0, [0]), rows: [{ ...(change(image, 0, [0]) as { rows: readonly object[] }).rows[0], leaderEpoch: 0 }] })],
    ["a topic id that is used again", () => ({ kind: "topic-made", topicId: id("t", 0), name: "other" })],
    ["a name that is taken", () => ({ kind: "topic-made", topicId: id("t", 99), name: "topic-0" })],
    ["a producer id twice", () => ({ kind: "producer-ids", next: 0n, broker: nodeId(1) })],
    ["a registration over a living broker", () => brokers()[0]],
  ])("replay refuses %s", (_, make) => {
    const image = base(1, 2);
    expect(() => replay(image, [make(image) as MetadataRecord], image.position + 1n)).toThrow();
  });
});

describe("the feed", () => {
  function follower(publisher: Publisher, from: bigint, room = Infinity) {
    const seen: FeedMessage[] = [];
    let left = room;
    const handle = publisher.follow(from, (message) => {
      seen.push(message);
      return --left > 0;
    });
    return { seen, handle, more: (n: number) => { left = n; handle.pump(); } };
  }

  /** What a broker makes of it. */
  function imageOf(messages: readonly FeedMessage[], start = ClusterImage.empty): ClusterImage {
    let image = start;
    let loader: SnapshotLoader | null = null;
    for (const message of messages) {
      if (message.kind === "snapshot") {
        if (message.first) loader = new SnapshotLoader();
        loader?.add(message.block);
        if (message.last && loader !== null) image = loader.finish();
      } else if (message.kind === "batches") for (const batch of message.batches) image = replay(image, decodeBatch(batch.bytes), batch.position);
    }
    return image;
  }

  function published(limits?: { recentMaxBytes: number; recentMaxCount: number }) {
    const publisher = new Publisher(limits);
    const say = (batch: readonly MetadataRecord[]): void => {
      const bytes = encodeBatch(batch);
      publisher.applied(replay(publisher.image, decodeBatch(bytes), publisher.image.position + 3n), bytes); // positions have gaps: no-ops and memberships
    };
    say([{ kind: "cluster", clusterId: "c" }, { kind: "feature-level", level: 1 }]);
    say(brokers());
    return { publisher, say };
  }

  const bytesOf = (image: ClusterImage): Buffer => Buffer.concat([...snapshotBlocks(image)]);

  test("goes on from a position while the batches are here, else by a snapshot", () => {
    const { publisher, say } = published({ recentMaxBytes: 1 << 20, recentMaxCount: 3 });
    const early = follower(publisher, 0n);
    for (let n = 0; n < 5; n++) say(topic(n, 4));
    const late = follower(publisher, 3n);
    const near = follower(publisher, publisher.image.position - 3n);
    expect(late.seen[0]?.kind).toBe("snapshot");
    expect(near.seen.map((message) => message.kind)).toEqual(["batches"]);
    say(topic(7, 1));
    for (const one of [early, late]) expect(bytesOf(imageOf(one.seen)).equals(bytesOf(publisher.image))).toBe(true);
    expect(follower(publisher, publisher.image.position).seen).toEqual([{ kind: "current", position: publisher.image.position }]);
  });

  test("a slow follower holds nobody up, and goes on where it was, even from within a snapshot that is old by then", () => {
    const { publisher, say } = published({ recentMaxBytes: 1 << 20, recentMaxCount: 2 });
    for (let n = 0; n < 40; n++) say(topic(n, 300));
    const slow = follower(publisher, 0n, 1);
    const quick = follower(publisher, 0n);
    for (let n = 40; n < 50; n++) say(topic(n, 3));
    slow.more(2);
    say(topic(60, 1));
    slow.more(Infinity);
    for (const one of [slow, quick]) expect(bytesOf(imageOf(one.seen)).equals(bytesOf(publisher.image))).toBe(true);
    slow.handle.close();
    say(topic(61, 1));
    expect(imageOf(slow.seen).topic("topic-61")).toBeNull();
    expect(publisher.followerCount).toBe(1);
  });
});

test("a sorted map is a map, sorted, whose old versions stay", () => {
  let map = SortedMap.empty<number>();
  const model = new Map<string, number>();
  let draw = 1;
  for (let i = 0; i < 4000; i++) {
    draw = (draw * 48_271) % 2_147_483_647;
    const key = `k${draw % 700}`;
    const before = [...map.entries()].length;
    const next: SortedMap<number> = draw % 3 === 0 ? map.without(key) : map.with(key, i);
    if (draw % 3 === 0) model.delete(key);
    else model.set(key, i);
    if (i % 100 === 0) expect([...map.entries()].length).toBe(before);
    map = next;
    expect(map.get(key)).toBe(model.get(key));
  }
  expect(map.size).toBe(model.size);
  expect([...map.entries()]).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
  expect([...map.startingWith("k1")]).toEqual([...model].filter(([key]) => key.startsWith("k1")).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value));
});

describe("settings of topics", () => {
  test("every default passes its own rule", () => {
    for (const setting of TOPIC_SETTINGS) if (setting.default !== null && setting.default !== "" && setting.orIn?.includes(Number(setting.default)) !== true) expect(wrongWith(setting, setting.default), setting.name).toBeNull();
  });

  test("the topic's own, then the broker's, the cluster's, the file's, the default; hours count as hours", () => {
    let image = base(1, 1);
    const set = (type: "topic" | "broker", name: string, key: string, value: string): void => {
      image = replay(image, [{ kind: "config-changed", type, name, changes: [{ name: key, value }] }], image.position + 1n);
    };
    const defaults = { brokerId: nodeId(1), given: (name: string) => (name === "log.retention.hours" ? "2" : null) };
    const value = () => effectiveTopicSettings(image, "topic-0", defaults).number("retention.ms");
    expect(effectiveTopicSettings(image, "topic-0", { ...defaults, given: () => null }).number("retention.ms")).toBe(604_800_000);
    expect(value()).toBe(7_200_000);
    set("broker", "", "log.retention.ms", "3");
    expect(value()).toBe(3);
    set("broker", "1", "log.retention.ms", "4");
    set("broker", "2", "log.retention.ms", "9");
    expect(value()).toBe(4);
    set("topic", "topic-0", "retention.ms", "5");
    expect(value()).toBe(5);
    const setting = topicSetting("retention.ms");
    expect(setting && topicSettingValues(image, "topic-0", setting, defaults).map((one) => one.source)).toEqual(["topic", "broker", "cluster", "static", "default"]);
  });

  test("a minimum of replicas in sync above the replication factor means that factor", () => {
    expect(effectiveMinIsr(base(1, 1), "topic-0", 3, { brokerId: null, given: () => "5" })).toBe(3);
  });
});

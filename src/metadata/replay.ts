/**
 * replay(image, batch, position) → image: the only way in which metadata changes, the same on every controller and broker. It asserts what the
 * controller must have decided rightly (M3, M9): a record that breaks a rule stops the node instead of spreading.
 */
import { assert, unreachable } from "../base/assert.js";
import { ChangeLog } from "./changes.js";
import { configKey, TopicState, type ClusterImage } from "./cluster-image.js";
import type { Position } from "./image.js";
import { PartitionColumns } from "./partition-columns.js";
import { FEATURE_LEVEL, type MetadataRecord } from "./records.js";

/** @param changes gathers what the batch changed; a fresh one where nobody asks */
export function replay(image: ClusterImage, batch: readonly MetadataRecord[], position: Position, changes: ChangeLog = new ChangeLog()): ClusterImage {
  assert(position > image.position, `metadata positions rise: ${position} comes after ${image.position}`);
  let next = image;
  for (const record of batch) next = apply(next, record, position, changes);
  return next.with({ position });
}

function apply(image: ClusterImage, record: MetadataRecord, position: Position, changes: ChangeLog): ClusterImage {
  switch (record.kind) {
    case "cluster":
      assert(image.clusterId === "", "a cluster is founded once");
      return image.with({ clusterId: record.clusterId });

    case "feature-level":
      assert(record.level > image.featureLevel, "feature levels rise");
      assert(record.level <= FEATURE_LEVEL, `the cluster runs at feature level ${record.level}, this build knows ${FEATURE_LEVEL}: run a newer build`);
      return image.with({ featureLevel: record.level });

    case "broker-registered": {
      const old = image.broker(record.id);
      assert(old === null || old.fenced, "an incarnation is fenced before the next one registers");
      changes.brokers.add(record.id);
      const { kind: _, ...facts } = record;
      return image.withBroker({ ...facts, epoch: position, fenced: true, stopping: false }).with({ directories: image.directories.with(record.directories) });
    }

    case "broker-changed": {
      const broker = image.broker(record.id);
      assert(broker !== null && broker.epoch === record.epoch, `broker ${record.id} is registered at epoch ${record.epoch}`);
      changes.brokers.add(record.id);
      return image.withBroker({ ...broker, fenced: record.fenced, stopping: record.stopping });
    }

    case "topic-made":
      assert(image.topic(record.name) === null, `no two topics are named ${record.name}`);
      assert(image.topicById(record.topicId) === null, "a topic id is used once");
      changes.topicMade(record.topicId);
      return image.withTopic(new TopicState(record.topicId, record.name, PartitionColumns.empty, image.directories));

    case "topic-deleted": {
      const topic = existingTopic(image, record.topicId);
      changes.topicDeleted(topic.id, topic.name);
      if (image.config("topic", topic.name).size > 0) changes.configs.add(configKey("topic", topic.name));
      return image.withoutTopic(topic);
    }

    case "partitions-made": {
      const topic = existingTopic(image, record.topicId);
      assert(record.first === topic.partitionCount, "new partitions come after the old ones");
      const directories = image.directories.with(record.rows.flatMap((row) => row.directories));
      for (let i = 0; i < record.rows.length; i++) changes.partition(topic.id, record.first + i);
      return image.withTopic(new TopicState(topic.id, topic.name, topic.columns.append(record.rows, directories), directories)).with({ directories });
    }

    case "partitions-changed": {
      const topic = existingTopic(image, record.topicId);
      const directories = image.directories.with(record.rows.flatMap((row) => row.directories ?? []));
      let unclean = 0;
      for (const row of record.rows) {
        changes.partition(topic.id, row.index);
        if (row.unclean) unclean++;
      }
      const changed = new TopicState(topic.id, topic.name, topic.columns.change(record.rows, directories), directories);
      return image.withTopic(changed).with({ directories, uncleanElections: image.uncleanElections + unclean });
    }

    case "config-changed": {
      const key = configKey(record.type, record.name);
      const settings = new Map(image.config(record.type, record.name));
      for (const { name, value } of record.changes) {
        if (value === null) settings.delete(name);
        else settings.set(name, value);
      }
      changes.configs.add(key);
      return image.with({ configs: settings.size === 0 ? image.configs.without(key) : image.configs.with(key, settings) });
    }

    case "producer-ids":
      assert(record.next > image.nextProducerId, "blocks of producer ids never overlap");
      return image.with({ nextProducerId: record.next });

    default:
      return unreachable(record);
  }
}

function existingTopic(image: ClusterImage, id: TopicState["id"]): TopicState {
  const topic = image.topicById(id);
  assert(topic !== null, `topic ${id} exists`);
  return topic;
}

/** What differs between two images: gathered while records are replayed, or found by comparing two images after a snapshot was loaded. */
import type { NodeId, Uuid } from "../base/ids.js";
import type { ClusterImage } from "./cluster-image.js";
import type { ImageChanges } from "./image.js";

/** Gathers changes over any number of batches. */
export class ChangeLog implements ImageChanges {
  readonly topicsMade = new Set<Uuid>();
  readonly topicsDeleted = new Map<Uuid, string>();
  readonly partitions = new Map<Uuid, Set<number>>();
  readonly brokers = new Set<NodeId>();
  readonly configs = new Set<string>();

  topicMade(id: Uuid): void {
    this.topicsMade.add(id);
  }

  /** A topic made and deleted within the same stretch was never seen: it is in neither list. */
  topicDeleted(id: Uuid, name: string): void {
    this.partitions.delete(id);
    if (!this.topicsMade.delete(id)) this.topicsDeleted.set(id, name);
  }

  partition(topicId: Uuid, index: number): void {
    const indexes = this.partitions.get(topicId);
    if (indexes === undefined) this.partitions.set(topicId, new Set([index]));
    else indexes.add(index);
  }
}

/** Everything in the image is new. */
export function everythingIn(image: ClusterImage): ImageChanges {
  return changesBetween(null, image);
}

/** Compares by content, so that images that share nothing (one came from a snapshot) can be compared too. */
export function changesBetween(before: ClusterImage | null, after: ClusterImage): ImageChanges {
  const changes = new ChangeLog();
  for (const topic of after.topics()) {
    const old = before?.topicById(topic.id) ?? null;
    if (old === null) changes.topicMade(topic.id);
    if (old === topic) continue;
    for (let index = 0; index < topic.partitionCount; index++) {
      if (old === null || !topic.samePartition(old, index)) changes.partition(topic.id, index);
    }
  }
  if (before !== null) {
    for (const topic of before.topics()) if (after.topicById(topic.id) === null) changes.topicDeleted(topic.id, topic.name);
  }
  for (const broker of after.brokers()) {
    const old = before?.broker(broker.id) ?? null;
    if (old === null || old.epoch !== broker.epoch || old.fenced !== broker.fenced || old.stopping !== broker.stopping) changes.brokers.add(broker.id);
  }
  for (const [key, settings] of after.configs.entries()) if (!sameSettings(before?.configs.get(key), settings)) changes.configs.add(key);
  for (const [key] of before?.configs.entries() ?? []) if (after.configs.get(key) === undefined) changes.configs.add(key);
  return changes;
}

function sameSettings(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string>): boolean {
  return a !== undefined && a.size === b.size && [...b].every(([name, value]) => a.get(name) === value);
}

/** What a decision may look at besides the image. */
import type { NodeId } from "../../base/ids.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { MetadataRecord } from "../../metadata/records.js";
import { effectiveMinIsr, topicSetting, topicSettingText, type BrokerDefaults } from "../../metadata/topic-settings.js";
import type { Uuid } from "../../base/ids.js";

export interface DecideContext {
  /** The controller's own file and environment, under the cluster-wide dynamic settings. */
  readonly defaults: BrokerDefaults;
  /** A broker setting in force without dynamic ones. */
  setting(name: string): string | null;
  /** A draw from 0 to below `end`. */
  below(end: number): number;
  uuid(): Uuid;
}

/** Records to commit, none for a refusal or a read; and what to answer once they, and all that was decided before, are committed. */
export interface Decision<Reply> {
  readonly records: readonly MetadataRecord[];
  readonly reply: Reply;
}

export function isAlive(image: ClusterImage, id: NodeId): boolean {
  const broker = image.broker(id);
  return broker !== null && !broker.fenced && !broker.stopping;
}

export function minIsrOf(image: ClusterImage, topic: string, replicas: number, context: DecideContext): number {
  return effectiveMinIsr(image, topic, replicas, context.defaults);
}

export function isUncleanAllowed(image: ClusterImage, topic: string, context: DecideContext): boolean {
  const setting = topicSetting("unclean.leader.election.enable");
  return setting !== null && topicSettingText(image, topic, setting, context.defaults) === "true";
}

/** A broker setting as the whole cluster has it: the dynamic default, then the controller's own file. */
export function clusterSetting(image: ClusterImage, name: string, context: DecideContext): string | null {
  return image.config("broker", "").get(name) ?? context.setting(name);
}

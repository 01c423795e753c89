/** Every API that this broker answers; the protocol's table of contents. What is advertised is exactly this. */
import type { Handler } from "./handler.js";
import { produce } from "./api/00-produce.js";
import { fetch } from "./api/01-fetch.js";
import { listOffsets } from "./api/02-list-offsets.js";
import { metadata } from "./api/03-metadata.js";
import { offsetCommit } from "./api/08-offset-commit.js";
import { offsetFetch } from "./api/09-offset-fetch.js";
import { findCoordinator } from "./api/10-find-coordinator.js";
import { joinGroup } from "./api/11-join-group.js";
import { heartbeat } from "./api/12-heartbeat.js";
import { leaveGroup } from "./api/13-leave-group.js";
import { syncGroup } from "./api/14-sync-group.js";
import { describeGroups } from "./api/15-describe-groups.js";
import { listGroups } from "./api/16-list-groups.js";
import { apiVersions } from "./api/18-api-versions.js";
import { createTopics } from "./api/19-create-topics.js";
import { deleteTopics } from "./api/20-delete-topics.js";
import { deleteRecords } from "./api/21-delete-records.js";
import { initProducerId } from "./api/22-init-producer-id.js";
import { offsetForLeaderEpoch } from "./api/23-offset-for-leader-epoch.js";
import { describeConfigs } from "./api/32-describe-configs.js";
import { alterConfigs } from "./api/33-alter-configs.js";
import { describeLogDirs } from "./api/35-describe-log-dirs.js";
import { createPartitions } from "./api/37-create-partitions.js";
import { deleteGroups } from "./api/42-delete-groups.js";
import { electLeaders } from "./api/43-elect-leaders.js";
import { incrementalAlterConfigs } from "./api/44-incremental-alter-configs.js";
import { offsetDelete } from "./api/47-offset-delete.js";
import { describeQuorum } from "./api/55-describe-quorum.js";
import { describeCluster } from "./api/60-describe-cluster.js";
import { describeTopicPartitions } from "./api/75-describe-topic-partitions.js";

export const HANDLERS: ReadonlyMap<number, Handler> = new Map(
  [
    produce, fetch, listOffsets, metadata, offsetCommit, offsetFetch, findCoordinator, joinGroup, heartbeat, leaveGroup, syncGroup, describeGroups, listGroups,
    apiVersions, createTopics, deleteTopics, deleteRecords, initProducerId, offsetForLeaderEpoch, describeConfigs, alterConfigs, describeLogDirs, createPartitions,
    deleteGroups, electLeaders, incrementalAlterConfigs, offsetDelete, describeQuorum, describeCluster, describeTopicPartitions,
  ].map((one) => [one.key, one]),
);

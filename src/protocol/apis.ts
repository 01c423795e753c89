/** The APIs that a broker advertises, in order of their keys: what it lists in ApiVersions is exactly what it answers. */
import { ProduceRequest, ProduceResponse } from "./messages/00-produce.js";
import { FetchRequest, FetchResponse } from "./messages/01-fetch.js";
import { ListOffsetsRequest, ListOffsetsResponse } from "./messages/02-list-offsets.js";
import { MetadataRequest, MetadataResponse } from "./messages/03-metadata.js";
import { OffsetCommitRequest, OffsetCommitResponse } from "./messages/08-offset-commit.js";
import { OffsetFetchRequest, OffsetFetchResponse } from "./messages/09-offset-fetch.js";
import { FindCoordinatorRequest, FindCoordinatorResponse } from "./messages/10-find-coordinator.js";
import { JoinGroupRequest, JoinGroupResponse } from "./messages/11-join-group.js";
import { HeartbeatRequest, HeartbeatResponse } from "./messages/12-heartbeat.js";
import { LeaveGroupRequest, LeaveGroupResponse } from "./messages/13-leave-group.js";
import { SyncGroupRequest, SyncGroupResponse } from "./messages/14-sync-group.js";
import { DescribeGroupsRequest, DescribeGroupsResponse } from "./messages/15-describe-groups.js";
import { ListGroupsRequest, ListGroupsResponse } from "./messages/16-list-groups.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "./messages/18-api-versions.js";
import { CreateTopicsRequest, CreateTopicsResponse } from "./messages/19-create-topics.js";
import { DeleteTopicsRequest, DeleteTopicsResponse } from "./messages/20-delete-topics.js";
import { DeleteRecordsRequest, DeleteRecordsResponse } from "./messages/21-delete-records.js";
import { InitProducerIdRequest, InitProducerIdResponse } from "./messages/22-init-producer-id.js";
import { OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse } from "./messages/23-offset-for-leader-epoch.js";
import { DescribeConfigsRequest, DescribeConfigsResponse } from "./messages/32-describe-configs.js";
import { AlterConfigsRequest, AlterConfigsResponse } from "./messages/33-alter-configs.js";
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from "./messages/35-describe-log-dirs.js";
import { CreatePartitionsRequest, CreatePartitionsResponse } from "./messages/37-create-partitions.js";
import { DeleteGroupsRequest, DeleteGroupsResponse } from "./messages/42-delete-groups.js";
import { ElectLeadersRequest, ElectLeadersResponse } from "./messages/43-elect-leaders.js";
import { IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse } from "./messages/44-incremental-alter-configs.js";
import { OffsetDeleteRequest, OffsetDeleteResponse } from "./messages/47-offset-delete.js";
import { DescribeQuorumRequest, DescribeQuorumResponse } from "./messages/55-describe-quorum.js";
import { DescribeClusterRequest, DescribeClusterResponse } from "./messages/60-describe-cluster.js";
import { DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse } from "./messages/75-describe-topic-partitions.js";

export const APIS = [
  { name: "Produce", request: ProduceRequest, response: ProduceResponse },
  { name: "Fetch", request: FetchRequest, response: FetchResponse },
  { name: "ListOffsets", request: ListOffsetsRequest, response: ListOffsetsResponse },
  { name: "Metadata", request: MetadataRequest, response: MetadataResponse },
  { name: "OffsetCommit", request: OffsetCommitRequest, response: OffsetCommitResponse },
  { name: "OffsetFetch", request: OffsetFetchRequest, response: OffsetFetchResponse },
  { name: "FindCoordinator", request: FindCoordinatorRequest, response: FindCoordinatorResponse },
  { name: "JoinGroup", request: JoinGroupRequest, response: JoinGroupResponse },
  { name: "Heartbeat", request: HeartbeatRequest, response: HeartbeatResponse },
  { name: "LeaveGroup", request: LeaveGroupRequest, response: LeaveGroupResponse },
  { name: "SyncGroup", request: SyncGroupRequest, response: SyncGroupResponse },
  { name: "DescribeGroups", request: DescribeGroupsRequest, response: DescribeGroupsResponse },
  { name: "ListGroups", request: ListGroupsRequest, response: ListGroupsResponse },
  { name: "ApiVersions", request: ApiVersionsRequest, response: ApiVersionsResponse },
  { name: "CreateTopics", request: CreateTopicsRequest, response: CreateTopicsResponse },
  { name: "DeleteTopics", request: DeleteTopicsRequest, response: DeleteTopicsResponse },
  { name: "DeleteRecords", request: DeleteRecordsRequest, response: DeleteRecordsResponse },
  { name: "InitProducerId", request: InitProducerIdRequest, response: InitProducerIdResponse },
  { name: "OffsetForLeaderEpoch", request: OffsetForLeaderEpochRequest, response: OffsetForLeaderEpochResponse },
  { name: "DescribeConfigs", request: DescribeConfigsRequest, response: DescribeConfigsResponse },
  { name: "AlterConfigs", request: AlterConfigsRequest, response: AlterConfigsResponse },
  { name: "DescribeLogDirs", request: DescribeLogDirsRequest, response: DescribeLogDirsResponse },
  { name: "CreatePartitions", request: CreatePartitionsRequest, response: CreatePartitionsResponse },
  { name: "DeleteGroups", request: DeleteGroupsRequest, response: DeleteGroupsResponse },
  { name: "ElectLeaders", request: ElectLeadersRequest, response: ElectLeadersResponse },
  { name: "IncrementalAlterConfigs", request: IncrementalAlterConfigsRequest, response: IncrementalAlterConfigsResponse },
  { name: "OffsetDelete", request: OffsetDeleteRequest, response: OffsetDeleteResponse },
  { name: "DescribeQuorum", request: DescribeQuorumRequest, response: DescribeQuorumResponse },
  { name: "DescribeCluster", request: DescribeClusterRequest, response: DescribeClusterResponse },
  { name: "DescribeTopicPartitions", request: DescribeTopicPartitionsRequest, response: DescribeTopicPartitionsResponse },
] as const;

/** Older librdkafka breaks compressed produce unless 0 is advertised (KAFKA-18659), though 3 is the least that is answered. */
const PRODUCE_KEY = 0;

export const ADVERTISED: readonly { readonly key: number; readonly min: number; readonly max: number }[] = APIS.map(({ request }) => ({
  key: request.key,
  min: request.key === PRODUCE_KEY ? 0 : request.versions[0],
  max: request.versions[1],
}));

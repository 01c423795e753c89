/** DescribeQuorum, versions 0-2 (KIP-595, KIP-853): voters and observers as the active controller sees them. One partition exists: __cluster_metadata-0. */
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import { DescribeQuorumRequest, DescribeQuorumResponse } from "../../protocol/messages/55-describe-quorum.js";
import type { QuorumMember } from "../../coordination/coordination.js";
import { handler } from "../handler.js";

const DEADLINE_MS = 10_000;

export const describeQuorum = handler(DescribeQuorumRequest, DescribeQuorumResponse, async (services, request, context) => {
  const asked = request.topics.flatMap((topic) => topic.partitions.map((one) => ({ topicName: topic.topicName, partitionIndex: one.partitionIndex })));
  const refuse = (error: ErrorName, message: string) => ({ body: { errorCode: errorCode(error), errorMessage: message } });
  if (asked.length !== 1 || asked[0]?.topicName !== "__cluster_metadata" || asked[0].partitionIndex !== 0) {
    const topics = asked.map((one) => ({ topicName: one.topicName, partitions: [{ partitionIndex: one.partitionIndex, errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION"), leaderId: -1, leaderEpoch: -1, highWatermark: -1n }] }));
    return { body: { topics } };
  }
  const quorum = await services.coordination.describeQuorum(DEADLINE_MS);
  if (!quorum.ok) return refuse(quorum.error, quorum.message);
  const member = (one: QuorumMember) => ({
    replicaId: one.id,
    replicaDirectoryId: one.directoryId,
    logEndOffset: one.logEnd,
    lastFetchTimestamp: BigInt(Math.trunc(one.lastFetchMs)),
    lastCaughtUpTimestamp: BigInt(Math.trunc(one.lastCaughtUpMs)),
  });
  const nodes = context.version < 2 ? [] : [...quorum.voters, ...quorum.observers].map((one) => ({ nodeId: one.id, listeners: [{ name: "CONTROLLER", host: one.host, port: one.port }] }));
  return {
    body: {
      topics: [
        {
          topicName: "__cluster_metadata",
          partitions: [
            {
              partitionIndex: 0,
              leaderId: quorum.leader,
              leaderEpoch: quorum.term,
              highWatermark: quorum.highWatermark,
              currentVoters: quorum.voters.map(member),
              observers: quorum.observers.map(member),
            },
          ],
        },
      ],
      nodes,
    },
  };
});

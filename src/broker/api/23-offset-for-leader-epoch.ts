/** OffsetForLeaderEpoch, versions 2-4: where a leader epoch ended (KIP-101, KIP-279, KIP-320). */
import { errorCode } from "../../protocol/errors.js";
import { OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse } from "../../protocol/messages/23-offset-for-leader-epoch.js";
import { handler } from "../handler.js";

export const offsetForLeaderEpoch = handler(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, (services, request) => ({
  body: {
    topics: request.topics.map((topic) => ({
      topic: topic.topic,
      partitions: topic.partitions.map((one) => {
        const found = services.replicas.endOfEpoch({ topic: topic.topic, partition: one.partition }, { currentEpoch: one.currentLeaderEpoch, epoch: one.leaderEpoch });
        return { partition: one.partition, errorCode: errorCode(found.error), leaderEpoch: found.epoch, endOffset: found.end };
      }),
    })),
  },
}));

/**
 * ElectLeaders, Kafka protocol key 43. Elects leaders: the preferred ones, or unclean ones (KIP-183, KIP-460).
 *
 *   v1  unclean elections; an error for the whole answer
 *   v2  flexible
 */
import { array, defaults, int16, int32, int8, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const ElectLeadersRequest = request({ key: 43, versions: [0, 2], flexibleSince: 2 }, {
  electionType: since(1, int8()), // 0: preferred, 1: unclean
  topicPartitions: nullable(array(struct({ // null: all
    topic: string(),
    partitions: array(int32()),
  }))),
  timeoutMs: defaults(60000, int32()),
});
export type ElectLeadersRequest = Infer<typeof ElectLeadersRequest>;

export const ElectLeadersResponse = response({ key: 43, versions: [0, 2], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  errorCode: since(1, int16()),
  replicaElectionResults: array(struct({
    topic: string(),
    partitionResult: array(struct({
      partitionId: int32(),
      errorCode: int16(),
      errorMessage: nullable(string()),
    })),
  })),
});
export type ElectLeadersResponse = Infer<typeof ElectLeadersResponse>;

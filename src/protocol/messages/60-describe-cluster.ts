/**
 * DescribeCluster, Kafka protocol key 60. The cluster's id, controller and brokers (KIP-700).
 *
 *   v1  can ask a controller (KIP-919)
 *   v2  can list fenced brokers (KIP-1073)
 */
import { array, bool, defaults, int16, int32, int8, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeClusterRequest = request({ key: 60, versions: [0, 2], flexibleSince: 0 }, {
  includeClusterAuthorizedOperations: bool(),
  endpointType: since(1, defaults(1, int8())), // 1: brokers, 2: controllers
  includeFencedBrokers: since(2, bool()),
});
export type DescribeClusterRequest = Infer<typeof DescribeClusterRequest>;

export const DescribeClusterResponse = response({ key: 60, versions: [0, 2], flexibleSince: 0 }, {
  throttleTimeMs: int32(),
  errorCode: int16(),
  errorMessage: defaults(null, nullable(string())),
  endpointType: since(1, defaults(1, int8())),
  clusterId: string(),
  controllerId: defaults(-1, int32()),
  brokers: array(struct({
    brokerId: int32(),
    host: string(),
    port: int32(),
    rack: defaults(null, nullable(string())),
    isFenced: since(2, bool()),
  })),
  clusterAuthorizedOperations: defaults(-2147483648, int32()), // bit n: operation n; the smallest number: not asked for
});
export type DescribeClusterResponse = Infer<typeof DescribeClusterResponse>;

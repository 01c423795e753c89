/** DescribeCluster, versions 0-2. v1 the type of endpoint (KIP-919), v2 fenced brokers too (KIP-1073). */
import { errorCode } from "../../protocol/errors.js";
import { DescribeClusterRequest, DescribeClusterResponse } from "../../protocol/messages/60-describe-cluster.js";
import { brokersOn } from "../describe.js";
import { handler } from "../handler.js";

const BROKERS = 1;
const CONTROLLERS = 2;

export const describeCluster = handler(DescribeClusterRequest, DescribeClusterResponse, (services, request, context) => {
  if (request.endpointType !== BROKERS) {
    const mismatched = request.endpointType === CONTROLLERS;
    return {
      body: {
        errorCode: errorCode(mismatched ? "MISMATCHED_ENDPOINT_TYPE" : "UNSUPPORTED_ENDPOINT_TYPE"),
        errorMessage: mismatched ? "this listener belongs to a broker: ask it for brokers" : `endpoint type ${request.endpointType} is unknown`,
        endpointType: request.endpointType,
      },
    };
  }
  const image = services.coordination.image;
  const brokers = brokersOn(image, context.connection.listener, { fenced: request.includeFencedBrokers });
  const alive = brokers.filter((broker) => !broker.fenced);
  return {
    body: {
      endpointType: BROKERS,
      clusterId: image.clusterId,
      controllerId: alive[services.world.random.below(Math.max(1, alive.length))]?.id ?? -1,
      brokers: brokers.map((broker) => ({ brokerId: broker.id, host: broker.host, port: broker.port, rack: broker.rack, isFenced: broker.fenced })),
    },
  };
});

/** FindCoordinator, Kafka protocol key 10. */
import { array, between, int16, int32, int8, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const FindCoordinatorRequest = request({ key: 10, versions: [0, 6], flexibleSince: 3 }, {
  key: between(0, 3, string()),
  keyType: since(1, int8()),
  coordinatorKeys: since(4, array(string())),
});
export type FindCoordinatorRequest = Infer<typeof FindCoordinatorRequest>;

export const FindCoordinatorResponse = response({ key: 10, versions: [0, 6], flexibleSince: 3 }, {
  throttleTimeMs: since(1, int32()),
  errorCode: between(0, 3, int16()),
  errorMessage: between(1, 3, nullable(string())),
  nodeId: between(0, 3, int32()),
  host: between(0, 3, string()),
  port: between(0, 3, int32()),
  coordinators: since(4, array(struct({
    key: since(4, string()),
    nodeId: since(4, int32()),
    host: since(4, string()),
    port: since(4, int32()),
    errorCode: since(4, int16()),
    errorMessage: since(4, nullable(string())),
  }))),
});
export type FindCoordinatorResponse = Infer<typeof FindCoordinatorResponse>;

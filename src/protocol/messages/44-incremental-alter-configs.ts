/**
 * IncrementalAlterConfigs, Kafka protocol key 44. Sets, removes and amends single settings (KIP-339).
 *
 *   v1  flexible
 */
import { array, bool, int16, int32, int8, nullable, request, response, string, struct, type Infer } from "../schema.js";

export const IncrementalAlterConfigsRequest = request({ key: 44, versions: [0, 1], flexibleSince: 1 }, {
  resources: array(struct({
    resourceType: int8(),
    resourceName: string(),
    configs: array(struct({
      name: string(),
      configOperation: int8(), // 0: set, 1: delete, 2: append, 3: subtract
      value: nullable(string()),
    })),
  })),
  validateOnly: bool(),
});
export type IncrementalAlterConfigsRequest = Infer<typeof IncrementalAlterConfigsRequest>;

export const IncrementalAlterConfigsResponse = response({ key: 44, versions: [0, 1], flexibleSince: 1 }, {
  throttleTimeMs: int32(),
  responses: array(struct({
    errorCode: int16(),
    errorMessage: nullable(string()),
    resourceType: int8(),
    resourceName: string(),
  })),
});
export type IncrementalAlterConfigsResponse = Infer<typeof IncrementalAlterConfigsResponse>;

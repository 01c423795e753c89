/**
 * AlterConfigs, Kafka protocol key 33. Replaces all settings of a resource; IncrementalAlterConfigs came after it.
 *
 *   v1  throttling after the answer
 *   v2  flexible
 */
import { array, bool, int16, int32, int8, nullable, request, response, string, struct, type Infer } from "../schema.js";

export const AlterConfigsRequest = request({ key: 33, versions: [0, 2], flexibleSince: 2 }, {
  resources: array(struct({
    resourceType: int8(),
    resourceName: string(),
    configs: array(struct({
      name: string(),
      value: nullable(string()), // null: the default
    })),
  })),
  validateOnly: bool(),
});
export type AlterConfigsRequest = Infer<typeof AlterConfigsRequest>;

export const AlterConfigsResponse = response({ key: 33, versions: [0, 2], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  responses: array(struct({
    errorCode: int16(),
    errorMessage: nullable(string()),
    resourceType: int8(),
    resourceName: string(),
  })),
});
export type AlterConfigsResponse = Infer<typeof AlterConfigsResponse>;

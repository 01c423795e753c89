/**
 * DescribeConfigs, Kafka protocol key 32. Settings, where they come from, what they mean.
 *
 *   v1  sources and synonyms (the least that is answered)
 *   v2  throttling after the answer
 *   v3  types and documentation (KIP-569)
 *   v4  flexible
 */
import { array, bool, defaults, ignorable, int16, int32, int8, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeConfigsRequest = request({ key: 32, versions: [1, 4], flexibleSince: 4 }, {
  resources: array(struct({
    resourceType: int8(), // 2: topic, 4: broker, 8: broker logger, 16: client metrics, 32: group
    resourceName: string(),
    configurationKeys: nullable(array(string())), // null: all
  })),
  includeSynonyms: bool(),
  includeDocumentation: since(3, bool()),
});
export type DescribeConfigsRequest = Infer<typeof DescribeConfigsRequest>;

export const DescribeConfigsResponse = response({ key: 32, versions: [1, 4], flexibleSince: 4 }, {
  throttleTimeMs: int32(),
  results: array(struct({
    errorCode: int16(),
    errorMessage: nullable(string()),
    resourceType: int8(),
    resourceName: string(),
    configs: array(struct({
      name: string(),
      value: nullable(string()), // null: secret or unset
      readOnly: bool(),
      configSource: defaults(-1, int8()), // 1: topic, 2: broker, 3: all brokers, 4: the broker's file, 5: default
      isSensitive: bool(),
      synonyms: array(struct({ // settings it falls back to, the strongest first
        name: string(),
        value: nullable(string()),
        source: int8(),
      })),
      configType: ignorable(since(3, int8())),
      documentation: ignorable(since(3, nullable(string()))),
    })),
  })),
});
export type DescribeConfigsResponse = Infer<typeof DescribeConfigsResponse>;

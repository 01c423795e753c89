/** DescribeConfigs, Kafka protocol key 32. */
import { array, bool, defaults, int16, int32, int8, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeConfigsRequest = request({ key: 32, versions: [1, 4], flexibleSince: 4 }, {
  resources: array(struct({
    resourceType: int8(),
    resourceName: string(),
    configurationKeys: nullable(array(string())),
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
      value: nullable(string()),
      readOnly: bool(),
      configSource: defaults(-1, int8()),
      isSensitive: bool(),
      synonyms: array(struct({
        name: string(),
        value: nullable(string()),
        source: int8(),
      })),
      configType: since(3, int8()),
      documentation: since(3, nullable(string())),
    })),
  })),
});
export type DescribeConfigsResponse = Infer<typeof DescribeConfigsResponse>;

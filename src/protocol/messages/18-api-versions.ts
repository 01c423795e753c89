/** ApiVersions, Kafka protocol key 18. */
import { array, bool, defaults, int16, int32, int64, request, response, since, string, struct, tagged, type Infer } from "../schema.js";

export const ApiVersionsRequest = request({ key: 18, versions: [0, 4], flexibleSince: 3 }, {
  clientSoftwareName: since(3, string()),
  clientSoftwareVersion: since(3, string()),
});
export type ApiVersionsRequest = Infer<typeof ApiVersionsRequest>;

export const ApiVersionsResponse = response({ key: 18, versions: [0, 4], flexibleSince: 3 }, {
  errorCode: int16(),
  apiKeys: array(struct({
    apiKey: int16(),
    minVersion: int16(),
    maxVersion: int16(),
  })),
  throttleTimeMs: since(1, int32()),
  supportedFeatures: since(3, tagged(0, array(struct({
    name: since(3, string()),
    minVersion: since(3, int16()),
    maxVersion: since(3, int16()),
  })))),
  finalizedFeaturesEpoch: since(3, tagged(1, defaults(-1n, int64()))),
  finalizedFeatures: since(3, tagged(2, array(struct({
    name: since(3, string()),
    maxVersionLevel: since(3, int16()),
    minVersionLevel: since(3, int16()),
  })))),
  zkMigrationReady: since(3, tagged(3, bool())),
});
export type ApiVersionsResponse = Infer<typeof ApiVersionsResponse>;

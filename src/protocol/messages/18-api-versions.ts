/**
 * ApiVersions, Kafka protocol key 18. Which versions of which APIs this broker speaks; the first thing that a client asks. The answer's header
 * is always version 0.
 *
 *   v1  throttle time
 *   v2  throttling after the answer
 *   v3  flexible; the client's name, features (KIP-511, KIP-584)
 *   v4  features whose minimum is 0 (KAFKA-17011)
 */
import { array, bool, defaults, ignorable, int16, int32, int64, request, response, since, string, struct, tagged, type Infer } from "../schema.js";

export const ApiVersionsRequest = request({ key: 18, versions: [0, 4], flexibleSince: 3 }, {
  clientSoftwareName: ignorable(since(3, string())),
  clientSoftwareVersion: ignorable(since(3, string())),
});
export type ApiVersionsRequest = Infer<typeof ApiVersionsRequest>;

export const ApiVersionsResponse = response({ key: 18, versions: [0, 4], flexibleSince: 3 }, {
  errorCode: int16(),
  apiKeys: array(struct({
    apiKey: int16(),
    minVersion: int16(),
    maxVersion: int16(),
  })),
  throttleTimeMs: ignorable(since(1, int32())),
  supportedFeatures: ignorable(since(3, tagged(0, array(struct({
    name: string(),
    minVersion: int16(),
    maxVersion: int16(),
  }))))),
  finalizedFeaturesEpoch: ignorable(since(3, tagged(1, defaults(-1n, int64())))), // -1: unknown
  finalizedFeatures: ignorable(since(3, tagged(2, array(struct({
    name: string(),
    maxVersionLevel: int16(),
    minVersionLevel: int16(),
  }))))),
  zkMigrationReady: ignorable(since(3, tagged(3, bool()))),
});
export type ApiVersionsResponse = Infer<typeof ApiVersionsResponse>;

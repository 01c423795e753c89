/**
 * ApiVersions, versions 0-4. v3 names the client's software (KIP-511), v4 shows features whose minimum is 0. An unsupported version is answered in
 * version 0 with what this API speaks; the connection sees to that, since such a body cannot be read.
 */
import { errorCode } from "../../protocol/errors.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "../../protocol/messages/18-api-versions.js";
import { ADVERTISED } from "../../protocol/apis.js";
import type { Input } from "../../protocol/schema.js";
import { handler } from "../handler.js";

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

export const apiVersions = handler(ApiVersionsRequest, ApiVersionsResponse, (services, request, context) => {
  if (context.version >= 3) {
    if (!SOFTWARE.test(request.clientSoftwareName) || !SOFTWARE.test(request.clientSoftwareVersion)) return { body: { errorCode: errorCode("INVALID_REQUEST") } };
    context.connection.softwareName = request.clientSoftwareName;
    context.connection.softwareVersion = request.clientSoftwareVersion;
  }
  return {
    body: {
      apiKeys: ADVERTISED.map((api) => ({ apiKey: api.key, minVersion: api.min, maxVersion: api.max })),
      finalizedFeaturesEpoch: services.coordination.image.position,
    },
  };
});

/** The answer to an ApiVersions request in a version that we do not speak: body and header in version 0. */
export function unsupportedApiVersions(): Input<typeof ApiVersionsResponse> {
  const own = ADVERTISED.filter((api) => api.key === ApiVersionsRequest.key);
  return { errorCode: errorCode("UNSUPPORTED_VERSION"), apiKeys: own.map((api) => ({ apiKey: api.key, minVersion: api.min, maxVersion: api.max })) };
}

/** AlterConfigs, versions 0-2: replaces all settings of a resource. Kept for old clients; IncrementalAlterConfigs is the one to use. */
import type { ConfigReplacement } from "../../coordination/admin.js";
import type { ErrorName } from "../../protocol/errors.js";
import { AlterConfigsRequest, AlterConfigsResponse } from "../../protocol/messages/33-alter-configs.js";
import { adminDeadline } from "../admin.js";
import { handler } from "../handler.js";
import { configTypeOf } from "../resources.js";
import { alteredResponses } from "./altered.js";

const DEADLINE_MS = 30_000;

export const alterConfigs = handler(AlterConfigsRequest, AlterConfigsResponse, async (services, request) => {
  type Resource = (typeof request.resources)[number];
  const refused = new Map<Resource, { readonly error: ErrorName; readonly message: string }>();
  const accepted: { readonly resource: Resource; readonly replacement: ConfigReplacement }[] = [];
  const seen = new Set<string>();
  for (const resource of request.resources) {
    const type = configTypeOf(resource.resourceType);
    const key = `${resource.resourceType}/${resource.resourceName}`;
    if (type === null) refused.set(resource, { error: "INVALID_REQUEST", message: `resource type ${resource.resourceType} cannot be altered here` });
    else if (seen.has(key)) refused.set(resource, { error: "INVALID_REQUEST", message: "the request names this resource more than once" });
    else accepted.push({ resource, replacement: { type, name: resource.resourceName, configs: resource.configs } });
    seen.add(key);
  }
  const reply = await services.coordination.admin({ kind: "alter-configs", validateOnly: request.validateOnly, resources: accepted.map((one) => one.replacement) }, adminDeadline(DEADLINE_MS));
  return { body: { responses: alteredResponses(request.resources, refused, accepted.map((one) => one.resource), reply) } };
});

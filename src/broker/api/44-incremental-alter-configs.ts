/** IncrementalAlterConfigs, versions 0-1 (KIP-339): set, delete, append, subtract; each resource on its own. */
import type { ConfigAlteration } from "../../coordination/admin.js";
import type { ErrorName } from "../../protocol/errors.js";
import { IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse } from "../../protocol/messages/44-incremental-alter-configs.js";
import { adminDeadline } from "../admin.js";
import { handler } from "../handler.js";
import { configTypeOf } from "../resources.js";
import { alteredResponses } from "./altered.js";

const OPERATIONS = ["set", "delete", "append", "subtract"] as const;
const DEADLINE_MS = 30_000;

export const incrementalAlterConfigs = handler(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, async (services, request) => {
  type Resource = (typeof request.resources)[number];
  const refused = new Map<Resource, { readonly error: ErrorName; readonly message: string }>();
  const accepted: { readonly resource: Resource; readonly alteration: ConfigAlteration }[] = [];
  const count = new Map<string, number>();
  for (const one of request.resources) count.set(keyOf(one), (count.get(keyOf(one)) ?? 0) + 1);

  for (const resource of request.resources) {
    const type = configTypeOf(resource.resourceType);
    const names = resource.configs.map((config) => config.name);
    if (type === null) refused.set(resource, { error: "INVALID_REQUEST", message: `resource type ${resource.resourceType} cannot be altered here` });
    else if ((count.get(keyOf(resource)) ?? 0) > 1) refused.set(resource, { error: "INVALID_REQUEST", message: "the request names this resource more than once" });
    else if (new Set(names).size !== names.length) refused.set(resource, { error: "INVALID_REQUEST", message: "a setting is named more than once" });
    else if (resource.configs.some((config) => OPERATIONS[config.configOperation] === undefined)) refused.set(resource, { error: "INVALID_REQUEST", message: "unknown operation: 0 sets, 1 deletes, 2 appends, 3 subtracts" });
    else {
      const operations = resource.configs.map((config) => ({ name: config.name, op: OPERATIONS[config.configOperation] ?? "set", value: config.value }));
      accepted.push({ resource, alteration: { type, name: resource.resourceName, operations } });
    }
  }

  const reply = await services.coordination.admin({ kind: "incremental-alter-configs", validateOnly: request.validateOnly, resources: accepted.map((one) => one.alteration) }, adminDeadline(DEADLINE_MS));
  return { body: { responses: alteredResponses(request.resources, refused, accepted.map((one) => one.resource), reply) } };
});

function keyOf(resource: { readonly resourceType: number; readonly resourceName: string }): string {
  return `${resource.resourceType}/${resource.resourceName}`;
}

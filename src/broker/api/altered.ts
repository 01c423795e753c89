/** The answering half of AlterConfigs and IncrementalAlterConfigs: each resource has its own refusal, or what the controller said of it. */
import type { AdminReply } from "../../coordination/admin.js";
import { errorCode, type ErrorName } from "../../protocol/errors.js";

export interface AlteredResource {
  readonly resourceType: number;
  readonly resourceName: string;
}

export type Refusals<R> = ReadonlyMap<R, { readonly error: ErrorName; readonly message: string }>;

/** @param accepted those that the controller was asked about, in the order of its results */
export function alteredResponses<R extends AlteredResource>(resources: readonly R[], refused: Refusals<R>, accepted: readonly R[], reply: AdminReply) {
  return resources.map((resource) => {
    const refusal = refused.get(resource);
    const result = reply.results[accepted.indexOf(resource)];
    return {
      resourceType: resource.resourceType,
      resourceName: resource.resourceName,
      errorCode: errorCode(refusal?.error ?? reply.error ?? result?.error ?? "UNKNOWN_SERVER_ERROR"),
      errorMessage: refusal?.message ?? reply.message ?? result?.message ?? null,
    };
  });
}

/**
 * How a connection shows that it is a replica's: its first request is ApiVersions with our software name, and the session token from the controller, in
 * hex, as the version. No API of our own has to be advertised for it. A Fetch that names a replica on any other connection is refused.
 */
export const REPLICA_SOFTWARE = "kontiki-replica";

export function tokenAsVersion(token: string): string {
  return Buffer.from(token, "utf8").toString("hex");
}

export function versionAsToken(version: string): string {
  return Buffer.from(version, "hex").toString("utf8");
}

/**
 * Whose disk this is: cluster, node and directory, in `meta.properties` as Kafka writes it, and a count of starts that tells one incarnation from the next.
 * A disk of another cluster or node is refused with both ids.
 */
import { crc32c } from "../base/crc32c.js";
import { nodeId, uuid, type NodeId, type Uuid } from "../base/ids.js";
import { makeDirectoryDurably, writeFileAtomically } from "../world/atomic-file.js";
import type { World } from "../world/world.js";

export interface Identity {
  /** Empty until the disk belongs to a cluster. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly directoryId: Uuid;
  /** How often this disk has been started from: a later incarnation has a higher count. */
  readonly starts: number;
}

export class IdentityError extends Error {
  override readonly name = "IdentityError";
}

/** Reads who the disk is, or makes it this node's, and counts this start. @throws IdentityError with both ids */
export async function openIdentity(world: World, directory: string, node: NodeId): Promise<Identity> {
  await makeDirectoryDurably(world.disk, directory);
  const bytes = await world.disk.readFile(`${directory}/meta.properties`);
  const found = bytes === null ? { clusterId: "", nodeId: node, directoryId: world.random.uuid(), starts: 0 } : parse(bytes, directory, node);
  const identity = { ...found, starts: found.starts + 1 };
  await writeIdentity(world, directory, identity);
  return identity;
}

export async function writeIdentity(world: World, directory: string, identity: Identity): Promise<void> {
  const lines = ["version=1", ...(identity.clusterId === "" ? [] : [`cluster.id=${identity.clusterId}`]), `node.id=${identity.nodeId}`, `directory.id=${identity.directoryId}`, `quorum.starts=${identity.starts}`];
  await writeFileAtomically(world.disk, `${directory}/meta.properties`, Buffer.from(`${[...lines, `${CHECKSUM}=${checksumOf(lines)}`].join("\n")}\n`, "utf8"));
}

const CHECKSUM = "quorum.checksum";

function checksumOf(lines: readonly string[]): string {
  return crc32c(Buffer.from(lines.join("\n"), "utf8")).toString(16).padStart(8, "0");
}

/** A disk that forgot which cluster it belongs to but not who it is would vote a second time in a term. */
function isIntact(lines: readonly string[]): boolean {
  const said = lines.at(-1) ?? "";
  return said === `${CHECKSUM}=${checksumOf(lines.slice(0, -1))}`;
}

function parse(bytes: Uint8Array, directory: string, node: NodeId): Identity {
  const values = new Map<string, string>();
  const lines = Buffer.from(bytes).toString("utf8").split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const at = line.indexOf("=");
    if (at > 0 && !line.startsWith("#")) values.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  const directoryId = values.get("directory.id") ?? "";
  const id = Number(values.get("node.id"));
  if (values.has("node.id") && id !== node) throw new IdentityError(`${directory} belongs to node ${values.get("node.id") ?? ""}, and this is node ${node}: give each node a folder of its own`);
  if (!isIntact(lines) || !/^[A-Za-z0-9_-]{22}$/.test(directoryId) || !Number.isInteger(id) || id < 0) {
    throw new IdentityError(`${directory}/meta.properties cannot be read as the file of node ${node}: give the node an empty folder, and it comes back as a new member`);
  }
  return { clusterId: values.get("cluster.id") ?? "", nodeId: nodeId(id), directoryId: uuid(directoryId), starts: Number(values.get("quorum.starts") ?? 0) };
}

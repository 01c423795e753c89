/** What is settled before a log directory opens its logs: whose it is, whether it was closed cleanly, whether its disk failed. */
import type { NodeId } from "../base/ids.js";
import type { World } from "../world/world.js";
import { readMetaProperties, writeMetaProperties, type MetaProperties } from "./meta-properties.js";
import { CLEAN_SHUTDOWN, SYNC_FAILED, parseFolderName } from "./names.js";

export interface DirectoryOwner {
  readonly path: string;
  readonly nodeId: NodeId;
  readonly clusterId: string | null;
}

export class LogDirectoryRefused extends Error {
  override readonly name = "LogDirectoryRefused";
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash) || "/";
}

export async function settleMeta(world: World, options: DirectoryOwner): Promise<MetaProperties> {
  const { path, nodeId, clusterId } = options;
  const found = await readMetaProperties(world.disk, path);
  if (found === null) {
    const meta = { clusterId, nodeId, directoryId: world.random.uuid() };
    await writeMetaProperties(world.disk, path, meta);
    return meta;
  }
  if (found.nodeId !== nodeId) throw new LogDirectoryRefused(`${path} belongs to node ${found.nodeId}, this is node ${nodeId}: use another directory or that node.id`);
  if (clusterId !== null && found.clusterId !== null && found.clusterId !== clusterId) {
    throw new LogDirectoryRefused(`${path} belongs to cluster ${found.clusterId}, this node is in cluster ${clusterId}: use another directory`);
  }
  if (found.clusterId !== null || clusterId === null) return found;
  const meta = { ...found, clusterId };
  await writeMetaProperties(world.disk, path, meta);
  return meta;
}

/** The broker epoch of a clean stop, or null. The mark is gone, durably, before anything is opened. */
export async function takeCleanShutdown(world: World, path: string): Promise<bigint | null> {
  const bytes = await world.disk.readFile(`${path}/${CLEAN_SHUTDOWN}`);
  if (bytes === null) return null;
  await world.disk.unlink(`${path}/${CLEAN_SHUTDOWN}`);
  await world.disk.syncDirectory(path);
  const match = /"brokerEpoch"\s*:\s*(-?\d+)/.exec(Buffer.from(bytes).toString("utf8"));
  return match?.[1] === undefined ? -1n : BigInt(match[1]);
}

/** Hands the marker of a failed sync on to every log: each keeps it until it has discarded what cannot be trusted. */
export async function spreadSyncFailure(world: World, path: string): Promise<void> {
  const { disk } = world;
  if (!(await disk.exists(`${path}/${SYNC_FAILED}`))) return;
  for (const entry of await disk.list(path)) {
    if (entry.kind !== "directory" || parseFolderName(entry.name) === null) continue;
    const marker = disk.open(`${path}/${entry.name}/${SYNC_FAILED}`, { create: true });
    await marker.sync();
    marker.close();
    await disk.syncDirectory(`${path}/${entry.name}`);
  }
  await disk.unlink(`${path}/${SYNC_FAILED}`);
  await disk.syncDirectory(path);
}

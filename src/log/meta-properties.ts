/** `meta.properties`: which cluster, node and directory this is. Kafka's names, version 1. */
import { uuid, type Uuid } from "../base/ids.js";
import { writeFileAtomically } from "../world/atomic-file.js";
import type { Disk } from "../world/disk.js";

export const META_PROPERTIES = "meta.properties";

export interface MetaProperties {
  /** Null until this node knows which cluster it belongs to. */
  readonly clusterId: string | null;
  readonly nodeId: number;
  readonly directoryId: Uuid;
}

/** Null where there is no such file. @throws Error where it says nothing that can be used: somebody has to look at it */
export async function readMetaProperties(disk: Disk, directory: string): Promise<MetaProperties | null> {
  const path = `${directory}/${META_PROPERTIES}`;
  const bytes = await disk.readFile(path);
  if (bytes === null) return null;
  const values = new Map<string, string>();
  for (const line of Buffer.from(bytes).toString("utf8").split("\n")) {
    const match = /^\s*([a-z.]+)\s*[=:]\s*(.*?)\s*$/.exec(line);
    if (match !== null && !line.startsWith("#")) values.set(match[1] ?? "", match[2] ?? "");
  }
  const node = values.get("node.id") ?? values.get("broker.id") ?? "";
  const directoryId = values.get("directory.id") ?? "";
  if (!/^\d+$/.test(node) || !/^[A-Za-z0-9_-]{22}$/.test(directoryId)) throw new Error(`${path} has no usable node.id and directory.id`);
  return { clusterId: values.get("cluster.id") ?? null, nodeId: Number(node), directoryId: uuid(directoryId) };
}

export async function writeMetaProperties(disk: Disk, directory: string, meta: MetaProperties): Promise<void> {
  const cluster = meta.clusterId === null ? "" : `cluster.id=${meta.clusterId}\n`;
  await writeFileAtomically(disk, `${directory}/${META_PROPERTIES}`, Buffer.from(`version=1\n${cluster}node.id=${meta.nodeId}\ndirectory.id=${meta.directoryId}\n`));
}

/** Names of files and folders below a log directory, as Kafka writes them. */

export const PARTITION_METADATA = "partition.metadata";
export const EPOCH_CHECKPOINT = "leader-epoch-checkpoint";
/** Written by a clean stop, taken away at the next start. */
export const CLEAN_SHUTDOWN = ".kafka_cleanshutdown";
/** Ours: this log was in a directory whose fdatasync failed; what lies above its checkpoint cannot be trusted. */
export const SYNC_FAILED = "sync-failed";
/** Ours: recovery lost something that may have been acknowledged, and nothing was appended since. */
export const LOST = "lost";

export const segmentName = (base: number, suffix: string): string => `${String(base).padStart(20, "0")}.${suffix}`;

/** Base offset and suffix of a segment's file, or null for other names. */
export function parseSegmentName(name: string): { readonly base: number; readonly suffix: string } | null {
  const match = /^(\d{20})\.([a-z.0-9-]+)$/.exec(name);
  return match === null ? null : { base: Number(match[1]), suffix: match[2] ?? "" };
}

export const folderName = (topic: string, partition: number): string => `${topic}-${partition}`;

export function parseFolderName(name: string): { readonly topic: string; readonly partition: number } | null {
  const match = /^(.+)-(\d+)$/.exec(name);
  if (match === null || match[1] === undefined || !/^[a-zA-Z0-9._-]{1,249}$/.test(match[1])) return null;
  return { topic: match[1], partition: Number(match[2]) };
}

/** `<topic>-<n>.<32 hex digits>-delete` or `-stray`, cut in front so that it stays within 255 characters. */
export function asideName(folder: string, unique: string, suffix: "delete" | "stray"): string {
  const tail = `.${unique}-${suffix}`;
  return folder.slice(0, 255 - tail.length) + tail;
}

export const isDeleted = (name: string): boolean => /\.[0-9a-f]{32}-delete$/.test(name);
export const isStray = (name: string): boolean => /\.[0-9a-f]{32}-stray$/.test(name);

export function encodePartitionMetadata(topicId: string): Buffer {
  return Buffer.from(`version: 0\ntopic_id: ${topicId}`);
}

/** The topic id, or null where the file says nothing that can be trusted. */
export function decodePartitionMetadata(bytes: Uint8Array): string | null {
  const match = /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\n?$/.exec(Buffer.from(bytes).toString("utf8"));
  return match?.[1] ?? null;
}

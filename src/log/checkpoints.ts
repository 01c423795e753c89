/**
 * Kafka's checkpoint files of a log directory: one number per partition. Text: version 0, the count, then `<topic> <partition> <offset>`
 * lines. Null stands for a file that is damaged; a missing one is an empty map.
 */
export type OffsetCheckpoint = ReadonlyMap<string, number>; // key "<topic>-<partition>"

export const RECOVERY_POINTS = "recovery-point-offset-checkpoint";
export const HIGH_WATERMARKS = "replication-offset-checkpoint";
export const LOG_STARTS = "log-start-offset-checkpoint";

export function encodeCheckpoint(offsets: OffsetCheckpoint): Buffer {
  let text = `0\n${offsets.size}\n`;
  for (const [key, value] of offsets) {
    const dash = key.lastIndexOf("-");
    text += `${key.slice(0, dash)} ${key.slice(dash + 1)} ${value}\n`;
  }
  return Buffer.from(text);
}

export function decodeCheckpoint(bytes: Uint8Array | null): Map<string, number> | null {
  const offsets = new Map<string, number>();
  if (bytes === null) return offsets;
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  if (lines[0] !== "0" || !/^\d+$/.test(lines[1] ?? "")) return null;
  const count = Number(lines[1]);
  if (lines.length !== count + 3 || lines[count + 2] !== "") return null;
  for (const line of lines.slice(2, 2 + count)) {
    const match = /^(\S+) (\d+) (\d+)$/.exec(line);
    if (match === null) return null;
    offsets.set(`${match[1]}-${match[2]}`, Number(match[3]));
  }
  return offsets;
}

/** Damage is kept for people to look at: copied or renamed, never cut. */
import type { Disk, DiskFile } from "../world/disk.js";
import type { BufferPool } from "../base/buffer-pool.js";
import { PART_MAX_BYTES } from "./part.js";

/** Copies [from, to) of a file to `path`, or beside it where that name is taken. Durable when it resolves. */
export async function copyAside(tools: { readonly disk: Disk; readonly buffers: BufferPool }, path: string, what: { readonly file: DiskFile; readonly from: number; readonly to: number }): Promise<void> {
  const { disk, buffers } = tools;
  const name = await unusedName(disk, path);
  const copy = disk.open(`${name}.tmp`, { create: true });
  const buffer = buffers.take(PART_MAX_BYTES);
  try {
    if (copy.size() > 0) copy.truncate(0);
    for (let at = what.from; at < what.to; ) {
      const count = await what.file.read(at, buffer.subarray(0, Math.min(buffer.length, what.to - at)));
      if (count === 0) break;
      copy.writeAt(at - what.from, [buffer.subarray(0, count)]);
      at += count;
    }
    await copy.sync();
  } finally {
    copy.close();
    buffers.give(buffer);
  }
  await disk.rename(`${name}.tmp`, name);
  await disk.syncDirectory(path.slice(0, path.lastIndexOf("/")));
}

/** `path`, or the first of `path.1`, `path.2`, … that is free. */
export async function unusedName(disk: Disk, path: string): Promise<string> {
  if (!(await disk.exists(path))) return path;
  for (let i = 1; ; i++) if (!(await disk.exists(`${path}.${i}`))) return `${path}.${i}`;
}

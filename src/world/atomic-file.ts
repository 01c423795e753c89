/** Replaces a file as a whole: after a crash there is the old content or the new, never a part. */
import type { Disk } from "./disk.js";

export async function writeFileAtomically(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = disk.open(temporary, { create: true });
  try {
    file.truncate(0);
    file.writeAt(0, [bytes]);
    await file.sync();
  } finally {
    file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(path.slice(0, Math.max(0, path.lastIndexOf("/"))) || "/");
}

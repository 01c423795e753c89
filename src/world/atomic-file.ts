/** What is made of several calls of the Disk, so that every making of it gets the same order of steps. */
import type { Disk } from "./disk.js";

/**
 * Replaces a file as a whole: after a crash there is the old content or the new, never a part; after the promise, the new.
 * A file `<path>.tmp` may be left behind by a crash and is overwritten next time.
 * @throws DiskFault; one of a sync is final, as ever
 */
export async function writeFileAtomically(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = disk.open(temporary, { create: true });
  try {
    file.truncate(0);
    file.writeAt(0, [bytes]);
    await file.sync(); // the content before the name, or a crash leaves the name with nothing in it
  } finally {
    file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(parentFolder(path));
}

/** Removes a file, durably: it does not come back after a crash. */
export async function unlinkDurably(disk: Disk, path: string): Promise<void> {
  await disk.unlink(path);
  await disk.syncDirectory(parentFolder(path));
}

/** Makes one folder below an existing one, durably. */
export async function makeDirectoryDurably(disk: Disk, path: string): Promise<void> {
  await disk.makeDirectory(path);
  await disk.syncDirectory(parentFolder(path));
}

/** "." is the Disk's root. */
export function parentFolder(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}

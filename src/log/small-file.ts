/** Small files of our own, read at once: a few system calls cost less than the way through the thread pool, which counts when a thousand logs open. */
import { DiskFault, type Disk } from "../world/disk.js";

/** Whole content, or null where there is no such file. */
export function readSmallFile(disk: Disk, path: string): Uint8Array | null {
  try {
    const file = disk.open(path, { readOnly: true });
    try {
      const bytes = Buffer.allocUnsafe(file.size());
      return bytes.subarray(0, file.readAt(0, bytes));
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof DiskFault && error.code === "missing") return null;
    throw error;
  }
}

/** To the page cache; for derived files whose readers check them. */
export function writeSmallFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, { create: true });
  try {
    if (file.size() > 0) file.truncate(0);
    file.writeAt(0, [bytes]);
  } finally {
    file.close();
  }
}

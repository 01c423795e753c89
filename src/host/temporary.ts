import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

export function makeTemporaryFolder(prefix: string): Promise<string> {
  return fs.promises.mkdtemp(path.join(os.tmpdir(), prefix));
}

export function removeFolder(folder: string): Promise<void> {
  return fs.promises.rm(folder, { recursive: true, force: true });
}

/** Names of what lies in a folder; null if there is no such folder. */
export function listFolder(folder: string): readonly string[] | null {
  try {
    return fs.readdirSync(folder);
  } catch {
    return null;
  }
}

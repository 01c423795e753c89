/** Files of Kafka 4.3.1 that tests of the log read: from test/fixtures/golden, or from the folder that KONTIKI_GOLDEN names. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const root = process.env["KONTIKI_GOLDEN"] ?? join(__dirname, "..", "fixtures", "golden");

export function goldenFile(path: string): Buffer {
  const plain = join(root, path);
  return existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`));
}

/** Names of the files in a folder. */
export function goldenNames(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name.replace(/\.gz$/, ""));
}

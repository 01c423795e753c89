/** Golden vectors of Kafka 4.3.1: from test/fixtures/golden, or from the folder that KONTIKI_GOLDEN names. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const root = process.env["KONTIKI_GOLDEN"] ?? join(__dirname, "..", "fixtures", "golden");

export function goldenFile(path: string): Buffer {
  const plain = join(root, path);
  return existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`));
}

/** Whole numbers of 16 digits and more become text, since JSON.parse would round them. */
export function goldenLines<Line>(path: string): readonly Line[] {
  const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
  const exact = (line: string) => line.replace(token, (text) => (/^-?\d{16,}$/.test(text) ? `"${text}"` : text));
  return goldenFile(path).toString("utf8").trimEnd().split("\n").map((line) => JSON.parse(exact(line)) as Line); // the caller names the file's layout
}

/**
 * Golden vectors: bytes that Apache Kafka 4.3.1 wrote. They lie compressed under test/fixtures/golden, each file with `.gz` behind its name;
 * KONTIKI_GOLDEN names another folder of the same layout to read instead (plain or compressed), since vectors with other values exist. So
 * no test may know a value that it did not read here.
 *
 *   goldenLines("requests/00-produce.ndjson")   one object a line
 *   goldenJson("hashes.json")                   one object
 *   goldenFile("disk/txn-0/00000000000000000000.log")
 *   goldenList("requests")                      names of the files in a folder, without `.gz`, sorted
 *   goldenFolders("disk/broker")                names of the folders in a folder, sorted
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const FIXTURES = join(__dirname, "fixtures");
const ROOT = process.env["KONTIKI_GOLDEN"] ?? join(FIXTURES, "golden");

/** The bytes of a file. @param path relative to the golden folder */
export function goldenFile(path: string): Buffer {
  return read(join(ROOT, path));
}

/** Kafka's own declarations, `messages.json` and `internal-records.json`: no vectors, so they are always ours. */
export function kafkaDeclarations<Shape>(name: "messages.json" | "internal-records.json"): Shape {
  return JSON.parse(read(join(FIXTURES, name)).toString("utf8")) as Shape; // the caller knows the file's layout
}

/** Whole numbers of 16 digits and more come as text, since JSON.parse would round them: compare numbers through `goldenNumber`. */
export function goldenJson<Shape>(path: string): Shape {
  return parse(goldenFile(path).toString("utf8")) as Shape; // the caller knows the file's layout
}

/** One object for each line; large numbers as in `goldenJson`. */
export function goldenLines<Line>(path: string): readonly Line[] {
  const text = goldenFile(path).toString("utf8").trimEnd();
  return text === "" ? [] : text.split("\n").map((line) => parse(line) as Line); // the caller knows the file's layout
}

/** A whole number as bigint, whether it was short enough to stay a number or not. */
export function goldenNumber(value: number | string): bigint {
  return BigInt(value);
}

/** Names of the files in a folder, without `.gz`, sorted. */
export function goldenList(folder: string): readonly string[] {
  return entries(folder).filter((entry) => entry.isFile()).map((entry) => entry.name.replace(/\.gz$/, ""));
}

/** Names of the folders in a folder, sorted. */
export function goldenFolders(folder: string): readonly string[] {
  return entries(folder).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function entries(folder: string) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function read(path: string): Buffer {
  return existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`));
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

function parse(text: string): unknown {
  return JSON.parse(text.replace(TOKEN, (token) => (/^-?\d{16,}$/.test(token) ? `"${token}"` : token)));
}

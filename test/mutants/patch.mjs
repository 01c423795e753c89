// Mutants as patches: a head for people, then a unified diff of files under src/. A hunk is found by its text alone, since lines move and rules stay:
// what it expects must stand in the file just once.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** @typedef {{ readonly name: string, readonly breaks: string, readonly seenBy: readonly string[], readonly files: ReadonlyMap<string, readonly Hunk[]> }} Mutant */
/** @typedef {{ readonly before: string, readonly after: string }} Hunk */

export class PatchError extends Error {
  name = "PatchError";
}

/** All mutants of a folder, by name. @returns {Mutant[]} */
export function readMutants(folder) {
  return readdirSync(folder).filter((name) => name.endsWith(".patch")).sort().map((name) => parsePatch(basename(name, ".patch"), readFileSync(join(folder, name), "utf8")));
}

/** @returns {Mutant} @throws PatchError */
export function parsePatch(name, text) {
  const head = (word) => new RegExp(`^${word}: (.+)\\.$`, "m").exec(text)?.[1] ?? fail(`${name} has no line "${word}: …." at its head`);
  const files = new Map();
  let hunk = null;
  for (const line of text.slice(text.indexOf("--- a/")).split("\n")) {
    if (line.startsWith("--- ")) continue;
    if (line.startsWith("+++ b/")) files.set(line.slice("+++ b/".length), (hunk = null, []));
    else if (line.startsWith("@@")) [...files.values()].at(-1).push((hunk = { before: "", after: "" }));
    else if (hunk !== null && line !== "") {
      if (line[0] !== "+") hunk.before += `${line.slice(1)}\n`;
      if (line[0] !== "-") hunk.after += `${line.slice(1)}\n`;
    }
  }
  if (files.size === 0) fail(`${name} changes no file`);
  for (const path of files.keys()) if (!path.startsWith("src/") || path.startsWith("src/sim/")) fail(`${name} changes ${path}: mutants break what is simulated, not the simulator`);
  return { name, breaks: head("Breaks"), seenBy: head("Seen by").split(", "), files };
}

/** Lines that a mutant adds or takes away, whichever are more, over all its files. */
export function changedLines(mutant) {
  const lines = (side) => [...mutant.files.values()].flat().reduce((sum, hunk) => sum + onlyIn(hunk[side], side === "before" ? hunk.after : hunk.before), 0);
  return Math.max(lines("before"), lines("after"));
}

function onlyIn(text, other) {
  const rest = other.split("\n");
  return text.split("\n").filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  }).length;
}

/** @param {readonly Hunk[]} hunks @throws PatchError where the text is not what the patch expects */
export function applyHunks(where, text, hunks) {
  for (const { before, after } of hunks) {
    const at = text.indexOf(before);
    if (at < 0) fail(`${where} no longer has:\n${before}`);
    if (text.indexOf(before, at + 1) >= 0) fail(`${where} has this more than once:\n${before}`);
    text = text.slice(0, at) + after + text.slice(at + before.length);
  }
  return text;
}

function fail(message) {
  throw new PatchError(message);
}

// Mutants against the simulator: each breaks one rule of production code and must be caught by a seed of the swarm. Without faults it must do what clients
// ask, as far as they can see; some invariants, which look into disks and wires, see it even then.
//
//   node test/mutants/run.mjs [names…] [--seeds N] [--from N] [--salt TEXT] [--draw K] [--jobs J] [--src FOLDER] [--no-quiet] [--short MS] [--json] [--list]
//
// --seeds N    at most so many for each mutant (500)          --from N    the first one's number (1)
// --salt TEXT  before each seed's number: other seeds         --draw K    K mutants, drawn by the salt
// --jobs J     processes at once (one a core at most)         --src DIR   another folder than this one's that holds src/
// --no-quiet   without the run without faults                 --short MS  of faults in each seed, and no more events than a small one needs
//
// Where the unchanged build fails on the same seed too, only another rule, one that is meant to see the mutant, counts; else the seed is passed by, and told.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Builder } from "./build.mjs";
import { PatchError, readMutants } from "./patch.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const SILENT_MAX_MS = 240_000; // a seed without a word for so long hangs
const QUIET_SEEDS = Array.from({ length: 20 }, (_, i) => `quiet ${i + 1}`);

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "500" }, from: { type: "string", default: "1" }, salt: { type: "string", default: "" }, draw: { type: "string" }, jobs: { type: "string", default: "1" },
    src: { type: "string", default: ROOT }, json: { type: "boolean", default: false }, "no-quiet": { type: "boolean", default: false }, short: { type: "string" }, list: { type: "boolean", default: false },
  },
});
const mutants = chosen(readMutants(HERE));
if (flags.list) {
  for (const { name, breaks, seenBy } of mutants) process.stdout.write(`${name.padEnd(30)} ${breaks}\n${"".padEnd(30)} seen by ${seenBy.join(", ")}\n`);
  process.exit(0);
}

const builder = new Builder(ROOT, resolve(flags.src));
const children = new Set();
process.once("SIGINT", () => stop(130));
process.once("SIGTERM", () => stop(143));
const known = knownVerdicts();
let quietSeed = null;
const results = [];
const queue = [...mutants];
const jobs = Math.max(1, Math.min(Number(flags.jobs), availableParallelism(), queue.length));
try {
  if (!flags["no-quiet"]) quietSeed = await findQuietSeed();
  await Promise.all(Array.from({ length: jobs }, async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const result = await examine(mutant);
      results.push(result);
      if (!flags.json) process.stdout.write(`${line(result)}\n`);
    }
  }));
} finally {
  builder.close();
}
const caught = results.filter((one) => one.verdict === "caught").map((one) => one.seeds).sort((a, b) => a - b);
const summary = { mutants: results.length, caught: caught.length, median: caught[Math.floor(caught.length / 2)] ?? null, most: caught.at(-1) ?? null };
if (flags.json) process.stdout.write(`${JSON.stringify({ ...summary, results: results.sort((a, b) => (a.name < b.name ? -1 : 1)) }, null, 1)}\n`);
else process.stdout.write(`${summary.caught} of ${summary.mutants} mutants caught; seeds: median ${summary.median ?? "-"}, most ${summary.most ?? "-"}\n`);
process.exit(summary.caught === summary.mutants ? 0 : 1);

// -------------------------------------------------------------------------------------------------------------------- one mutant

async function examine(mutant) {
  const { name, seenBy } = mutant;
  const result = { name, seenBy, verdict: "missed", seeds: 0, seed: null, rule: null, text: "", atMs: 0, realMs: 0, passedBy: [] };
  const begunMs = Date.now();
  try {
    const folder = builder.mutant(mutant);
    const quiet = quietSeed === null ? null : await firstCaught(folder, "none", [quietSeed]);
    if (quiet !== null) return { ...result, verdict: "fails without faults", seed: quiet.seed, rule: quiet.rule, text: quiet.text };
    const all = Array.from({ length: Number(flags.seeds) }, (_, i) => `${flags.salt}${Number(flags.from) + i}`);
    for (let at = 0; at < all.length; ) {
      const found = await firstCaught(folder, "swarm", all.slice(at));
      if (found === null) break;
      at = all.indexOf(found.seed) + 1;
      const anyway = await unchanged(found.seed);
      if (anyway !== null && (anyway === found.rule || !seenBy.includes(found.rule))) {
        result.passedBy.push(found.seed);
        continue;
      }
      return { ...result, verdict: "caught", seeds: at, seed: found.seed, rule: found.rule, text: found.text, atMs: found.atMs, realMs: Date.now() - begunMs };
    }
    return { ...result, seeds: all.length, realMs: Date.now() - begunMs };
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    return { ...result, verdict: "does not apply", text: error.message };
  } finally {
    builder.drop(name);
  }
}

/** The first one without faults on which nothing is wrong with the unchanged build. */
async function findQuietSeed() {
  for (const seed of QUIET_SEEDS) if ((await unchanged(seed, "none")) === null) return seed;
  throw new Error("the unchanged build fails without faults on every seed");
}

/** By which rule does the unchanged build fail on this seed, if it does? Asked once for each seed and state of the sources. */
async function unchanged(seed, faults = "swarm") {
  const key = `${seed} ${flags.short ?? ""}`;
  const before = known.verdicts[key];
  if (before !== undefined) return before;
  const found = await firstCaught(builder.base(), faults, [seed]);
  known.verdicts[key] = found?.rule ?? null;
  writeFileSync(known.file, JSON.stringify(known.verdicts));
  return known.verdicts[key];
}

function knownVerdicts() {
  const file = join(ROOT, "node_modules", ".cache", "mutants", `unchanged-${builder.hash}.json`);
  mkdirSync(dirname(file), { recursive: true });
  return { file, verdicts: existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {} };
}

/** The first seed that is caught, or null. A process that dies or hangs is caught too, by no rule. */
function firstCaught(folder, faults, seeds) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--enable-source-maps", join(HERE, "seeds.mjs"), folder, faults, flags.short ?? "", ...seeds], { stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    let found = null;
    let passed = 0;
    let errors = "";
    let hangs = false;
    const hang = () => setTimeout(() => (hangs = true, child.kill("SIGKILL")), SILENT_MAX_MS);
    let timer = hang();
    createInterface({ input: child.stdout }).on("line", (text) => {
      clearTimeout(timer);
      timer = hang();
      const said = JSON.parse(text);
      if (said.rule !== null) found = said;
      else passed++;
      if (process.env.MUTANTS_VERBOSE === "1") process.stderr.write(`  ${faults} ${text.slice(0, 400)}\n`);
    });
    child.stderr.on("data", (bytes) => (errors = (errors + String(bytes)).slice(-4_000)));
    child.on("close", (code) => {
      clearTimeout(timer);
      children.delete(child);
      if (found === null && passed < seeds.length) found = { seed: seeds[passed], rule: hangs ? "hang" : "process", text: hangs ? "no word" : `ended with ${code}: ${errors}`, atMs: 0 };
      resolve(found);
    });
  });
}

// -------------------------------------------------------------------------------------------------------------------- choosing, telling

function chosen(all) {
  for (const name of names) if (!all.some((one) => one.name === name)) throw new Error(`there is no mutant ${name}: see --list`);
  const some = names.length > 0 ? all.filter((one) => names.includes(one.name)) : all;
  if (flags.draw === undefined) return some;
  const place = ({ name }) => createHash("sha256").update(`${flags.salt}/${name}`).digest("hex");
  return some.sort((a, b) => (place(a) < place(b) ? -1 : 1)).slice(0, Number(flags.draw));
}

function line({ name, verdict, seeds, rule, seenBy, atMs, realMs, text, passedBy }) {
  const seen = rule === null ? "" : `${rule}${seenBy.includes(rule) ? "" : ` (not ${seenBy.join(", ")})`}`;
  const where = verdict === "caught" ? `at ${(atMs / 1000).toFixed(1)} s` : "";
  const by = passedBy.length === 0 ? "" : ` passed by: ${passedBy.join(", ")}`;
  const more = verdict === "caught" || text === "" ? "" : `\n    ${text.split("\n").slice(0, 6).join("\n    ")}`;
  return `${name.padEnd(30)} ${verdict.padEnd(8)} ${String(seeds).padStart(4)} ${seen} ${where} ${(realMs / 1000).toFixed(0)} s${by}${more}`;
}

function stop(code) {
  for (const child of children) child.kill("SIGKILL");
  builder.close();
  process.exit(code);
}

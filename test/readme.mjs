// Does what README.md tells a newcomer to do, for real and in a fresh clone, and compares what comes with what is shown there: the same lines, with
// other numbers, times and ids in them. One line a check, as the foreign clients have; red for a block, command or option that is not known.
//
//   node test/readme.mjs [README]     another text instead, for trying this file itself
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const REPOSITORY = resolve(import.meta.dirname, "..");
const WAIT_MS = 30_000;
const INSTALL_MS = 240_000;
const text = readFileSync(process.argv[2] ?? join(REPOSITORY, "README.md"), "utf8");
const work = mkdtempSync(join(tmpdir(), "kontiki-readme-"));
const clone = join(work, "kontiki");
const require = createRequire(import.meta.url);
const counts = { passed: 0, failed: 0, skipped: 0 };

// ---- reading it

const blocks = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language, body]) => ({ language, lines: body.trimEnd().split("\n") }));
const prose = text.replaceAll(/^```[^]*?^```$/gm, "");
const spoken = [...prose.matchAll(/`([^`]+)`/g)].map(([, code]) => code.replaceAll(/\s+/g, " "));

function kindOf({ language, lines }) {
  const body = lines.join("\n");
  if (language === "ts") return "program";
  if (body === "npm start") return "start";
  if (body === "npm test") return "test";
  if (body.includes("kontiki is ready: ")) return "started";
  if (lines[0].startsWith("$ ")) return "session";
  if (lines.every((line) => /^[a-z.]+=\S*$/.test(line))) return "settings";
  return null;
}
const the = (kind) => blocks.find((block) => kindOf(block) === kind);

// ---- comparing

/** A line without what differs from run to run. */
function shape(line) {
  return line
    .replaceAll(/\b\d\d:\d\d:\d\d\.\d{3}\b/g, "TIME")
    .replaceAll(/\bcluster [\w-]{22}\b/g, "cluster ID")
    .replaceAll(/\b127\.0\.0\.1:\d+/g, "ADDRESS")
    .replaceAll(/\b\d+(\.\d+)?\b/g, "N")
    .replaceAll(/\s+/g, " ")
    .trim();
}
const shapes = (lines) => lines.map(shape).filter((line) => line !== "");

/** Throws where a line that is shown does not come; the order is free, for which node leads differs. */
function sameShape(shown, came) {
  const left = shapes(came);
  for (const line of shapes(shown)) {
    const at = left.indexOf(line);
    if (at < 0) throw new Error(`no line like <${line}> in: ${left.join(" / ").slice(0, 800)}`);
    left.splice(at, 1);
  }
  return left;
}

async function check(what, body) {
  const began = Date.now();
  try {
    await body();
    counts.passed += 1;
    console.log(`ok: README: ${what} (${Date.now() - began} ms)`);
    return true;
  } catch (error) {
    counts.failed += 1;
    console.log(`FAILED: README: ${what}: ${String(error.message).replaceAll(/\s+/g, " ").slice(0, 1500)}`);
    return false;
  }
}
function skip(what, why) {
  counts.skipped += 1;
  console.log(`skipped: README: ${what}: ${why}`);
}

async function until(what, holds, ms = WAIT_MS) {
  const end = Date.now() + ms;
  let fault = null;
  for (;;) {
    try {
      if (await holds()) return;
      fault = null;
    } catch (error) {
      fault = error;
    }
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}${fault === null ? "" : `: ${fault.message}`}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

const isFree = (port) =>
  new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => done(true)));
  });

/** The first of `count` ports in a row that are free here and `above` as well. */
async function freeRow(first, count, above) {
  for (let port = first; port < first + 4000; port += 10) {
    const row = [...new Set(Array.from({ length: count }, (_, i) => [port + i, port + i + above]).flat())];
    if ((await Promise.all(row.map(isFree))).every(Boolean)) return port;
  }
  throw new Error("no free ports");
}

// ---- doing it

const running = new Set();

/** A command line of the README in a process group of its own, as a terminal would run it. */
function launch(line, folder = clone) {
  const child = spawn("sh", ["-c", `exec ${line}`], { cwd: folder, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const one = { child, output: "", ended: null };
  running.add(one);
  child.stdout.on("data", (bytes) => (one.output += bytes));
  child.stderr.on("data", (bytes) => (one.output += bytes));
  child.on("exit", (code, signal) => {
    one.ended = signal ?? `code ${code}`;
    running.delete(one);
  });
  return one;
}

async function ready(one, word, ms) {
  await until(`"${word}" from it`, () => one.output.includes(word) || one.ended !== null, ms);
  if (one.ended !== null) throw new Error(`it ended with ${one.ended}: ${one.output.slice(-800)}`);
}

/** Ctrl-C: the terminal sends it to the whole group. */
async function stop(one) {
  process.kill(-one.child.pid, "SIGINT");
  await until("it ends", () => one.ended !== null, 20_000);
}

function run(line) {
  const done = spawnSync("sh", ["-c", line], { cwd: clone, encoding: "utf8", timeout: WAIT_MS });
  if (done.status !== 0) throw new Error(`<${line}> ended with ${done.status}: ${done.stdout}${done.stderr}`);
  return done.stdout.trimEnd().split("\n");
}

let port = 9092;
/** A command of the README, with the ports that this run has. */
const own = (line) => (port === 9092 || !line.startsWith("node dist/main.js") ? line : `${line} --bootstrap 127.0.0.1:${port}`);

/** `$ command` and what it printed. A command that only reads may be asked again until the cluster has settled. */
async function session(lines) {
  const steps = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), shown: [] });
    else steps.at(-1).shown.push(line);
  }
  for (const { command, shown } of steps) {
    await check(command, async () => {
      const attempt = () => {
        const more = sameShape(shown, run(own(command)));
        if (more.length > 0) throw new Error(`it says more than is shown: ${more.join(" / ")}`);
        return true;
      };
      if (/\b(create|delete|alter)\b/.test(command)) attempt();
      else await until("it looks as shown", attempt, 15_000);
    });
  }
}

/** The settings block as a file, with folders and ports of this run: the node becomes ready, and says so where the README says it does. */
async function node(lines) {
  const ports = new Map();
  let next = await freeRow(21_000, 10, 0);
  const settings = lines.map((line) => line.replaceAll(/127\.0\.0\.1:(\d+)/g, (_, given) => `127.0.0.1:${ports.get(given) ?? ports.set(given, next++).get(given)}`));
  writeFileSync(join(clone, "FILE"), `${settings.join("\n")}\n`);
  const command = spoken.find((code) => code.startsWith("node dist/main.js node --config"));
  if (command === undefined) throw new Error("it does not say how to run a node");
  const one = launch(command);
  try {
    const http = /kontiki\.http\.listener=(\S+)/.exec(settings.join("\n"))[1];
    await until("/ready says yes", async () => one.ended !== null || (await fetch(`http://${http}/ready`)).status === 200);
    if (one.ended !== null) throw new Error(`it ended with ${one.ended}: ${one.output}`);
    if ((await fetch(`http://${http}/live`)).status !== 200) throw new Error("/live does not say yes");
    if (!/^# TYPE \w+/m.test(await (await fetch(`http://${http}/metrics`)).text())) throw new Error("/metrics are not Prometheus's");
    const bootstrap = /listeners=PLAINTEXT:\/\/([^,]+)/.exec(settings.join("\n"))[1];
    run(`node dist/main.js topics create of-a-file --bootstrap ${bootstrap}`);
  } finally {
    if (one.ended === null) await stop(one);
  }
}

/** The TypeScript block in a project that has the package: its types hold, and it runs to its end. */
function program(lines) {
  const folder = join(work, "user");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(clone, join(folder, "node_modules", "kontiki"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "program.ts"), `${lines.join("\n")}\n`);
  const tsc = join(clone, "node_modules/typescript/bin/tsc");
  const types = ["--module", "nodenext", "--target", "esnext", "--strict", "--skipLibCheck", "--typeRoots", join(clone, "node_modules/@types"), "--types", "node"];
  const checked = spawnSync(process.execPath, [tsc, ...types, "program.ts"], { cwd: folder, encoding: "utf8", timeout: WAIT_MS * 2 });
  if (checked.status !== 0) throw new Error(`its types do not hold: ${checked.stdout}`);
  const done = spawnSync(process.execPath, ["program.js"], { cwd: folder, encoding: "utf8", timeout: WAIT_MS });
  if (done.status !== 0) throw new Error(`it ended with ${done.status ?? done.signal}: ${done.stderr}`);
}

// ---- what is said between the blocks

const help = new Map();
/** Options and subcommands of a command, from its own help. */
function helpOf(path) {
  const key = path.join(" ");
  if (!help.has(key)) {
    const said = run(["node dist/main.js", ...path, "--help"].join(" ")).join("\n");
    const section = (name) => new RegExp(`^${name}:\\n((?: .*\\n?)+)`, "m").exec(said)?.[1] ?? "";
    help.set(key, {
      options: new Set([...section("Options").matchAll(/--[\w-]+/g)].map(([option]) => option)),
      commands: new Set([...section("Commands").matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name)),
    });
  }
  return help.get(key);
}

/** Every command and option of a line that the command line itself knows; `a|b` stands for either. */
function checkCommand(words) {
  let paths = [[]];
  const rest = [...words];
  while (rest.length > 0 && !rest[0].startsWith("-") && helpOf(paths[0]).commands.size > 0) {
    const names = rest.shift().split("|");
    for (const name of names) if (!helpOf(paths[0]).commands.has(name)) throw new Error(`there is no command ${[...paths[0], name].join(" ")}`);
    paths = names.map((name) => [...paths[0], name]);
  }
  for (const option of rest.filter((word) => word.startsWith("--"))) {
    for (const path of paths) if (!helpOf(path).options.has(option)) throw new Error(`${path.join(" ")} has no option ${option}`);
  }
}

function checkSpoken(code) {
  const scripts = JSON.parse(readFileSync(join(clone, "package.json"), "utf8")).scripts;
  const words = code.split(" ");
  if (code.startsWith("npm ")) {
    const name = words[1] === "run" ? words[2] : words[1];
    if (scripts[name] === undefined) throw new Error(`package.json has no script ${name}`);
    const cut = words.indexOf("--");
    if (cut > 0) checkCommand([...scripts[name].replace(/^node dist\/main\.js /, "").split(" "), ...words.slice(cut + 1)]);
  } else if (code.startsWith("kontiki ") && words.length > 1) checkCommand(words.slice(1));
  else if (code.startsWith("node dist/main.js ")) checkCommand(words.slice(2));
  else if (/^--[\w-]+/.test(code)) {
    const everywhere = ["status", "dev", "node"].map((name) => [name]).concat([...helpOf(["topics"]).commands].map((name) => ["topics", name]));
    if (!everywhere.some((path) => helpOf(path).options.has(words[0]))) throw new Error(`no command has the option ${words[0]}`);
  } else if (/^kontiki\.[a-z.]+(=.*)?$/.test(code)) {
    const { SETTING_NAMES } = require(join(clone, "dist/app/settings.js"));
    if (!SETTING_NAMES.has(code.split("=")[0])) throw new Error("there is no such setting");
  } else if (/^[\w./-]+\.(md|sh|json|mjs)$/.test(code) || /^\.?[\w-]+\/[\w./-]+$/.test(code)) {
    if (!existsSync(join(clone, code)) && !code.startsWith("./data")) throw new Error("there is no such file");
  } else return false;
  return true;
}

async function main() {
  for (const block of blocks) if (kindOf(block) === null) await check(`block <${block.lines[0]}>`, () => Promise.reject(new Error("this kind of block is not known: teach test/readme.mjs to run it")));
  for (const kind of ["start", "started", "test", "session", "program", "settings"]) if (the(kind) === undefined) await check(`a block of kind ${kind}`, () => Promise.reject(new Error("it is gone")));

  execFileSync("git", ["clone", "--quiet", "--depth", "1", `file://${REPOSITORY}`, clone]);
  const quiet = (await Promise.all([9092, 9093, 9094, 10_092, 10_093, 10_094].map(isFree))).every(Boolean);
  if (!quiet) port = await freeRow(22_000, 3, 1000);
  const command = quiet ? "npm start" : `npm start -- --port ${port}`;
  let cluster = null;
  const up = await check(`${command} in a fresh clone: installs, builds, runs`, async () => {
    cluster = launch(command);
    await ready(cluster, "Ctrl-C stops it.", INSTALL_MS);
    console.log(`   cold: ${/kontiki is ready.*/.exec(cluster.output)[0]}`);
  });
  if (!up) return;
  await check("it says what is shown", () => Promise.resolve(sameShape(the("started").lines, cluster.output.split("\n"))));
  for (const code of new Set(spoken)) {
    let meant = true;
    try {
      meant = checkSpoken(code);
    } catch (error) {
      await check(`\`${code}\``, () => Promise.reject(error));
      continue;
    }
    if (meant) await check(`\`${code}\``, () => Promise.resolve());
  }
  await session(the("session").lines);
  const kcat = cluster.output.split("\n").find((line) => line.startsWith("  kcat "));
  if (spawnSync("sh", ["-c", "command -v kcat"]).status !== 0) skip("the line to paste for kcat", "kcat is not here");
  else await check(`the line to paste for kcat: ${kcat.trim()}`, () => Promise.resolve(sameShape([" 3 brokers:"], run(kcat))));
  await check("Ctrl-C stops it, in good order", async () => {
    await stop(cluster);
    if (!cluster.output.includes("broker is stopping: its leaders have moved")) throw new Error(`nodes left at once: ${cluster.output.slice(-500)}`);
  });
  await check("npm start again: nothing to install, and the data is there", async () => {
    const again = launch(command);
    await ready(again, "Ctrl-C stops it.");
    console.log(`   warm: ${/kontiki is ready.*/.exec(again.output)[0]}`);
    await until("the topic is listed", () => run(own("node dist/main.js topics list")).some((line) => line.startsWith("orders ")));
    await stop(again);
  });
  await check("one node by a file", () => node(the("settings").lines));
  await check("a cluster in a test process", () => Promise.resolve(program(the("program").lines)));
}

try {
  await main();
} finally {
  for (const one of running) process.kill(-one.child.pid, "SIGKILL");
  rmSync(work, { recursive: true, force: true });
}
console.log(`README: ${counts.passed} checks passed, ${counts.failed} failed, ${counts.skipped} skipped`);
if (process.env.KONTIKI_CI_COUNTS !== undefined) appendFileSync(process.env.KONTIKI_CI_COUNTS, `${counts.passed} ${counts.failed} ${counts.skipped}\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;

/** `kontiki simulate`: a whole cluster from a seed, one run or many, with faults; what it finds is told so that it can be played again. */
import { startNodeProcess, type Child } from "../host/child.js";
import { absolutePath, besides, exitCode, onStopSignal, print, printError, processorCount, readTextFile, terminalColumns, uptimeMs, writeTextFile } from "../host/process.js";
import { FAULT_KINDS } from "../sim/faults/kinds.js";
import { drawPlan, type DrawOptions } from "../sim/plan-draw.js";
import { PARTS } from "../sim/parts.js";
import type { Plan } from "../sim/plan.js";
import type { RunResult, Violation } from "../sim/run.js";
import { type Progress, runPlan } from "../sim/run-plan.js";
import { shrink } from "../sim/shrink.js";
import { CliError } from "./kafka-client.js";
import { clock, counted, describeViolation, LiveLine, progressText, SeedsTable } from "./simulate-view.js";

export interface SimulateOptions {
  readonly seed: string;
  /** How many, from `seed` on; 1: just that one, with its live line. */
  readonly seeds: number;
  readonly nodes: number | null;
  /** swarm, none, or kinds separated by commas. */
  readonly faults: string;
  /** Virtual, under faults; null: as the seed has it, about one. */
  readonly minutes: number | null;
  readonly plan: string | null;
  readonly json: boolean;
  /** Where plans that failed are kept; null: nowhere. */
  readonly keep: string | null;
  /** Whether they are made small first. */
  readonly shrink: boolean;
  /** Set for a process that runs a share of many seeds: which share of how many. */
  readonly share: { readonly index: number; readonly count: number } | null;
}

/** Events and real time of one run; hitting one is a violation. Per virtual minute. */
const MAX_EVENTS = 4_000_000;
const MAX_REAL_MS = 600_000;

const NODES_MAX = 9;
const MINUTES_MAX = 1_440;

/** One line of a process that runs a share. */
interface SeedLine {
  readonly seed: string;
  readonly result: RunResult;
  readonly plan: Plan | null;
}

export async function simulate(options: SimulateOptions): Promise<void> {
  if (options.seeds < 1) throw new CliError("--seeds: at least 1");
  if (options.share !== null) return runShare(options, options.share);
  if (options.seeds > 1 && options.plan === null) return runMany(options);
  return runOne(options);
}

// ---------------------------------------------------------------------------------------------------------------- one

async function runOne(options: SimulateOptions): Promise<void> {
  const plan = options.plan === null ? drawPlan(options.seed, drawing(options)) : readPlan(options.plan);
  const line = new LiveLine(options.json ? null : terminalColumns());
  if (!options.json) print(`seed ${plan.seed}: ${plan.nodes} nodes, ${counted(plan.topics.length, "topic")}, ${counted(plan.clients.length, "client")}, ${counted(plan.faults.length, "fault")} in ${clock(plan.phases.faultsMs)}\n`);
  const result = await run(plan, { onProgress: (progress) => line.show(() => progressText(progress)) });
  line.end();
  const [violation] = result.violations;
  if (violation === undefined) {
    print(options.json ? `${JSON.stringify({ plan, result })}\n` : `${summary(result)}\n`);
    return;
  }
  exitCode(1);
  const told = await run(plan, { text: true }); // the same run, with its lines
  const kept = await keep(plan, violation, options);
  if (options.json) return print(`${JSON.stringify({ plan, result: told, kept })}\n`);
  print(`${describeViolation(told.violations[0] ?? violation, told.lines)}\n\n${summary(result)}\n\nAgain: ${replayCommand(options, plan)}\n${kept === null ? "" : `       kontiki simulate --plan ${kept}\n`}`);
}

function run(plan: Plan, options: { readonly text?: boolean; readonly onProgress?: (progress: Progress) => void } = {}): Promise<RunResult> {
  const minutes = Math.max(1, (plan.phases.faultsMs + plan.phases.coreMs + plan.phases.healedMs) / 60_000);
  return runPlan(plan, PARTS, { ...options, maxEvents: MAX_EVENTS * minutes, maxRealMs: MAX_REAL_MS * minutes });
}

/** @throws CliError for what cannot be drawn */
export function drawing(options: Pick<SimulateOptions, "faults" | "nodes" | "minutes">): DrawOptions {
  const { faults, nodes, minutes } = options;
  if (nodes !== null && (nodes < 1 || nodes > NODES_MAX)) throw new CliError(`--nodes: from 1 to ${NODES_MAX}, not ${nodes}`);
  if (minutes !== null && !(minutes > 0 && minutes <= MINUTES_MAX)) throw new CliError(`--minutes: a number above 0, at most ${MINUTES_MAX}`);
  const kinds = faults === "swarm" || faults === "none" ? [] : faults.split(",").map((kind) => kind.trim());
  const unknown = kinds.find((kind) => !FAULT_KINDS.has(kind));
  if (unknown !== undefined) throw new CliError(`--faults: there is no kind called ${unknown}; there are swarm, none, ${[...FAULT_KINDS.keys()].join(", ")}`);
  return {
    faults: faults === "swarm" || faults === "none" ? faults : kinds,
    ...(nodes === null ? {} : { nodes }),
    ...(minutes === null ? {} : { faultsMs: Math.max(1_000, Math.round(minutes * 60_000)) }),
  };
}

function readPlan(file: string): Plan {
  const text = readTextFile(absolutePath(file));
  if (text === null) throw new CliError(`--plan: there is no file ${file}`);
  let plan: Plan;
  try {
    plan = JSON.parse(text) as Plan; // one that this command has written
  } catch {
    throw new CliError(`--plan: ${file} is not JSON`);
  }
  if (plan.version !== 1) throw new CliError(`--plan: ${file} is no plan of this version`);
  return plan;
}

/** Plans that failed are data: kept, they are played again for ever. @returns where; null if nobody asked for it */
async function keep(plan: Plan, violation: Violation, options: SimulateOptions): Promise<string | null> {
  if (options.keep === null) return null;
  let small = plan;
  if (options.shrink) {
    const line = new LiveLine(options.json ? null : terminalColumns());
    const shrunk = await shrink(plan, violation, async (candidate) => (await run(candidate)).violations[0] ?? null, {
      onStep: ({ reruns, faults, clients }) => line.show(() => `shrinking: ${counted(reruns, "rerun")}, ${counted(faults, "fault")} and ${counted(clients, "client")} left`),
    });
    line.end();
    small = shrunk.plan;
  }
  const file = `${options.keep}/${violation.rule}-${plan.seed}.json`;
  writeTextFile(absolutePath(file), `${JSON.stringify(small, null, 1)}\n`);
  return file;
}

function summary(result: RunResult): string {
  const { requests, acknowledged, events, virtualMs, realMs } = result;
  const faults = Object.entries(result.bites).map(([kind, count]) => `${kind} ${count}`).join(", ");
  return [
    `${clock(virtualMs)} of virtual time in ${clock(realMs)}, ${counted(events, "event")}`,
    `requests: ${requests.ok} ok, ${requests.failed} failed, ${requests.unknown} unknown; acknowledged records: ${acknowledged.all} by all, ${acknowledged.leader} by the leader, ${acknowledged.none} sent without asking`,
    `faults that took effect: ${faults === "" ? "none" : faults}`,
    result.violations.length === 0 ? "no violation" : `violated: ${result.violations.map((one) => one.rule).join(", ")}`,
    `trace ${result.traceHash}`,
  ].join("\n");
}

function replayCommand(options: SimulateOptions, plan: Plan): string {
  if (options.plan !== null) return `kontiki simulate --plan ${options.plan}`;
  return `kontiki simulate --seed ${plan.seed}${options.nodes === null ? "" : ` --nodes ${options.nodes}`}${options.faults === "swarm" ? "" : ` --faults ${options.faults}`}${options.minutes === null ? "" : ` --minutes ${options.minutes}`}`;
}

// ---------------------------------------------------------------------------------------------------------------- many

/** Seeds in several processes, one a core. */
async function runMany(options: SimulateOptions): Promise<void> {
  const count = Math.min(processorCount(), options.seeds);
  const line = new LiveLine(options.json ? null : terminalColumns());
  const table = new SeedsTable(options.seeds);
  const failures: { readonly seed: string; readonly violation: Violation; readonly kept: string | null }[] = [];
  const children: Child[] = [];
  onStopSignal(() => {
    for (const child of children) child.signal("SIGTERM");
  });
  const begun = uptimeMs();
  const shares = Array.from({ length: count }, async (_, index) => {
    const child = startNodeProcess({ script: besides(__dirname, "../main.js"), arguments: ["simulate", ...shareArguments(options), "--share", `${index}/${count}`] });
    children.push(child);
    let tail: Promise<void> = Promise.resolve();
    const ended = new Promise<void>((resolve, reject) => {
      child.onErrorLine((text) => printError(`${text}\n`));
      child.onExit(({ code, signal }) => (code === 0 || code === 1 ? resolve() : reject(new CliError(`a simulating process ended by ${signal ?? String(code)}`))));
    });
    child.onLine((text) => {
      const { seed, result, plan } = JSON.parse(text) as SeedLine; // from runShare
      table.add(result);
      if (options.json) print(`${JSON.stringify(result)}\n`);
      const [violation] = result.violations;
      if (violation === undefined) return line.show(() => table.progress(uptimeMs() - begun));
      line.end();
      if (!options.json) print(`seed ${seed}: ${violation.rule} at ${clock(violation.atMs)}: ${violation.text.split("\n")[0] ?? ""}\n`);
      if (plan === null) return;
      tail = tail.then(async () => void failures.push({ seed, violation, kept: await keep(plan, violation, options) }));
    });
    await ended;
    await tail;
  });
  await Promise.all(shares);
  line.end();
  if (table.violated > 0) exitCode(1);
  if (options.json) return;
  print(`${table.text(uptimeMs() - begun)}\n`);
  for (const { seed, kept } of failures) print(`Again: kontiki simulate ${kept === null ? `--seed ${seed}${options.nodes === null ? "" : ` --nodes ${options.nodes}`}${options.faults === "swarm" ? "" : ` --faults ${options.faults}`}` : `--plan ${kept}`}\n`);
}

function shareArguments(options: SimulateOptions): string[] {
  return [
    "--seed", options.seed, "--seeds", String(options.seeds), "--faults", options.faults,
    ...(options.nodes === null ? [] : ["--nodes", String(options.nodes)]),
    ...(options.minutes === null ? [] : ["--minutes", String(options.minutes)]),
  ];
}

/** Every so-manieth seed, one line of JSON each. */
async function runShare(options: SimulateOptions, share: { readonly index: number; readonly count: number }): Promise<void> {
  for (let i = share.index; i < options.seeds; i += share.count) {
    const seed = nthSeed(options.seed, i);
    const plan = drawPlan(seed, drawing(options));
    const result = await run(plan);
    const line: SeedLine = { seed, result, plan: result.violations.length > 0 ? plan : null };
    print(`${JSON.stringify(line)}\n`);
  }
}

/** The seeds after a number are the next numbers; after a word, the word with numbers. */
function nthSeed(first: string, n: number): string {
  return /^\d{1,15}$/.test(first) ? String(Number(first) + n) : n === 0 ? first : `${first}-${n}`;
}

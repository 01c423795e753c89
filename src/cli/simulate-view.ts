/** What `kontiki simulate` shows: a line that lives, a violation's timeline, a table over many seeds. */
import { print, uptimeMs } from "../host/process.js";
import type { RunResult, Violation } from "../sim/run.js";
import type { Progress } from "../sim/run-plan.js";
import { table } from "./table.js";

const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 10_000;
const BAR_WIDTH = 24;

/** One line that is written over itself on a terminal; elsewhere a new line now and then. */
export class LiveLine {
  #nextMs = 0;
  #open = false;

  /** @param columns of the terminal; null: there is none */
  constructor(readonly columns: number | null) {}

  show(text: () => string): void {
    const nowMs = uptimeMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + (this.columns === null ? PLAIN_EVERY_MS : TERMINAL_EVERY_MS);
    if (this.columns === null) return;
    print(`\r\u001b[K${text().slice(0, this.columns - 1)}`);
    this.#open = true;
  }

  end(): void {
    if (this.#open) print("\r\u001b[K");
    this.#open = false;
  }
}

export function progressText({ phase, virtualMs, endMs, events, bites, acknowledged, violations }: Progress): string {
  const faults = [...bites].map(([kind, count]) => `${kind} ${count}`).join(", ");
  return `${clock(virtualMs)} of ${clock(endMs)}  ${phase}  ${thousands(events)} events  ${thousands(acknowledged)} acknowledged  ${counted(violations.length, "violation")}${faults === "" ? "" : `  ${faults}`}`;
}

export function describeViolation({ rule, atMs, text }: Violation, lines: readonly string[]): string {
  return `VIOLATION: ${rule}, at ${(atMs / 1000).toFixed(3)} s of virtual time\n  ${text.split("\n").join("\n  ")}\n\nThe last that each node did:\n${lines.join("\n")}`;
}

/** What many seeds came to. */
export class SeedsTable {
  violated = 0;
  #done = 0;
  #virtualMs = 0;
  #events = 0;
  #acknowledged = 0;
  readonly #faults = new Map<string, number>();
  readonly #rules = new Map<string, string[]>();
  readonly #points = new Map<string, number>();

  constructor(readonly total: number) {}

  add(result: RunResult): void {
    this.#done++;
    this.#virtualMs += result.virtualMs;
    this.#events += result.events;
    const { none, leader, all } = result.acknowledged;
    this.#acknowledged += none + leader + all;
    for (const [kind, count] of Object.entries(result.bites)) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count);
    for (const [point, count] of Object.entries(result.sometimes)) this.#points.set(point, (this.#points.get(point) ?? 0) + count);
    const [violation] = result.violations;
    if (violation === undefined) return;
    this.violated++;
    this.#rules.set(violation.rule, [...(this.#rules.get(violation.rule) ?? []), result.seed]);
  }

  progress(realMs: number): string {
    const filled = Math.floor((this.#done / this.total) * BAR_WIDTH);
    const left = this.#done === 0 ? "" : `  ${clock((realMs / this.#done) * (this.total - this.#done))} left`;
    return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${this.#done} of ${this.total} seeds  ${counted(this.violated, "violation")}${left}`;
  }

  text(realMs: number): string {
    const rows = [...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1));
    const rules = [...this.#rules].sort(([, a], [, b]) => b.length - a.length);
    return [
      table(["", ""], [
        ["seeds", thousands(this.#done)],
        ["with a violation", thousands(this.violated)],
        ["virtual hours", (this.#virtualMs / 3_600_000).toFixed(2)],
        ["real time", clock(realMs)],
        ["events", thousands(this.#events)],
        ["acknowledged records", thousands(this.#acknowledged)],
      ]).trimStart(),
      ...(rows.length === 0 ? [] : [`\n${table(["fault", "took effect"], rows)}`]),
      ...(this.#points.size === 0 ? [] : [`\n${table(["sometimes", "reached"], [...this.#points].sort(([a], [b]) => (a < b ? -1 : 1)))}`]),
      ...(rules.length === 0 ? [] : [`\n${table(["violated", "seeds", "which"], rules.map(([rule, seeds]) => [rule, seeds.length, seeds.slice(0, 8).join(" ")]))}`]),
    ].join("\n");
  }
}

/** Hours, minutes, seconds: 1:02:03 or 2:03; seconds alone with a decimal. */
export function clock(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return hours === 0 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : `${hours}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function counted(count: number, what: string): string {
  return `${thousands(count)} ${what}${count === 1 ? "" : "s"}`;
}

function thousands(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

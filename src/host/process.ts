/** The process as main and the command line need it: arguments, environment, signals, output, the way out. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { LogSink } from "./logger.js";

/** Without the runtime and the script. */
export function commandLine(): readonly string[] {
  return process.argv.slice(2);
}

export function environment(): { readonly [name: string]: string | undefined } {
  return process.env;
}

export function processId(): number {
  return process.pid;
}

/** Monotonic: how long ago this process was started, for a ready line. */
export function uptimeMs(): number {
  return process.uptime() * 1000;
}

/** The path of an argument that a person has typed. */
export function absolutePath(given: string): string {
  return path.resolve(given);
}

/** A file named on the command line; null if there is none. The node's own files belong to the Disk. */
export function readTextFile(file: string): string | null {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** A file for a person to look at, in a folder that is made if it is missing. */
export function writeTextFile(file: string, text: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

/** How many processes can run at once. */
export function processorCount(): number {
  return os.availableParallelism();
}

export function print(text: string): void {
  process.stdout.write(text);
}

export function printError(text: string): void {
  process.stderr.write(text);
}

/** What width a table may have; null where output goes to a file or a pipe. */
export function terminalColumns(): number | null {
  return process.stdout.isTTY ? process.stdout.columns : null;
}

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Called for each signal that asks the process to stop, the impatient second one too. */
export function onStopSignal(callback: (signal: StopSignal) => void): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => callback(signal));
}

/** An exception or rejection that belongs to nobody: the state is unknown and the process has to end. */
export function onStray(callback: (error: unknown) => void): void {
  process.on("uncaughtException", callback);
  process.on("unhandledRejection", callback);
}

/** The process that started this one (child.ts) has gone. */
export function onParentGone(callback: () => void): void {
  if (process.channel === undefined) return;
  process.on("disconnect", callback);
  process.channel.unref();
}

/** Facts for the process that started this one; nothing happens where there is none. */
export function tellParent(fact: { readonly [name: string]: string | number | boolean }): void {
  if (process.connected) process.send?.(fact);
}

/** Ends the process, with the log written out. */
export function exit(code: number, log?: LogSink): never {
  log?.flush();
  process.exit(code);
}

/** For a command that lets the process end by itself. */
export function exitCode(code: number): void {
  process.exitCode = code;
}

/** Calls back unless it is cancelled in time; keeps no process alive. */
export function deadline(ms: number, late: () => void): () => void {
  const timer = setTimeout(late, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

/** A compiled module of ours, by its place relative to another's folder. */
export function besides(folder: string, relative: string): string {
  return path.resolve(folder, relative);
}

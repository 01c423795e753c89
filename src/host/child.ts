/** Processes that this one starts: the nodes of `kontiki dev`. They learn by a closed channel when their parent is gone (process.ts). */
import { spawn } from "node:child_process";

export interface Child {
  readonly pid: number;
  /** Whole lines of standard output. */
  onLine(callback: (line: string) => void): void;
  onErrorLine(callback: (line: string) => void): void;
  /** What it sent with tellParent. */
  onTold(callback: (fact: unknown) => void): void;
  /** Once. `signal` is null if it ended by itself. */
  onExit(callback: (end: { readonly code: number | null; readonly signal: string | null }) => void): void;
  signal(name: "SIGTERM" | "SIGKILL" | "SIGINT"): void;
}

const LINE_MAX_CHARACTERS = 1 << 20;

/**
 * Runs a script of ours under the same Node, in a process group of its own: a terminal's Ctrl-C is for the process that started it, which then stops
 * its nodes in good order. A node that got both signals would take the second for impatience and leave at once.
 */
export function startNodeProcess(options: { readonly script: string; readonly arguments: readonly string[]; readonly environment?: { readonly [name: string]: string | undefined } }): Child {
  const child = spawn(process.execPath, [options.script, ...options.arguments], {
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  });
  let onExit: (end: { code: number | null; signal: string | null }) => void = () => undefined;
  child.on("error", () => onExit({ code: null, signal: null })); // could not be started
  child.on("exit", (code, signal) => onExit({ code, signal }));
  return {
    pid: child.pid ?? 0,
    onLine: (callback) => eachLine(child.stdout, callback),
    onErrorLine: (callback) => eachLine(child.stderr, callback),
    onTold: (callback) => void child.on("message", callback),
    onExit: (callback) => (onExit = callback),
    signal: (name) => void child.kill(name),
  };
}

function eachLine(stream: NodeJS.ReadableStream | null, callback: (line: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_MAX_CHARACTERS);
    for (const line of lines) callback(line);
  });
}

/** Real node processes on loopback: started from the build, killed, frozen and restarted by id, always cleaned up. Ends only what it started. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeSettings } from "../../src/app/dev-settings.js";
import { freePorts } from "../../src/host/free-ports.js";

const MAIN = join(__dirname, "../../dist/main.js");
const READY_MS = 60_000;

interface RunningNode {
  process: ChildProcess | null;
  ready: boolean;
  lines: string[];
}

export class ProcessCluster {
  readonly folder = mkdtempSync(join(tmpdir(), "kontiki-e2e-"));
  readonly nodes = new Map<number, RunningNode>();

  private constructor(readonly ports: readonly number[], readonly controllerPorts: readonly number[], readonly more: { readonly [name: string]: string }) {}

  static async start(count: number, more: { readonly [name: string]: string } = {}): Promise<ProcessCluster> {
    if (!existsSync(MAIN)) throw new Error("there is no build: npm run build");
    const ports = await freePorts(2 * count);
    const cluster = new ProcessCluster(ports.slice(0, count), ports.slice(count), more);
    for (let id = 1; id <= count; id++) cluster.launch(id);
    await cluster.ready();
    return cluster;
  }

  get brokers(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  launch(id: number): void {
    const settings = new Map([...nodeSettings({ index: id - 1, count: this.ports.length, ports: this.ports, controllerPorts: this.controllerPorts, data: this.folder }), ...Object.entries(this.more)]);
    const environment = Object.fromEntries([...settings].map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll(".", "_")}`, value]));
    const child = spawn(process.execPath, [MAIN, "node"], { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
    const node: RunningNode = { process: child, ready: false, lines: [] };
    this.nodes.set(id, node);
    const take = (chunk: Buffer) => {
      for (const line of chunk.toString("utf8").split("\n").filter((one) => one !== "")) {
        node.lines.push(line);
        if (line.includes('"msg":"ready"')) node.ready = true;
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("exit", () => (node.process = null));
  }

  async ready(): Promise<void> {
    await until(READY_MS, "every node is ready", () => [...this.nodes.values()].every((node) => node.process === null || node.ready));
  }

  async kill(id: number): Promise<void> {
    this.signal(id, "SIGKILL");
    await until(10_000, `node ${id} is gone`, () => this.nodes.get(id)?.process === null);
  }

  async stop(id: number): Promise<void> {
    this.signal(id, "SIGTERM");
    await until(30_000, `node ${id} has stopped`, () => this.nodes.get(id)?.process === null);
  }

  signal(id: number, name: NodeJS.Signals): void {
    this.nodes.get(id)?.process?.kill(name);
  }

  /** The last lines of every node, for a failure's message. */
  tail(): string {
    return [...this.nodes].map(([id, node]) => `node ${id}:\n${node.lines.slice(-15).join("\n")}`).join("\n");
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) {
      node.process?.kill("SIGCONT");
      node.process?.kill("SIGKILL");
    }
    await until(10_000, "all nodes are gone", () => [...this.nodes.values()].every((node) => node.process === null));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for a condition, with a deadline. */
export async function until(deadlineMs: number, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

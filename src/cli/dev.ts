/** `kontiki dev`: a cluster on this machine, one process a node, and a line for each thing that happens. */

import { startNodeProcess, type Child } from "../host/child.js";
import { isPortFree } from "../host/free-ports.js";
import { absolutePath, besides, exit, onStopSignal, print, uptimeMs } from "../host/process.js";
import { listFolder, makeTemporaryFolder, removeFolder } from "../host/temporary.js";
import { nodeSettings } from "../app/dev-settings.js";
import { CliError } from "./kafka-client.js";

export interface DevOptions {
  readonly nodes: number;
  readonly port: number;
  readonly data: string;
  readonly ephemeral: boolean;
}

/** The quorum's ports lie this far above the clients'. */
const CONTROLLER_OFFSET = 1_000;
const HOST = "127.0.0.1";
const IMPATIENT_MS = 1_000;

export async function runDev(options: DevOptions): Promise<void> {
  const { nodes, port } = options;
  if (![1, 3, 5].includes(nodes)) throw new CliError(`--nodes ${nodes}: 1, 3 or 5 nodes; an even number adds no safety`);
  if (port < 1 || port + CONTROLLER_OFFSET + nodes > 65_536) throw new CliError(`--port ${port}: between 1 and ${65_535 - CONTROLLER_OFFSET - nodes}`);
  const ports = Array.from({ length: nodes }, (_, i) => port + i);
  const controllerPorts = ports.map((one) => one + CONTROLLER_OFFSET);
  for (const one of [...ports, ...controllerPorts]) {
    if (!(await isPortFree(HOST, one))) throw new CliError(`port ${one} is in use: stop what listens there, or choose others with --port`);
  }
  const data = options.ephemeral ? await makeTemporaryFolder("kontiki-dev-") : absolutePath(options.data);
  const present = (listFolder(data) ?? []).filter((name) => /^node-\d+$/.test(name)).length;
  if (present !== 0 && present !== nodes) throw new CliError(`${options.data} belongs to a cluster of ${present} nodes: start it with --nodes ${present}, or give another folder with --data`);

  const ready = new Set<number>();
  let stopping = false;
  const children: Child[] = [];
  const left = new Set<number>();
  for (let index = 0; index < nodes; index++) {
    const environment = Object.fromEntries([...nodeSettings({ index, count: nodes, ports, controllerPorts, data })].map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll(".", "_")}`, value]));
    const child = startNodeProcess({ script: besides(__dirname, "../main.js"), arguments: ["node"], environment });
    const id = index + 1;
    left.add(id);
    child.onLine((line) => tell(id, line, ready.size === nodes));
    child.onErrorLine((line) => print(`node ${id}: ${line}\n`));
    child.onTold(() => {
      ready.add(id);
      if (ready.size === nodes) print(readyText(ports, nodes, options, data));
    });
    child.onExit(({ code, signal }) => {
      left.delete(id);
      if (!stopping) print(`node ${id} has ended (${signal ?? `code ${code}`})\n`);
      if (left.size === 0) void end(data, options.ephemeral, stopping ? 0 : 1);
    });
    children.push(child);
  }
  let askedMs = 0;
  onStopSignal(() => {
    // One Ctrl-C may come twice under npm: from the terminal, and from an npm that passes it on. Only a later one is impatience.
    if (stopping && uptimeMs() - askedMs >= IMPATIENT_MS) for (const child of children) child.signal("SIGKILL");
    if (stopping) return;
    print("\nstopping\n");
    stopping = true;
    askedMs = uptimeMs();
    for (const child of children) child.signal("SIGTERM");
  });
}

async function end(data: string, ephemeral: boolean, code: number): Promise<void> {
  if (ephemeral) await removeFolder(data);
  exit(code);
}

function readyText(ports: readonly number[], nodes: number, options: DevOptions, data: string): string {
  const servers = ports.map((port) => `${HOST}:${port}`).join(",");
  const replicas = nodes >= 3 ? "topics have 3 replicas, 2 of which must be in sync" : "topics have 1 replica";
  return `
kontiki is ready: ${nodes === 1 ? "one node" : `${nodes} nodes`} in ${Math.round(uptimeMs())} ms, ${replicas}
data: ${options.ephemeral ? `${data} (removed at the end)` : options.data}

  kcat -b ${HOST}:${ports[0]} -L
  new Kafka({ brokers: [${ports.map((port) => `"${HOST}:${port}"`).join(", ")}] })   // kafkajs
  kafka-topics.sh --bootstrap-server ${servers} --list

Ctrl-C stops it.

`;
}

/** The events that a person wants to see; everything else is in the nodes' own lines. */
const EVENTS: ReadonlySet<string> = new Set(["elected: active controller", "broker joined", "broker fenced", "broker unfenced", "isr shrank", "isr grew", "topic created", "topic deleted", "broker is stopping: its leaders have moved", "halted", "the node stops", "founded the cluster"]);

function tell(node: number, line: string, quiet: boolean): void {
  let event: { readonly [name: string]: unknown };
  try {
    event = JSON.parse(line) as { readonly [name: string]: unknown };
  } catch {
    print(`node ${node}: ${line}\n`);
    return;
  }
  const message = String(event["msg"]);
  const serious = event["level"] === "error" || event["level"] === "warn";
  if (!EVENTS.has(message) && !serious) return;
  void quiet;
  const facts = Object.entries(event).filter(([name]) => !["level", "time", "node", "role", "msg"].includes(name)).map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  print(`${String(event["time"]).slice(11, 23)} node ${node}: ${message}  ${facts.join(" ")}\n`);
}

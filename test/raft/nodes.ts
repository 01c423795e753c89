/** Whole members of a quorum on the host World: gRPC over loopback, real files. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { nodeId } from "../../src/base/ids.js";
import { openLog } from "../../src/host/logger.js";
import { RpcHub } from "../../src/host/rpc-hub.js";
import { type Halt, type HostWorld, makeWorld } from "../../src/host/world.js";
import { startQuorum } from "../../src/raft/driver.js";
import type { Leadership, Quorum, QuorumConfig, StateMachine } from "../../src/raft/quorum.js";

/** Remembers the data entries as text. */
export class TextMachine implements StateMachine {
  texts: string[] = [];
  index = 0;
  leaderships: Leadership[] = [];
  restores = 0;

  apply(entry: Parameters<StateMachine["apply"]>[0]): void {
    if (entry.index !== this.index + 1) throw new Error(`applied ${entry.index} after ${this.index}`);
    this.index = entry.index;
    if (entry.kind === "data") this.texts.push(Buffer.from(entry.payload).toString());
    else if (entry.payload.length > 0) throw new Error("no payload but of data");
  }

  *snapshot(): IterableIterator<Uint8Array> {
    const texts = [...this.texts];
    for (let i = 0; i < texts.length; i += 10) yield Buffer.from(JSON.stringify(texts.slice(i, i + 10)));
  }

  async restore(point: { readonly index: number }, blocks: AsyncIterable<Uint8Array>): Promise<void> {
    this.restores++;
    this.texts = [];
    for await (const block of blocks) this.texts.push(...(JSON.parse(Buffer.from(block).toString()) as string[]));
    this.index = point.index;
  }

  leadership(change: Leadership): void {
    this.leaderships.push(change);
  }
}

export interface TestNode {
  readonly id: number;
  readonly port: number;
  hub: RpcHub;
  world: HostWorld;
  machine: TextMachine;
  quorum: Quorum;
  up: boolean;
}

export class Nodes {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), "kontiki-raft-"));
  readonly nodes: TestNode[] = [];
  readonly lines: string[] = [];
  readonly halts: Halt[] = [];
  readonly #log = openLog({ level: "info", write: (line) => this.lines.push(line) });

  static async start(count: number, options: Partial<QuorumConfig> = {}): Promise<Nodes> {
    const all = new Nodes();
    for (let id = 1; id <= count; id++) {
      const hub = await RpcHub.start({ listen: { host: "127.0.0.1", port: 0 } });
      all.nodes.push({ id, port: hub.port, hub } as TestNode); // the rest below
    }
    for (const node of all.nodes) await all.boot(node, options);
    return all;
  }

  get peers() {
    return this.nodes.map((node) => ({ id: nodeId(node.id), host: "127.0.0.1", port: node.port }));
  }

  folder(node: TestNode): string {
    return path.join(this.root, `node-${node.id}`);
  }

  /** @param spoil changes the World before anything is started in it: a disk that fails, for instance */
  async boot(node: TestNode, options: Partial<QuorumConfig> = {}, spoil: (world: HostWorld) => void = () => undefined): Promise<void> {
    fs.mkdirSync(this.folder(node), { recursive: true });
    node.world = makeWorld({ root: this.folder(node), syncClass: "raft", rpc: node.hub, log: this.#log, logFields: { node: node.id }, onHalt: (halt) => this.halts.push(halt) });
    spoil(node.world);
    node.machine = new TextMachine();
    node.quorum = await startQuorum(node.world, { nodeId: nodeId(node.id), directory: "quorum", peers: this.peers, electionMs: 300, heartbeatMs: 50, ...options }, node.machine);
    node.up = true;
  }

  /** As kill -9: the port refuses from now on. */
  kill(node: TestNode): void {
    node.up = false;
    node.world.halt("killed by the test");
    node.hub.close();
  }

  async stop(node: TestNode): Promise<void> {
    await node.quorum.close();
    this.kill(node);
  }

  async restart(node: TestNode, options: Partial<QuorumConfig> = {}, spoil: (world: HostWorld) => void = () => undefined): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 20)); // the listener lets go of its port
    node.hub = await RpcHub.start({ listen: { host: "127.0.0.1", port: node.port } });
    await this.boot(node, options, spoil);
  }

  get up(): TestNode[] {
    return this.nodes.filter((node) => node.up);
  }

  leader(): TestNode | null {
    return this.up.find((node) => node.machine.leaderships.at(-1)?.ready === true) ?? null;
  }

  async until<T>(what: string, ask: () => T | null | undefined | false): Promise<T> {
    for (let i = 0; i < 2000; i++) {
      const answer = ask();
      if (answer !== null && answer !== undefined && answer !== false) return answer;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`never: ${what}\n${this.up.map((node) => JSON.stringify(node.quorum.inspect())).join("\n")}\n${this.lines.slice(-30).join("")}${JSON.stringify(this.halts.map(String))}`);
  }

  /** Proposes until it is committed and applied on all that are up. */
  async commit(text: string): Promise<void> {
    await this.until(`${text} is proposed`, () => this.leader()?.quorum.propose(Buffer.from(text)).ok);
    await this.until(`${text} is applied`, () => this.up.every((node) => node.machine.texts.includes(text)));
  }

  async end(): Promise<void> {
    for (const node of this.up) this.kill(node);
    await new Promise((resolve) => setTimeout(resolve, 20));
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Nodes 1 to n on machines "n1" to "nn", with production settings and those of a plan. A process that ends is started again after a while, as an init system does. */
import type { MachineHalt } from "../machine.js";
import type { Seeded } from "../seeded.js";
import type { Simulation } from "../simulation.js";
import type { Plan } from "../plan.js";
import { BROKER_PORT, CONTROLLER_PORT, DATA, SimNode } from "./node.js";

const RESTART_MS = 800; // usually, with a draw around it

export class SimCluster {
  readonly nodes: readonly SimNode[];
  /** Processes that ended by a fault of their own, not killed by the plan: an injected disk fault may explain one, nothing else does. */
  readonly falls: MachineHalt[] = [];
  readonly #seeded: Seeded;
  /** Nodes that are about to be started again. */
  readonly #returning = new Set<SimNode>();

  constructor(readonly sim: Simulation, plan: Pick<Plan, "nodes" | "settings">) {
    this.#seeded = sim.seeded.fork("restarts");
    const ids = Array.from({ length: plan.nodes }, (_, i) => i + 1);
    const voters = ids.map((id) => `${id}@n${id}:${CONTROLLER_PORT}`).join(",");
    this.nodes = ids.map((id) => {
      const replicas = String(Math.min(3, plan.nodes));
      const settings = new Map([
        ["node.id", String(id)],
        ["process.roles", "broker,controller"],
        ["controller.quorum.voters", voters],
        ["controller.listener.names", "CONTROLLER"],
        ["listeners", `PLAINTEXT://n${id}:${BROKER_PORT},CONTROLLER://n${id}:${CONTROLLER_PORT}`],
        ["listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"],
        ["log.dirs", DATA],
        ["default.replication.factor", replicas],
        ["min.insync.replicas", plan.nodes >= 3 ? "2" : "1"],
        ["offsets.topic.replication.factor", replicas],
        ...Object.entries(plan.settings),
      ]);
      return new SimNode(id, sim.machine(`n${id}`), settings);
    });
    sim.onHalt = (halt) => this.#ended(halt);
  }

  node(id: number): SimNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** `host:port` of each node, as clients take it. */
  get bootstrap(): readonly { readonly host: string; readonly port: number }[] {
    return this.nodes.map((node) => ({ host: node.machine.name, port: BROKER_PORT }));
  }

  start(): void {
    for (const node of this.nodes) node.start();
  }

  #ended(halt: MachineHalt): void {
    const node = this.nodes.find((one) => one.machine.name === halt.machine);
    if (node === undefined) return;
    if (halt.cause !== undefined) this.falls.push(halt);
    if (this.#returning.has(node)) return; // each of its Worlds ends
    this.#returning.add(node);
    const delayMs = this.#seeded.around(RESTART_MS, 10_000);
    this.sim.at(this.sim.nowMs + delayMs, () => {
      this.#returning.delete(node);
      if (node.wanted && node.machine.powered && !node.isUp) node.start();
    });
  }
}

/** One production node on a machine of the simulation: what `kontiki node` starts, from the same settings, with the same roles. */
import { startBroker, type BrokerRole } from "../../app/broker-role.js";
import { nodeConfig, type NodeConfig } from "../../app/config.js";
import { startController, type ControllerRole } from "../../app/controller-role.js";
import { jobs } from "../../app/jobs.js";
import { readSettings } from "../../app/settings.js";
import type { Machine, SimProcess } from "../machine.js";
import type { SimWorld } from "../world.js";

export const BROKER_PORT = 9092;
export const CONTROLLER_PORT = 9093;
export const DATA = "/data";

/** A process that runs, or is on its way to. */
export interface Incarnation {
  readonly process: SimProcess;
  readonly worlds: { readonly controller: SimWorld; readonly broker: SimWorld };
  /** Null until they have started. */
  controller: ControllerRole | null;
  broker: BrokerRole | null;
  /** Set when a controlled stop was asked for. */
  stopping: boolean;
}

export class SimNode {
  readonly config: NodeConfig;
  current: Incarnation | null = null;
  /** Whether it is started again by itself some time after it has ended. */
  wanted = false;

  constructor(readonly id: number, readonly machine: Machine, settings: ReadonlyMap<string, string>) {
    this.config = nodeConfig(readSettings(settings).settings);
  }

  get isUp(): boolean {
    return this.current !== null && !this.current.process.ended;
  }

  /** Starts a process unless one runs. What goes wrong in it halts its World, as in production. */
  start(): void {
    if (this.isUp) return;
    this.wanted = true;
    const process = this.machine.start({ rpcPort: CONTROLLER_PORT });
    const worlds = { controller: process.world({ role: "controller", root: DATA }), broker: process.world({ role: "broker", root: DATA, jobs }) };
    const incarnation: Incarnation = { process, worlds, controller: null, broker: null, stopping: false };
    this.current = incarnation;
    worlds.controller.clock.soon(() =>
      worlds.controller.own(
        startController(worlds.controller, this.config).then((role) => void (incarnation.controller = role)),
        "starting the controller",
      ),
    );
    worlds.broker.clock.soon(() =>
      worlds.broker.own(
        startBroker(worlds.broker, this.config).then((role) => void (incarnation.broker = role)),
        "starting the broker",
      ),
    );
  }

  /** SIGTERM: leaders move away, then the process ends. It stays down until it is started. */
  stop(): void {
    const incarnation = this.current;
    this.wanted = false;
    if (incarnation === null || incarnation.process.ended || incarnation.stopping) return;
    incarnation.stopping = true;
    const { process, worlds } = incarnation;
    worlds.broker.clock.soon(() => {
      const closing = (incarnation.broker?.close() ?? Promise.resolve()).then(() => {
        worlds.controller.clock.soon(() => worlds.controller.own((incarnation.controller?.close() ?? Promise.resolve()).then(() => process.end("stopped")), "stopping the controller"));
      });
      worlds.broker.own(closing, "stopping the broker");
    });
  }
}

/** Several nodes inside the caller's process, for tests and for Node programs that want a Kafka of their own. */
import { openLog } from "../host/logger.js";
import { freePorts } from "../host/free-ports.js";
import { makeTemporaryFolder, removeFolder } from "../host/temporary.js";
import { RpcHub } from "../host/rpc-hub.js";
import { makeWorld, type HostWorld } from "../host/world.js";
import { startBroker, type BrokerRole } from "./broker-role.js";
import { nodeConfig } from "./config.js";
import { startController, type ControllerRole } from "./controller-role.js";
import { jobs } from "./jobs.js";
import { nodeSettings } from "./dev-settings.js";
import { readSettings } from "./settings.js";

export interface ClusterOptions {
  /** 1, 3 or 5. */
  readonly nodes?: number;
  /** First client port; free ports when left out. */
  readonly port?: number;
  /** Where data lies; a temporary folder that is removed at close when left out. */
  readonly data?: string;
  /** More settings by Kafka's names, for every node. */
  readonly settings?: { readonly [name: string]: string };
}

export interface Cluster {
  /** `host:port` of each node. */
  readonly bootstrap: readonly string[];
  /** The same as clients take it: with commas. */
  readonly bootstrapServers: string;
  close(): Promise<void>;
}

interface RunningNode {
  readonly hub: RpcHub;
  readonly worlds: readonly HostWorld[];
  readonly controller: ControllerRole;
  readonly broker: BrokerRole;
}

/** Ready for clients when it resolves. @throws SettingsError, NetworkFault "address-in-use" */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const count = options.nodes ?? 1;
  const folder = options.data ?? (await makeTemporaryFolder("kontiki-"));
  const ports = options.port === undefined ? await freePorts(2 * count) : Array.from({ length: 2 * count }, (_, i) => (options.port as number) + (i < count ? i : 10_000 + i - count));
  const log = openLog({ level: "silent", write: () => undefined });
  const faults: unknown[] = [];
  const nodes = await Promise.all(
    Array.from({ length: count }, async (_, i): Promise<RunningNode> => {
      const given = nodeSettings({ index: i, count, ports: ports.slice(0, count), controllerPorts: ports.slice(count), data: folder });
      const config = nodeConfig(readSettings(new Map([...given, ...Object.entries(options.settings ?? {})])).settings);
      const own = config.voters[i];
      if (config.controllerListener === null || own === undefined) throw new Error("every node of this cluster is a controller");
      const hub = await RpcHub.start({ listen: config.controllerListener, self: { host: own.host, port: own.port } });
      const world = (role: "controller" | "broker") =>
        makeWorld({ root: config.dataDirectory, syncClass: role === "controller" ? "raft" : "data", rpc: hub, log, jobs, onHalt: (halt) => void (halt.cause !== undefined && faults.push(halt.cause)) });
      const worlds = [world("controller"), world("broker")] as const;
      const controller = await startController(worlds[0], config);
      const broker = await startBroker(worlds[1], config);
      return { hub, worlds, controller, broker };
    }),
  );
  await Promise.all(nodes.map((node) => new Promise<void>((resolve) => node.broker.onReady(resolve))));
  const bootstrap = nodes.flatMap((node) => node.broker.addresses.map((one) => `${one.host}:${one.port}`));
  return {
    bootstrap,
    bootstrapServers: bootstrap.join(","),
    async close() {
      await Promise.all(nodes.map((node) => node.broker.close()));
      await Promise.all(nodes.map((node) => node.controller.close()));
      for (const node of nodes) {
        for (const world of node.worlds) world.halt("closed");
        node.hub.close();
      }
      if (options.data === undefined) await removeFolder(folder);
      if (faults.length > 0) throw faults[0];
    },
  };
}

/** The controller in a thread of its own: a late heartbeat would be an election. It has the node's rpc hub, and grpc-js with it. */
import { openLog, type LogLevel } from "../host/logger.js";
import { RpcHub } from "../host/rpc-hub.js";
import { threadSide, type ThreadSide } from "../host/thread.js";
import { makeWorld } from "../host/world.js";
import { nodeConfig } from "./config.js";
import { startController } from "./controller-role.js";
import { Settings } from "./settings.js";

export interface ControllerThreadData {
  readonly given: readonly (readonly [string, string])[];
  readonly level: LogLevel;
}

async function run(side: ThreadSide): Promise<void> {
  const { given, level } = side.data as ControllerThreadData; // what run-node.ts passes
  const config = nodeConfig(new Settings(new Map(given)));
  const own = config.voters.find((voter) => voter.id === config.nodeId);
  if (config.controllerListener === null || own === undefined) throw new Error("a controller has a listener");
  const log = openLog({ level });
  const hub = await RpcHub.start({ listen: config.controllerListener, self: { host: own.host, port: own.port } });
  hub.attach(side.rpcPort);
  const world = makeWorld({
    root: config.metadataDirectory,
    syncClass: "raft",
    rpc: hub,
    log,
    logFields: { node: config.nodeId, role: "controller" },
    meterLabels: { role: "controller" },
    onHalt: (halt) => {
      log.flush();
      side.tell({ halted: halt.reason, fault: halt.cause !== undefined });
    },
  });
  const role = await startController(world, config);
  side.answer("metrics", () => world.metrics());
  side.answer("status", () => ({ leader: role.quorum.status().leader }));
  side.answer("close", async () => {
    await role.close();
    hub.close();
    log.flush();
  });
  side.ready({ port: hub.port });
}

const side = threadSide();
if (side !== null) run(side).catch((error: unknown) => side.failed(error));

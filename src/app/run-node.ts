/** One node as one process: the broker on the main thread, the controller on its own, metrics and health beside them. */

import { serveHttp, type HttpServer } from "../host/http.js";
import { openLog, type LogLevel } from "../host/logger.js";
import type { MetricSnapshot } from "../host/meter.js";
import { besides, deadline, exit, onParentGone, onStopSignal, onStray, tellParent, uptimeMs } from "../host/process.js";
import { PortCarrier } from "../host/rpc-port.js";
import type { RpcHub } from "../host/rpc-hub.js";
import { startThread, type RoleThread } from "../host/thread.js";
import { makeWorld, type HostWorld } from "../host/world.js";
import type { BrokerRole } from "./broker-role.js";
import { nodeConfig } from "./config.js";
import type { Settings } from "./settings.js";

const CLOSE_MAX_MS = 20_000;

export async function runNode(settings: Settings, level: LogLevel, warnings: readonly string[]): Promise<void> {
  const config = nodeConfig(settings);
  const log = openLog({ level });
  const lines = log.logger({ node: config.nodeId }, null);
  for (const warning of warnings) lines.warn({ detail: warning }, "setting");
  let stopping = false;
  const fail = (reason: string, cause: unknown): never => {
    lines.error({ reason, cause }, "the node stops");
    return exit(1, log);
  };
  onStray((error) => fail("a fault that belongs to nobody", error));

  // The thread loads its code while this one loads the broker's.
  const controller = config.roles.controller ? startThread({ module: besides(__dirname, "controller-thread.js"), name: "controller", data: { given: settings.given(), level } }) : null;
  const [thread, { startBroker }] = await Promise.all([controller, import("./broker-role.js")]);
  thread?.onTold((fact) => fail("the controller has halted", fact));
  thread?.onExit((cause) => {
    if (!stopping) fail("the controller's thread has ended", cause);
  });
  const hub = thread === null ? await (await import("../host/rpc-hub.js")).RpcHub.start({ listen: null }) : null; // gRPC is loaded where it is used
  let world: HostWorld | null = null;
  let broker: BrokerRole | null = null;
  if (config.roles.broker) {
    world = makeWorld({
      root: config.dataDirectory,
      syncClass: "data",
      rpc: thread === null ? (hub as RpcHub) : new PortCarrier(thread.rpcPort),
      log,
      logFields: { node: config.nodeId, role: "broker" },
      meterLabels: { role: "broker" },
      jobs: { module: besides(__dirname, "jobs.js") },
      onHalt: (halt) => {
        if (!stopping) fail(halt.reason, halt.cause);
      },
    });
    broker = await startBroker(world, config);
    broker.onReady(() => {
      lines.info({ ms: Math.round(uptimeMs()), addresses: broker?.addresses.map((one) => `${one.name}://${one.host}:${one.port}`) }, "ready");
      tellParent({ ready: true, ms: Math.round(uptimeMs()) });
    });
  }
  const http = config.http === null ? null : await serveMetrics(config.http, world, thread, broker);

  const stop = (why: string) => {
    if (stopping) return exit(1, log); // asked twice: at once
    stopping = true;
    lines.info({ why }, "stopping");
    const late = deadline(CLOSE_MAX_MS, () => fail("the stop took too long", null));
    void close(broker, thread, hub, http).then(
      () => {
        late();
        exit(0, log);
      },
      (error: unknown) => fail("the stop failed", error),
    );
  };
  onStopSignal((signal) => void stop(signal));
  onParentGone(() => void stop("the process that started this one has gone"));
}

async function close(broker: BrokerRole | null, thread: RoleThread | null, hub: RpcHub | null, http: HttpServer | null): Promise<void> {
  await broker?.close();
  await thread?.ask("close");
  hub?.close();
  await http?.close();
}

async function serveMetrics(at: { readonly host: string; readonly port: number }, world: HostWorld | null, thread: RoleThread | null, broker: BrokerRole | null): Promise<HttpServer> {
  const text = (status: number, body: string) => ({ status, contentType: "text/plain; charset=utf-8", body });
  return serveHttp({
    ...at,
    routes: {
      "/live": () => text(200, "live\n"),
      "/ready": async () => {
        const quorum = thread === null ? null : ((await thread.ask("status")) as { readonly leader: number | null });
        const ready = (broker === null || broker.isReady()) && (quorum === null || quorum.leader !== null);
        return ready ? text(200, "ready\n") : text(503, "not ready: waits for the quorum's leader, or to be unfenced\n");
      },
      "/metrics": async () => {
        const { prometheusText, PROMETHEUS_CONTENT_TYPE } = await import("../host/prometheus.js");
        const controller = thread === null ? [] : ((await thread.ask("metrics")) as readonly MetricSnapshot[]);
        return { status: 200, contentType: PROMETHEUS_CONTENT_TYPE, body: await prometheusText([world?.metrics() ?? [], controller]) };
      },
    },
  });
}

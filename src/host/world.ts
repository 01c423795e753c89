/**
 * Joins the parts of host/ to the World of one role. In a process of its own the caller lets `onHalt` end the process; in an in-process
 * cluster only this role ends, and a restarted one gets a new World.
 */
import type { LogFields } from "../world/logger.js";
import type { Labels } from "../world/meter.js";
import type { OffloadParameters, World } from "../world/world.js";
import { HostClock } from "./clock.js";
import { HostDisk } from "./disk.js";
import type { SyncClass } from "./disk-traffic.js";
import { Life } from "./life.js";
import type { LogSink } from "./logger.js";
import { HostMeter, type MetricSnapshot } from "./meter.js";
import { HostNetwork, type NetworkOptions } from "./network.js";
import { type Jobs, makeOffload } from "./offload.js";
import { HostRandom } from "./random.js";
import { type Carrier, HostRpc } from "./rpc-carrier.js";

export interface WorldOptions {
  /** The data directory: relative paths of the Disk are below it. It need not exist yet. */
  readonly root: string;
  /** "raft" for the controller: its disk work never waits behind data. */
  readonly syncClass: SyncClass;
  /** A RpcHub of this thread, or a PortCarrier to the hub of another. */
  readonly rpc: Carrier;
  readonly log: LogSink;
  /** On each line, for instance { node, role }. */
  readonly logFields?: LogFields;
  /** On each metric, for instance { role }. */
  readonly meterLabels?: Labels;
  readonly jobs?: Jobs;
  readonly network?: NetworkOptions;
  /** The World is dead when this is called, once. No `cause`: a clean stop. */
  readonly onHalt: (halt: Halt) => void;
}

export interface Halt {
  readonly reason: string;
  readonly cause: unknown;
}

export interface HostWorld extends World {
  /** Its metrics as plain data, for whoever is scraped; works after halt too. */
  metrics(): readonly MetricSnapshot[];
}

export function makeWorld(options: WorldOptions): HostWorld {
  const lastWords = options.log.logger(options.logFields ?? {}, null);
  const life = new Life((reason, cause) => {
    if (cause === undefined) lastWords.info({ reason }, "stopped");
    else lastWords.error({ reason, cause }, "halted");
    options.onHalt({ reason, cause });
  });
  const meter = new HostMeter(options.meterLabels);
  const offload = makeOffload(life, options.jobs ?? {});
  return {
    clock: new HostClock(life),
    random: new HostRandom(life),
    disk: new HostDisk(life, options.root, options.syncClass),
    network: new HostNetwork(life, options.network),
    rpc: new HostRpc(life, options.rpc),
    logger: options.log.logger(options.logFields ?? {}, life),
    meter,
    offload: (job: string, input: Uint8Array, parameters: OffloadParameters) => offload(job, input, parameters),
    own(promise, what) {
      promise.catch((error: unknown) => life.halt(`${what} failed`, error)); // a dead life ignores it
    },
    halt: (reason, cause) => life.halt(reason, cause),
    get halted() {
      return life.halted;
    },
    metrics: () => meter.snapshot(),
  };
}

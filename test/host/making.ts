/** The Node making of the World, with temporary folders. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { SyncClass } from "../../src/host/disk-traffic.js";
import { type LogSink, openLog } from "../../src/host/logger.js";
import type { NetworkOptions } from "../../src/host/network.js";
import type { Jobs } from "../../src/host/offload.js";
import type { Carrier } from "../../src/host/rpc-carrier.js";
import { RpcHub } from "../../src/host/rpc-hub.js";
import { type Halt, type HostWorld, makeWorld } from "../../src/host/world.js";
import type { MakeMaking, Making } from "../conformance/making.js";

export interface HostMaking extends Making {
  world(options?: { readonly disk?: string; readonly rpc?: Carrier }): Promise<HostWorld>;
  readonly lines: string[];
  readonly halts: Halt[];
  readonly root: string;
}

export interface HostMakingOptions {
  readonly network?: NetworkOptions;
  readonly jobs?: Jobs;
  readonly syncClass?: SyncClass;
}

export async function hostMaking(options: HostMakingOptions = {}): Promise<HostMaking> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "kontiki-host-"));
  const hub = await RpcHub.start({ listen: null });
  const worlds: HostWorld[] = [];
  const lines: string[] = [];
  const halts: Halt[] = [];
  const log: LogSink = openLog({ level: "debug", write: (line) => lines.push(line) });
  return {
    lines,
    halts,
    root,
    world({ disk = `disk-${worlds.length}`, rpc = hub } = {}) {
      const folder = path.join(root, disk);
      fs.mkdirSync(folder, { recursive: true });
      const { network, jobs, syncClass = "data" } = options;
      const world = makeWorld({
        root: folder, syncClass, rpc, log,
        logFields: { node: worlds.length },
        meterLabels: { role: "test" },
        ...(network === undefined ? {} : { network }),
        ...(jobs === undefined ? {} : { jobs }),
        onHalt: (halt) => halts.push(halt),
      });
      worlds.push(world);
      return Promise.resolve(world);
    },
    run: (work) => work(),
    async end() {
      for (const world of worlds) world.halt("the test is over");
      hub.close();
      await new Promise((resolve) => setImmediate(resolve));
      fs.rmSync(root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

export const makeHost: MakeMaking = () => hostMaking();

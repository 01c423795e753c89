/** The simulator's making of the World: one machine, on which each World is a process of its own, as in the Node making. */
import { Simulation, type SimulationOptions } from "../../src/sim/simulation.js";
import type { SimWorld } from "../../src/sim/world.js";
import type { MakeMaking, Making } from "../conformance/making.js";
import type { RpcMaking } from "../conformance/rpc.js";

export interface SimMaking extends Making {
  world(options?: { readonly disk?: string }): Promise<SimWorld>;
  readonly sim: Simulation;
}

/** The suites' own code draws and tells the time (fast-check does), so the globals are left alone. */
export function simMaking(options: SimulationOptions): SimMaking {
  const sim = new Simulation({ guarded: false, ...options });
  let worlds = 0;
  return {
    sim,
    world: ({ disk = `disk-${worlds}` } = {}) => Promise.resolve(sim.machine("host").start({ name: `w${worlds++}` }).world({ role: "test", root: `/${disk}` })),
    run: (work) => sim.drive(work),
    end: () => Promise.resolve(sim.end()),
  };
}

export const makeSim = (seed: number): MakeMaking => () => Promise.resolve(simMaking({ seed }));

/** @param where the client's role: another machine, another process here, or the server's own process */
export function simRpcMaking(seed: number, where: "another machine" | "another process" | "the same process"): () => Promise<RpcMaking> {
  return () => {
    const sim = new Simulation({ guarded: false, seed });
    const host = sim.machine("n1");
    const node = host.start({ rpcPort: 9093, endsTogether: false });
    const server = node.world({ role: "server" });
    const other = where === "another machine" ? sim.machine("n2").start() : where === "another process" ? host.start() : node;
    return Promise.resolve({
      server,
      client: other.world({ role: "client" }),
      address: { host: where === "another machine" ? "n1" : "127.0.0.1", port: 9093 },
      ...(where === "another machine" ? { clientHost: "n2" } : {}),
      nobody: { host: where === "another machine" ? "n1" : "127.0.0.1", port: 9 },
      run: (work) => sim.drive(work),
      end: () => Promise.resolve(sim.end()),
    });
  };
}

import { MessageChannel } from "node:worker_threads";
import type { Carrier } from "../../src/host/rpc-carrier.js";
import { RpcHub } from "../../src/host/rpc-hub.js";
import { PortCarrier } from "../../src/host/rpc-port.js";
import { describeRpc, type RpcMaking } from "../conformance/rpc.js";
import { hostMaking } from "./making.js";

const HOST = "127.0.0.1";

/** The hub's carrier itself, or one behind a port as in another thread. */
function behindPort(hub: RpcHub): Carrier {
  const { port1, port2 } = new MessageChannel();
  hub.attach(port1);
  return new PortCarrier(port2);
}

async function freePort(): Promise<number> {
  const hub = await RpcHub.start({ listen: { host: HOST, port: 0 } });
  hub.close();
  return hub.port;
}

function making(server: (hub: RpcHub) => Carrier, client: ((hub: RpcHub) => Carrier) | "another node"): () => Promise<RpcMaking> {
  return async () => {
    const host = await hostMaking();
    const hub = await RpcHub.start({ listen: { host: HOST, port: 0 } });
    const other = await RpcHub.start({ listen: null });
    const worlds = { server: await host.world({ rpc: server(hub) }), client: await host.world({ rpc: client === "another node" ? other : client(hub) }) };
    return {
      ...worlds,
      address: { host: HOST, port: hub.port },
      nobody: { host: HOST, port: await freePort() },
      run: (work) => work(),
      async end() {
        await host.end();
        hub.close();
        other.close();
      },
    };
  };
}

describeRpc("Node, gRPC between nodes", making((hub) => hub, "another node"));
describeRpc("Node, within one node", making((hub) => hub, (hub) => hub));
describeRpc("Node, opener behind a port", making((hub) => hub, behindPort));
describeRpc("Node, server behind a port, opener at another node", making(behindPort, "another node"));
describeRpc("Node, both behind ports", making(behindPort, behindPort));

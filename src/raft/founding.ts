/**
 * Founding needs no format step (design §5): a node with an empty disk asks its expected peers. If any knows a cluster it joins that; only when all of them
 * answer "empty, same list" does the lowest id found one, and the others adopt it. A decision over the hellos of those that are connected now.
 */
import type { NodeId } from "../base/ids.js";
import type { Hello } from "./wire.js";

export type Founding =
  | { readonly do: "wait"; readonly missing: readonly NodeId[] }
  | { readonly do: "join"; readonly clusterId: string }
  | { readonly do: "found" }
  /** Goes on asking: somebody may set it right. */
  | { readonly do: "refuse"; readonly reason: string };

/** @param heard the newest hello of each expected peer */
export function decideFounding(self: Hello, peers: readonly NodeId[], heard: ReadonlyMap<NodeId, Hello>): Founding {
  const others = peers.filter((id) => id !== self.nodeId);
  const hellos = others.flatMap((id) => heard.get(id) ?? []);
  const clusters = [...new Set(hellos.map((hello) => hello.clusterId).filter((id) => id !== ""))].sort();
  if (clusters.length > 1) return { do: "refuse", reason: `the expected peers belong to different clusters: ${clusters.join(", ")}` };
  const [known] = clusters;
  if (known !== undefined) return { do: "join", clusterId: known };
  const different = hellos.find((hello) => hello.expected !== self.expected);
  if (different !== undefined) {
    return { do: "refuse", reason: `node ${different.nodeId} expects the voters ${different.expected} and this node ${self.expected}: controller.quorum.voters must be the same everywhere` };
  }
  const missing = others.filter((id) => !heard.has(id));
  if (missing.length > 0) return { do: "wait", missing };
  const lowest = [...peers].sort((a, b) => a - b)[0];
  if (lowest === self.nodeId) return { do: "found" };
  return { do: "wait", missing: [] }; // the lowest will tell of the cluster that it founds
}

export function expectedOf(peers: readonly { readonly id: NodeId }[]): string {
  return peers.map((peer) => peer.id).sort((a, b) => a - b).join(",");
}

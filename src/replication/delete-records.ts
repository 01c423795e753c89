/** DeleteRecords of one partition: the start moves here, durably, and the answer waits until every live replica has moved its own. behaviours.md §15. */
import { offset as toOffset, type NodeId } from "../base/ids.js";
import type { Replicas } from "./replicas.js";
import type { Finder } from "./producing.js";
import type { Replica } from "./replica.js";
import type { WaitingRoom } from "./waiting.js";

export interface DeletingParts {
  readonly waiting: WaitingRoom;
  /** cleanup.policy in force. */
  readonly policies: (topic: string) => readonly string[];
  readonly alive: (id: NodeId) => boolean;
}

export async function deleteRecords(found: ReturnType<Finder["find"]>, options: Parameters<Replicas["deleteRecords"]>[1], parts: DeletingParts): ReturnType<Replicas["deleteRecords"]> {
  if (!found.ok) return { error: found.error, lowWatermark: -1n };
  const { replica } = found;
  if (!parts.policies(replica.topic).includes("delete")) return { error: "POLICY_VIOLATION", lowWatermark: -1n };
  const to = options.before === -1n ? BigInt(replica.highWatermark) : options.before;
  if (to < 0n || to > BigInt(replica.highWatermark)) return { error: "OFFSET_OUT_OF_RANGE", lowWatermark: -1n };
  const { epoch } = replica;
  if (to > BigInt(replica.log.start)) await replica.log.raiseStart(toOffset(Number(to)));
  replica.onMove();
  const low = () => lowWatermark(replica, parts.alive);
  const lost = () => replica.role.name !== "leader" || replica.epoch !== epoch;
  if (low() < Number(to) && !lost()) {
    const reached = await new Promise<boolean>((resolve) => {
      const check = () => {
        if (low() < Number(to) && !lost()) return false;
        resolve(true);
        return true;
      };
      parts.waiting.add({ check, expire: () => resolve(false) }, [replica.key], options.timeoutMs);
    });
    if (!reached) return { error: "REQUEST_TIMED_OUT", lowWatermark: -1n };
  }
  return lost() ? { error: "NOT_LEADER_OR_FOLLOWER", lowWatermark: -1n } : { error: "NONE", lowWatermark: BigInt(low()) };
}

/** The least log start of all replicas that are alive. */
function lowWatermark(replica: Replica, alive: DeletingParts["alive"]): number {
  if (replica.role.name !== "leader") return -1;
  let low: number = replica.log.start;
  for (const [id, follower] of replica.role.view.followers) if (alive(id)) low = Math.min(low, follower.logStart);
  return low;
}

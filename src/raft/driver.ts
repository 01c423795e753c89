/** The dull loop around the core. */
import type { World } from "../world/world.js";
import type { Quorum, QuorumConfig, StateMachine } from "./quorum.js";

/** @throws IdentityError for a disk of another node or cluster */
export function startQuorum(_world: World, _config: QuorumConfig, _machine: StateMachine): Promise<Quorum> {
  return Promise.reject(new Error("in work"));
}

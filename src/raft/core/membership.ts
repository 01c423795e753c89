/** When the membership may change: one voter at a time, in the log, in force when appended. Thesis §4.1; Ongaro, raft-dev 2015. */
import { votersChanged } from "../members.js";
import { keyOf, type Membership } from "../types.js";
import type { Raft } from "./state.js";

/**
 * The change before must be committed, and so must an entry of our own term: otherwise two leaders in a row could each change one voter of the
 * same membership and end with majorities that do not meet.
 */
export function mayChange(raft: Raft, to: Membership): boolean {
  const { role, log } = raft;
  if (role.name !== "leader" || role.transfer !== null) return false;
  if (log.membersIndex > raft.commit || raft.commit < role.firstIndex) return false;
  const keys = [...to.voters, ...to.learners].map(keyOf);
  return to.voters.length > 0 && votersChanged(log.members, to) <= 1 && new Set(keys).size === keys.length;
}

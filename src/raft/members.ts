/** Memberships as bytes, and majorities. */
import { nodeId, uuid } from "../base/ids.js";
import { keyOf, type Member, type MemberKey, type Membership } from "./types.js";

export function encodeMembership(members: Membership): Uint8Array {
  return Buffer.from(JSON.stringify(members), "utf8");
}

/** @throws where the bytes are none that we wrote */
export function decodeMembership(bytes: Uint8Array): Membership {
  const read = JSON.parse(Buffer.from(bytes).toString("utf8")) as Membership; // checked field by field below
  const member = (one: Member): Member => ({
    id: nodeId(one.id), directoryId: uuid(one.directoryId), host: String(one.host), port: Number(one.port), ...(one.replaces === undefined ? {} : { replaces: uuid(one.replaces) }),
  });
  return { voters: read.voters.map(member), learners: read.learners.map(member) };
}

export function isVoter(members: Membership, key: MemberKey): boolean {
  return members.voters.some((one) => keyOf(one) === key);
}

export function isLearner(members: Membership, key: MemberKey): boolean {
  return members.learners.some((one) => keyOf(one) === key);
}

/** Voters and learners in order of their ids: whoever is sent to is sent to in this order. */
export function everyone(members: Membership): readonly Member[] {
  return [...members.voters, ...members.learners].sort((a, b) => a.id - b.id);
}

/** Does `has` hold for a majority of voters? */
export function isQuorum(members: Membership, has: (key: MemberKey) => boolean): boolean {
  const count = members.voters.filter((one) => has(keyOf(one))).length;
  return count * 2 > members.voters.length;
}

/** The largest value that a majority of voters has reached; 0 without voters. */
export function quorumValue(members: Membership, value: (key: MemberKey) => number): number {
  const values = members.voters.map((one) => value(keyOf(one))).sort((a, b) => b - a);
  return values[Math.floor(values.length / 2)] ?? 0;
}

/** How many voters differ. */
export function votersChanged(from: Membership, to: Membership): number {
  const before = new Set(from.voters.map(keyOf));
  const after = new Set(to.voters.map(keyOf));
  return [...before].filter((key) => !after.has(key)).length + [...after].filter((key) => !before.has(key)).length;
}

/** DescribeGroups and ListGroups: groups as people see them. */
import { errorCode } from "../../protocol/errors.js";
import type { DescribeGroupsResponse } from "../../protocol/messages/15-describe-groups.js";
import type { ListGroupsResponse } from "../../protocol/messages/16-list-groups.js";
import type { Input } from "../../protocol/schema.js";
import { metadataOf, NO_BYTES, type Group } from "./group.js";
import type { GroupMachine } from "./group-machine.js";

type Described = NonNullable<Input<typeof DescribeGroupsResponse>["groups"]>[number];
type Listed = NonNullable<Input<typeof ListGroupsResponse>["groups"]>[number];

export function describeGroup(machine: GroupMachine, groupId: string, version: number): Described {
  const group = machine.find(groupId)?.group ?? null;
  if (group === null) {
    const unknown = version >= 6 ? { errorCode: errorCode("GROUP_ID_NOT_FOUND"), errorMessage: `Group ${groupId} not found.` } : {}; // KIP-1043
    return { groupId, groupState: "Dead", ...unknown };
  }
  const stable = group.state === "Stable"; // otherwise neither the protocol nor an assignment holds
  return {
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? "",
    protocolData: stable ? (group.protocolName ?? "") : "",
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: stable ? metadataOf(member, group.protocolName) : NO_BYTES,
      memberAssignment: stable ? member.assignment : NO_BYTES,
    })),
  };
}

/** Filters ignore case; an empty one lets everything through. */
export function listGroups(machine: GroupMachine, filter: { readonly states: readonly string[]; readonly types: readonly string[] }): readonly Listed[] {
  const states = new Set(filter.states.map((state) => state.toLowerCase()));
  const types = new Set(filter.types.map((type) => type.toLowerCase()));
  if (types.size > 0 && !types.has("classic")) return [];
  const passes = (group: Group) => states.size === 0 || states.has(group.state.toLowerCase());
  return [...machine.groups.values()]
    .map((entry) => entry.group)
    .filter(passes)
    .map((group) => ({ groupId: group.id, protocolType: group.protocolType ?? "", groupState: group.state, groupType: "classic" }));
}

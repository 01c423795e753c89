/** A client's side of the classic protocol: it holds what it was told and sends what its library would. */
import { expect } from "vitest";
import { NO_UUID } from "../../src/base/ids.js";
import { errorName, type ErrorName } from "../../src/protocol/errors.js";
import { context, named, subscription, type GroupSim } from "./sim.js";

export interface ConsumerOptions {
  readonly group?: string;
  readonly instanceId?: string | null;
  readonly topics?: readonly string[];
  readonly protocols?: readonly { readonly name: string; readonly metadata: Uint8Array }[];
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly version?: number; // of JoinGroup
}

export type Joined = Awaited<ReturnType<GroupSim["groups"]["joinGroup"]>>;
export type Synced = Awaited<ReturnType<GroupSim["groups"]["syncGroup"]>>;

export class Consumer {
  memberId = "";
  generation = -1;
  leader = false;
  members: readonly string[] = [];
  assignment = "";
  readonly group: string;

  constructor(readonly sim: GroupSim, readonly options: ConsumerOptions = {}) {
    this.group = options.group ?? "g";
  }

  get instanceId(): string | null {
    return this.options.instanceId ?? null;
  }

  /** One JoinGroup, as it stands. */
  async joinOnce(memberId = this.memberId): Promise<Joined> {
    const { options } = this;
    const answer = await this.sim.groups.joinGroup(
      {
        groupId: this.group, sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000, rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000, memberId, groupInstanceId: this.instanceId,
        protocolType: "consumer", protocols: options.protocols ?? [{ name: "range", metadata: subscription(...(options.topics ?? ["t"])) }], reason: null,
      },
      context(options.version ?? 9),
    );
    this.take(answer);
    return answer;
  }

  take(answer: Joined): void {
    const error = named(answer);
    if (error === "MEMBER_ID_REQUIRED") this.memberId = answer.memberId ?? "";
    if (error === "UNKNOWN_MEMBER_ID") this.memberId = "";
    if (error !== "NONE") return;
    this.memberId = answer.memberId ?? "";
    this.generation = answer.generationId ?? -1;
    this.leader = answer.leader === this.memberId;
    this.members = (answer.members ?? []).map((member) => member.memberId ?? "");
  }

  /** Joins, with a second request where a member id is asked for. */
  async join(): Promise<Joined> {
    const first = await this.joinOnce();
    return named(first) === "MEMBER_ID_REQUIRED" ? await this.joinOnce() : first;
  }

  async sync(assignments: { readonly [memberId: string]: string } = {}): Promise<Synced> {
    const answer = await this.sim.groups.syncGroup(
      {
        groupId: this.group, generationId: this.generation, memberId: this.memberId, groupInstanceId: this.instanceId, protocolType: null, protocolName: null,
        assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: Buffer.from(text) })),
      },
      context(5),
    );
    if (named(answer) === "NONE") this.assignment = Buffer.from(answer.assignment ?? []).toString();
    return answer;
  }

  async heartbeat(): Promise<ErrorName> {
    return named(await this.sim.groups.heartbeat({ groupId: this.group, generationId: this.generation, memberId: this.memberId, groupInstanceId: this.instanceId }, context(4)));
  }

  async leave(): Promise<ErrorName> {
    const answer = await this.sim.groups.leaveGroup({ groupId: this.group, memberId: "", members: [{ memberId: this.memberId, groupInstanceId: this.instanceId, reason: null }] }, context(5));
    return named(answer) === "NONE" ? errorName(answer.members?.[0]?.errorCode ?? -1) : named(answer);
  }

  async commit(offset: number, options: { readonly topic?: string; readonly partition?: number; readonly version?: number; readonly metadata?: string; readonly retentionMs?: bigint } = {}): Promise<ErrorName> {
    const answer = await this.sim.groups.offsetCommit(
      {
        groupId: this.group, generationIdOrMemberEpoch: this.generation, memberId: this.memberId, groupInstanceId: this.instanceId, retentionTimeMs: options.retentionMs ?? -1n,
        topics: [{ name: options.topic ?? "t", topicId: NO_UUID, partitions: [{ partitionIndex: options.partition ?? 0, committedOffset: BigInt(offset), committedLeaderEpoch: 3, committedMetadata: options.metadata ?? "" }] }],
      },
      context(options.version ?? 9),
    );
    return errorName(answer.topics?.[0]?.partitions?.[0]?.errorCode ?? -1);
  }

  /** A commit with time to be committed. */
  async committed(offset: number, options: Parameters<Consumer["commit"]>[1] = {}): Promise<ErrorName | "waits"> {
    return await this.sim.now(this.commit(offset, options));
  }

  /** The committed offset, or the error's name. */
  async fetch(options: { readonly topic?: string; readonly partition?: number; readonly requireStable?: boolean } = {}): Promise<number | ErrorName | "waits"> {
    return await fetchOffset(this.sim, this.group, options);
  }
}

export async function fetchOffset(sim: GroupSim, group: string, options: { readonly topic?: string; readonly partition?: number; readonly requireStable?: boolean } = {}): Promise<number | ErrorName | "waits"> {
  const topics = [{ name: options.topic ?? "t", topicId: NO_UUID, partitionIndexes: [options.partition ?? 0] }];
  const request = { groupId: "", topics: [], groups: [{ groupId: group, memberId: null, memberEpoch: -1, topics }], requireStable: options.requireStable ?? false };
  const answer = await sim.now(sim.groups.offsetFetch(request, context(8)));
  if (answer === "waits") return "waits";
  const one = answer.groups?.[0];
  if (one === undefined || one.errorCode !== 0) return errorName(one?.errorCode ?? -1);
  const partition = one.topics?.[0]?.partitions?.[0];
  if (partition?.errorCode !== 0) return errorName(partition?.errorCode ?? -1);
  return Number(partition.committedOffset);
}

/** Brings a group to Stable: everybody joins at once, the leader gives each member its own id as assignment. */
export async function stable(sim: GroupSim, consumers: readonly Consumer[]): Promise<void> {
  const joins = Promise.all(consumers.map((consumer) => consumer.join()));
  await sim.clock.advance(sim.settings["group.initial.rebalance.delay.ms"] ?? 3_000);
  await sim.clock.advance(sim.settings["group.initial.rebalance.delay.ms"] ?? 3_000);
  await joins;
  await assign(sim, consumers);
}

/** Everybody syncs in the generation they were told of. */
export async function assign(sim: GroupSim, consumers: readonly Consumer[]): Promise<void> {
  const leader = consumers.find((consumer) => consumer.leader);
  expect(leader, "a generation has a leader").toBeDefined();
  const plan = Object.fromEntries((leader?.members ?? []).map((id) => [id, `for ${id}`]));
  const syncs = Promise.all(consumers.map((consumer) => consumer.sync(consumer === leader ? plan : {})));
  await sim.clock.settle();
  for (const answer of await syncs) expect(named(answer)).toBe("NONE");
}

export async function state(sim: GroupSim, group = "g"): Promise<string> {
  const answer = await sim.now(sim.groups.describeGroups({ groups: [group], includeAuthorizedOperations: false }, context(5)));
  if (answer === "waits") return "waits";
  return answer.groups?.[0]?.groupState ?? "";
}

/**
 * The door of `coordinator/group/`: one method per API, from decoded request to answer. Finds the partition's machine, reads the request's
 * version, and lets nothing out that is not committed or not ours to say:
 *   changes answer when the high watermark has passed their record; reads when it has passed all they saw; both only while the reign lasts.
 */
import type { Coordination } from "../../coordination/coordination.js";
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import type { OffsetCommitRequest, OffsetCommitResponse } from "../../protocol/messages/08-offset-commit.js";
import type { OffsetFetchRequest, OffsetFetchResponse } from "../../protocol/messages/09-offset-fetch.js";
import type { FindCoordinatorRequest, FindCoordinatorResponse } from "../../protocol/messages/10-find-coordinator.js";
import type { JoinGroupRequest, JoinGroupResponse } from "../../protocol/messages/11-join-group.js";
import type { HeartbeatRequest, HeartbeatResponse } from "../../protocol/messages/12-heartbeat.js";
import type { LeaveGroupRequest, LeaveGroupResponse } from "../../protocol/messages/13-leave-group.js";
import type { SyncGroupRequest, SyncGroupResponse } from "../../protocol/messages/14-sync-group.js";
import type { DescribeGroupsRequest, DescribeGroupsResponse } from "../../protocol/messages/15-describe-groups.js";
import type { ListGroupsRequest, ListGroupsResponse } from "../../protocol/messages/16-list-groups.js";
import type { DeleteGroupsRequest, DeleteGroupsResponse } from "../../protocol/messages/42-delete-groups.js";
import type { OffsetDeleteRequest, OffsetDeleteResponse } from "../../protocol/messages/47-offset-delete.js";
import type { Input } from "../../protocol/schema.js";
import type { Replicas } from "../../replication/replicas.js";
import type { World } from "../../world/world.js";
import { LeaseGate } from "../lease-gate.js";
import { CoordinatorRuntime, type Found } from "../runtime.js";
import { within } from "../wait.js";
import { describeGroup, listGroups } from "./describe.js";
import { CoordinatorFinder, OFFSETS_TOPIC } from "./find-coordinator.js";
import { GroupMachine } from "./group-machine.js";
import { joinRefusal, syncRefusal, type JoinAnswer, type SyncAnswer } from "./group.js";
import { coordinatorPartition } from "../../protocol/hashes.js";
import { fetchAnswer, fetchAsks, planCommit, readOffsets, refusedFetch, type FetchAsk, type FetchedGroup } from "./offset-api.js";

export interface GroupRequestContext {
  readonly version: number;
  readonly clientId: string;
  readonly clientHost: string;
  /** Listener that the client came through; the first one of a broker where it is left out. */
  readonly listener?: string;
}

/** Kafka's names; read once, since none of them changes while a broker runs. */
export interface GroupSettings {
  number(name: string): number;
}

export interface GroupCoordinator {
  findCoordinator(request: FindCoordinatorRequest, context: GroupRequestContext): Promise<Input<typeof FindCoordinatorResponse>>;
  joinGroup(request: JoinGroupRequest, context: GroupRequestContext): Promise<Input<typeof JoinGroupResponse>>;
  syncGroup(request: SyncGroupRequest, context: GroupRequestContext): Promise<Input<typeof SyncGroupResponse>>;
  heartbeat(request: HeartbeatRequest, context: GroupRequestContext): Promise<Input<typeof HeartbeatResponse>>;
  leaveGroup(request: LeaveGroupRequest, context: GroupRequestContext): Promise<Input<typeof LeaveGroupResponse>>;
  offsetCommit(request: OffsetCommitRequest, context: GroupRequestContext): Promise<Input<typeof OffsetCommitResponse>>;
  offsetFetch(request: OffsetFetchRequest, context: GroupRequestContext): Promise<Input<typeof OffsetFetchResponse>>;
  describeGroups(request: DescribeGroupsRequest, context: GroupRequestContext): Promise<Input<typeof DescribeGroupsResponse>>;
  listGroups(request: ListGroupsRequest, context: GroupRequestContext): Promise<Input<typeof ListGroupsResponse>>;
  deleteGroups(request: DeleteGroupsRequest, context: GroupRequestContext): Promise<Input<typeof DeleteGroupsResponse>>;
  offsetDelete(request: OffsetDeleteRequest, context: GroupRequestContext): Promise<Input<typeof OffsetDeleteResponse>>;
  /** Plain data, by partition led here. */
  inspect(): readonly { readonly partition: number; readonly loaded: boolean; readonly groups: number; readonly waiters: number; readonly deadlines: number; readonly skipped: number }[];
  close(): void;
}

const LOAD_BYTES = 1024 * 1024;
/** Below the default max.message.bytes of a topic, with room for a header. */
const BATCH_MAX_BYTES = 1_000_000;
/** For a broker without a lease: how long it asks whether it still may speak. */
const CONFIRM_MS = 5_000;
const YIELD_AFTER_MS = 10;
/** Of one group in one look: a group with more waits for the next. */
const EXPIRY_TURNS_MAX = 100;

export function createGroupCoordinator(world: World, parts: { readonly replicas: Replicas; readonly coordination: Coordination; readonly settings: GroupSettings }): GroupCoordinator {
  return new Coordinator(world, parts.replicas, parts.coordination, parts.settings);
}

class Coordinator implements GroupCoordinator {
  readonly #world: World;
  readonly #coordination: Coordination;
  readonly #runtime: CoordinatorRuntime<GroupMachine>;
  readonly #finder: CoordinatorFinder;
  readonly #lease: LeaseGate;
  readonly #sessionMinMs: number;
  readonly #sessionMaxMs: number;
  readonly #commitTimeoutMs: number;
  readonly #metadataMaxBytes: number;
  readonly #retentionMs: number;
  readonly #expiryIntervalMs: number;
  #closed = false;

  constructor(world: World, replicas: Replicas, coordination: Coordination, settings: GroupSettings) {
    this.#world = world;
    this.#coordination = coordination;
    this.#sessionMinMs = settings.number("group.min.session.timeout.ms");
    this.#sessionMaxMs = settings.number("group.max.session.timeout.ms");
    this.#commitTimeoutMs = settings.number("offsets.commit.timeout.ms");
    this.#metadataMaxBytes = settings.number("offset.metadata.max.bytes");
    this.#retentionMs = settings.number("offsets.retention.minutes") * 60_000;
    this.#expiryIntervalMs = settings.number("offsets.retention.check.interval.ms");
    const limits = { membersMax: settings.number("group.max.size"), initialDelayMs: settings.number("group.initial.rebalance.delay.ms") };
    this.#runtime = new CoordinatorRuntime(world, replicas, {
      topic: OFFSETS_TOPIC,
      machine: () => new GroupMachine(world, limits),
      loadBytes: LOAD_BYTES,
      batchMaxBytes: BATCH_MAX_BYTES,
      commitTimeoutMs: this.#commitTimeoutMs,
    });
    this.#lease = new LeaseGate(coordination, CONFIRM_MS);
    this.#finder = new CoordinatorFinder(world, coordination, {
      partitions: settings.number("offsets.topic.num.partitions"),
      replicationFactor: settings.number("offsets.topic.replication.factor"),
      segmentBytes: settings.number("offsets.topic.segment.bytes"),
    });
    coordination.onImage((_image, _previous, changes) => {
      if (changes.topicsDeleted.size === 0 || this.#closed) return;
      // A partition that is still loading keeps such offsets: their topic id tells readers that they belong to nobody, and they expire.
      for (const shard of this.#runtime.shards()) if (shard.loaded) shard.machine.forgetTopics(changes.topicsDeleted);
    });
    world.own(this.#expire(), "expiry of committed offsets");
  }

  findCoordinator(request: FindCoordinatorRequest, context: GroupRequestContext): Promise<Input<typeof FindCoordinatorResponse>> {
    return Promise.resolve(this.#finder.answer(request, context.version, context.listener ?? null));
  }

  /** v4 asks for a member id first (KIP-394), v5 brought static members, v7 the protocol type, v9 skipped assignments. */
  async joinGroup(request: JoinGroupRequest, { version, clientId, clientHost }: GroupRequestContext): Promise<Input<typeof JoinGroupResponse>> {
    const { groupId, memberId, groupInstanceId: instanceId, sessionTimeoutMs, protocolType } = request;
    const answered = (answer: JoinAnswer): Input<typeof JoinGroupResponse> => ({
      errorCode: errorCode(answer.error), generationId: answer.generation, protocolType: answer.protocolType,
      protocolName: version >= 7 ? answer.protocolName : (answer.protocolName ?? ""), // not nullable before
      leader: answer.leader, skipAssignment: answer.skipAssignment, memberId: answer.memberId, members: answer.members,
    });
    if (groupId === "") return answered(joinRefusal("INVALID_GROUP_ID", memberId));
    if (sessionTimeoutMs < this.#sessionMinMs || sessionTimeoutMs > this.#sessionMaxMs) return answered(joinRefusal("INVALID_SESSION_TIMEOUT", memberId));
    const found = this.#find(groupId);
    if (!found.ok) return answered(joinRefusal(found.error, memberId));
    const ask = {
      memberId, instanceId, clientId, clientHost, sessionTimeoutMs, protocolType,
      freshId: `${instanceId ?? clientId}-${this.#world.random.uuidLong()}`,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocols: request.protocols.map((protocol) => ({ name: protocol.name, metadata: copied(protocol.metadata) })),
      needsId: version >= 4 && instanceId === null,
      maySkipAssignment: version >= 9,
    };
    return answered(await new Promise<JoinAnswer>((resolve) => found.shard.machine.joinGroup(groupId, ask, resolve)));
  }

  /** v3 brought static members, v5 the protocol's type and name. */
  async syncGroup(request: SyncGroupRequest): Promise<Input<typeof SyncGroupResponse>> {
    const { groupId, memberId, groupInstanceId: instanceId, generationId: generation, protocolType, protocolName } = request;
    const answered = (answer: SyncAnswer): Input<typeof SyncGroupResponse> => ({
      errorCode: errorCode(answer.error), protocolType: answer.protocolType, protocolName: answer.protocolName, assignment: answer.assignment,
    });
    if (groupId === "") return answered(syncRefusal("INVALID_GROUP_ID"));
    const found = this.#find(groupId);
    // A member meets COORDINATOR_LOAD_IN_PROGRESS as the end of its generation, as in Kafka: it joins again.
    if (!found.ok) return answered(syncRefusal(found.error === "COORDINATOR_LOAD_IN_PROGRESS" ? "REBALANCE_IN_PROGRESS" : found.error));
    const assignments = new Map(request.assignments.map((one) => [one.memberId, copied(one.assignment)]));
    const ask = { memberId, instanceId, generation, protocolType, protocolName, assignments };
    return answered(await new Promise<SyncAnswer>((resolve) => found.shard.machine.syncGroup(groupId, ask, resolve)));
  }

  heartbeat(request: HeartbeatRequest): Promise<Input<typeof HeartbeatResponse>> {
    const answered = (error: ErrorName) => Promise.resolve({ errorCode: errorCode(error) });
    if (request.groupId === "") return answered("INVALID_GROUP_ID");
    const found = this.#find(request.groupId);
    // While loading nobody's session has begun, so a heartbeat is good news whatever it says.
    if (!found.ok) return answered(found.error === "COORDINATOR_LOAD_IN_PROGRESS" ? "NONE" : found.error);
    const { memberId, groupInstanceId: instanceId, generationId: generation } = request;
    return answered(found.shard.machine.heartbeat(request.groupId, { memberId, instanceId, generation }));
  }

  /** v3 is a batch with an error for each. */
  leaveGroup(request: LeaveGroupRequest, { version }: GroupRequestContext): Promise<Input<typeof LeaveGroupResponse>> {
    const refused = (error: ErrorName) => Promise.resolve({ errorCode: errorCode(error), members: [] });
    if (request.groupId === "") return refused("INVALID_GROUP_ID");
    const found = this.#find(request.groupId);
    if (!found.ok) return refused(found.error);
    const { machine } = found.shard;
    if (version < 3) return refused(machine.leaveGroup(request.groupId, { memberId: request.memberId, instanceId: null }));
    const members = request.members.map(({ memberId, groupInstanceId }) => ({
      memberId, groupInstanceId, errorCode: errorCode(machine.leaveGroup(request.groupId, { memberId, instanceId: groupInstanceId })),
    }));
    return Promise.resolve({ errorCode: errorCode("NONE"), members });
  }

  async offsetCommit(request: OffsetCommitRequest, { version }: GroupRequestContext): Promise<Input<typeof OffsetCommitResponse>> {
    const plan = planCommit(request, version, this.#coordination.image, { wallMs: this.#world.clock.wallMs(), metadataMaxBytes: this.#metadataMaxBytes });
    const found = this.#find(request.groupId);
    if (!found.ok) return plan.answer(found.error);
    const { memberId, groupInstanceId: instanceId, generationIdOrMemberEpoch: generation } = request;
    const unknown: ErrorName = version >= 9 ? "GROUP_ID_NOT_FOUND" : "ILLEGAL_GENERATION";
    const { machine } = found.shard;
    return plan.answer(await new Promise<ErrorName>((resolve) => machine.commitOffsets(request.groupId, { memberId, instanceId, generation, unknown }, plan.items, resolve)));
  }

  async offsetFetch(request: OffsetFetchRequest, { version }: GroupRequestContext): Promise<Input<typeof OffsetFetchResponse>> {
    const { requireStable } = request;
    const groups = await this.#mayRead(
      () => Promise.all(fetchAsks(request, version).map((ask) => this.#fetchGroup(ask, { version, requireStable }))),
      (error) => fetchAsks(request, version).map((ask) => refusedFetch(ask, error, version)),
    );
    return fetchAnswer(groups, version);
  }

  async #fetchGroup(ask: FetchAsk, options: { readonly version: number; readonly requireStable: boolean }): Promise<FetchedGroup> {
    const found = this.#find(ask.groupId);
    if (!found.ok) return refusedFetch(ask, found.error, options.version);
    const read = readOffsets(found.shard.machine, ask, this.#coordination.image, options);
    const error = await this.#committed(found);
    return error === null ? read : refusedFetch(ask, error, options.version);
  }

  async describeGroups(request: DescribeGroupsRequest, { version }: GroupRequestContext): Promise<Input<typeof DescribeGroupsResponse>> {
    const refused = (groupId: string, error: ErrorName) => ({ groupId, errorCode: errorCode(error) });
    const groups = await this.#mayRead(
      () =>
        Promise.all(
          request.groups.map(async (groupId) => {
            const found = this.#find(groupId);
            if (!found.ok) return refused(groupId, found.error);
            const described = describeGroup(found.shard.machine, groupId, version);
            const error = await this.#committed(found);
            return error === null ? described : refused(groupId, error);
          }),
        ),
      (error) => request.groups.map((groupId) => refused(groupId, error)),
    );
    return { groups };
  }

  /** v4 filters by state, v5 by type. Each broker lists the groups it coordinates. */
  async listGroups(request: ListGroupsRequest): Promise<Input<typeof ListGroupsResponse>> {
    const filter = { states: request.statesFilter, types: request.typesFilter };
    return await this.#mayRead(
      async () => {
        const shards = this.#runtime.shards();
        if (shards.some((shard) => !shard.loaded)) return { errorCode: errorCode("COORDINATOR_LOAD_IN_PROGRESS"), groups: [] };
        const lists = await Promise.all(
          shards.map(async (shard) => {
            const listed = listGroups(shard.machine, filter);
            return (await this.#committed({ ok: true, shard })) === null ? listed : []; // it moved: its new coordinator lists them
          }),
        );
        return { errorCode: errorCode("NONE"), groups: lists.flat() };
      },
      (error) => ({ errorCode: errorCode(error), groups: [] }),
    );
  }

  async deleteGroups(request: DeleteGroupsRequest): Promise<Input<typeof DeleteGroupsResponse>> {
    const results = await Promise.all(
      request.groupsNames.map(async (groupId) => {
        const found = this.#find(groupId);
        const error = found.ok ? await this.#afterAll(found, (reply: (error: ErrorName) => void) => found.shard.machine.deleteGroup(groupId, reply)) : found.error;
        return { groupId, errorCode: errorCode(error) };
      }),
    );
    return { results };
  }

  async offsetDelete(request: OffsetDeleteRequest): Promise<Input<typeof OffsetDeleteResponse>> {
    const { image } = this.#coordination;
    const found = this.#find(request.groupId);
    if (!found.ok) return { errorCode: errorCode(found.error), topics: [] };
    const asked = request.topics.flatMap((topic) =>
      topic.partitions.map(({ partitionIndex }) => ({ topic: topic.name, partition: partitionIndex, exists: (image.topic(topic.name)?.partition(partitionIndex) ?? null) !== null })),
    );
    const items = asked.filter((item) => item.exists);
    const each = new Map<string, ErrorName>();
    const error = await new Promise<ErrorName>((resolve) => {
      found.shard.machine.deleteOffsets(request.groupId, items, (overall, errors) => {
        items.forEach((item, i) => each.set(`${item.topic}-${item.partition}`, errors[i] ?? "NONE"));
        resolve(overall);
      });
    });
    if (error !== "NONE") return { errorCode: errorCode(error), topics: [] };
    const topics = request.topics.map((topic) => ({
      name: topic.name,
      partitions: topic.partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: errorCode(each.get(`${topic.name}-${partitionIndex}`) ?? "UNKNOWN_TOPIC_OR_PARTITION") })),
    }));
    return { errorCode: errorCode("NONE"), topics };
  }

  inspect(): ReturnType<GroupCoordinator["inspect"]> {
    return this.#runtime.shards().map((shard) => ({ partition: shard.partition, loaded: shard.loaded, ...shard.machine.inspect() }));
  }

  close(): void {
    this.#closed = true;
    this.#runtime.close();
  }

  #find(groupId: string): Found<GroupMachine> {
    const topic = this.#coordination.image.topic(OFFSETS_TOPIC);
    if (topic === null) return { ok: false, error: "NOT_COORDINATOR" };
    return this.#runtime.at(coordinatorPartition(groupId, topic.partitionCount));
  }

  /** Null once all that the shard has applied is committed and it still leads. */
  async #committed(found: Found<GroupMachine> & { readonly ok: true }): Promise<ErrorName | null> {
    const settled = await within(this.#world.clock, this.#commitTimeoutMs, found.shard.settled(), "late" as const);
    if (settled === "late") return "COORDINATOR_NOT_AVAILABLE";
    return settled ? null : "NOT_COORDINATOR";
  }

  /** A refusal is a read too: it may rest on a deletion that is not committed yet. */
  async #afterAll(found: Found<GroupMachine> & { readonly ok: true }, act: (reply: (error: ErrorName) => void) => void): Promise<ErrorName> {
    const error = await new Promise<ErrorName>(act);
    return (await this.#committed(found)) ?? error;
  }

  async #mayRead<Answer>(read: () => Promise<Answer>, refuse: (error: ErrorName) => Answer): Promise<Answer> {
    const asking = this.#lease.check();
    if (asking !== null && !(await asking)) return refuse("COORDINATOR_NOT_AVAILABLE");
    return await read();
  }

  /** Looks at every group now and then, a few milliseconds at a time. */
  async #expire(): Promise<void> {
    const { clock } = this.#world;
    while (!this.#closed) {
      await clock.sleep(this.#expiryIntervalMs);
      let sinceMs = clock.nowMs();
      for (const shard of this.#runtime.shards()) {
        if (!shard.loaded) continue;
        for (const groupId of [...shard.machine.groups.keys()]) {
          // A log that refuses leaves all where it is: the next look tries again.
          for (let turns = 0; turns < EXPIRY_TURNS_MAX; turns++) {
            if (!shard.leading || this.#closed) break;
            const more = shard.machine.expire(groupId, { wallMs: clock.wallMs(), retentionMs: this.#retentionMs });
            if (clock.nowMs() - sinceMs >= YIELD_AFTER_MS) {
              await clock.yield();
              sinceMs = clock.nowMs();
            }
            if (!more) break;
          }
        }
      }
    }
  }
}

/** Kept beyond the request, whose bytes are lent. */
function copied(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes);
}

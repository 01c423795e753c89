/**
 * A member of a classic group: joins, gets its share, reads from what is committed, commits what it has read, and joins again when told to. By its own
 * draws it dies, leaves, or falls silent for longer than its session and then goes on as if nothing had happened.
 */
import type { Uuid } from "../../base/ids.js";
import { errorName } from "../../protocol/errors.js";
import { OffsetCommitRequest, OffsetCommitResponse } from "../../protocol/messages/08-offset-commit.js";
import { JoinGroupRequest, JoinGroupResponse } from "../../protocol/messages/11-join-group.js";
import { HeartbeatRequest, HeartbeatResponse } from "../../protocol/messages/12-heartbeat.js";
import { LeaveGroupRequest, LeaveGroupResponse } from "../../protocol/messages/13-leave-group.js";
import { SyncGroupRequest, SyncGroupResponse } from "../../protocol/messages/14-sync-group.js";
import type { Commit, Member, Partition } from "../oracle/history.js";
import { outcomeOf } from "../oracle/outcomes.js";
import type { ClientPlan } from "../plan.js";
import { ClusterView } from "./cluster-view.js";
import { assigned, assignment, deal, subscription } from "./consumer-protocol.js";
import type { Actor, Body } from "./context.js";
import { Coordinator } from "./coordinator.js";
import { Fetcher } from "./fetcher.js";
import { listOffset } from "./list-offset.js";

export type GroupPlan = Extract<ClientPlan, { kind: "group" }>;

interface Joined {
  readonly generation: number;
  readonly joinedMs: number;
  readonly protocol: string | null;
  /** For the leader: all members. */
  readonly members: readonly string[] | null;
}

const RETRY_MS = 200;
const JOIN_SLACK_MS = 6_000;
const UPSET_EVERY_MS = 1_000;
const REBALANCE_MS = 6_000;

export class GroupMember implements Actor {
  readonly #view: ClusterView;
  readonly #coordinator: Coordinator;
  readonly #member: Member;
  readonly #instance: string | null;
  #memberId = "";
  #generation = -1;
  #fetcher: Fetcher | null = null;
  #read = new Map<Partition, number>();
  readonly #open = new Set<Commit>();

  constructor(readonly body: Body, readonly plan: GroupPlan) {
    this.#view = new ClusterView(body, new Set(plan.topics));
    this.#coordinator = new Coordinator(body, this.#view, plan.group);
    this.#member = { group: plan.group, name: body.name };
    this.#instance = plan.static ? body.client : null;
  }

  async run(): Promise<void> {
    const { world, draws } = this.body;
    for (;;) {
      while (!this.#view.knows) {
        await world.clock.sleep(draws.between(100, 400));
        await this.#view.refresh();
      }
      const joined = await this.#join();
      const partitions = joined === null ? null : await this.#sync(joined);
      if (partitions !== null) await this.#consume(partitions);
      else await world.clock.sleep(draws.between(RETRY_MS / 2, RETRY_MS));
    }
  }

  died(): void {
    this.#fetcher?.stop();
    for (const commit of this.#open) this.body.context.endCommit(commit, "info", "the member died");
    this.#open.clear();
  }

  get isQuiet(): boolean {
    return true;
  }

  inspect(): object {
    return { memberId: this.#memberId, generation: this.#generation, read: [...this.#read].map(([partition, at]) => `${partition.text} ${at}`) };
  }

  // ------------------------------------------------------------------------------------------------------------ membership

  async #join(): Promise<Joined | null> {
    const { context, versions } = this.body;
    const joinedMs = context.nowMs();
    const answer = await this.#coordinator.ask(
      JoinGroupRequest,
      JoinGroupResponse,
      versions.join,
      {
        groupId: this.plan.group,
        sessionTimeoutMs: this.plan.sessionMs,
        rebalanceTimeoutMs: REBALANCE_MS,
        memberId: this.#memberId,
        groupInstanceId: this.#instance,
        protocolType: "consumer",
        protocols: [{ name: "range", metadata: subscription(this.plan.topics) }],
      },
      REBALANCE_MS + JOIN_SLACK_MS,
    );
    context.tally(!answer.ok ? "info" : answer.body.errorCode === 0 || errorName(answer.body.errorCode) === "MEMBER_ID_REQUIRED" ? "ok" : "fail");
    if (!answer.ok) return null;
    const { body } = answer;
    const error = await this.#coordinator.judge(body.errorCode);
    if (error === "MEMBER_ID_REQUIRED") this.#memberId = body.memberId;
    else if (error === "UNKNOWN_MEMBER_ID" || error === "FENCED_INSTANCE_ID") this.#memberId = "";
    if (error !== "NONE") return null;
    this.#memberId = body.memberId;
    this.#generation = body.generationId;
    return { generation: body.generationId, joinedMs, protocol: body.protocolName, members: body.leader === body.memberId && !body.skipAssignment ? body.members.map(({ memberId }) => memberId) : null };
  }

  async #sync(joined: Joined): Promise<readonly Partition[] | null> {
    const { context, versions } = this.body;
    const invokedMs = context.nowMs();
    const shares = joined.members === null ? null : deal([...joined.members].sort(), [...this.plan.topics].map((topic) => ({ topic, partitions: this.#view.partitions(topic).length })));
    const answer = await this.#coordinator.ask(
      SyncGroupRequest,
      SyncGroupResponse,
      versions.sync,
      {
        groupId: this.plan.group,
        generationId: joined.generation,
        memberId: this.#memberId,
        groupInstanceId: this.#instance,
        protocolType: "consumer",
        protocolName: joined.protocol,
        assignments: [...(shares ?? [])].map(([memberId, share]) => ({ memberId, assignment: assignment(share) })),
      },
      REBALANCE_MS + JOIN_SLACK_MS,
    );
    context.tally(!answer.ok ? "info" : answer.body.errorCode === 0 ? "ok" : "fail");
    if (!answer.ok) return null;
    const error = await this.#coordinator.judge(answer.body.errorCode);
    if (error === "UNKNOWN_MEMBER_ID" || error === "FENCED_INSTANCE_ID") this.#memberId = "";
    if (error !== "NONE") return null;
    const partitions = assigned(answer.body.assignment).flatMap(({ topic, index }) => this.#view.partitions(topic).filter((one) => one.index === index));
    context.add({ f: "assigned", atMs: context.nowMs(), assigned: { member: this.#member, memberId: this.#memberId, instance: this.#instance, generation: joined.generation, joinedMs: joined.joinedMs, invokedMs, partitions } });
    return partitions;
  }

  // ------------------------------------------------------------------------------------------------------------ reading

  /** Until it has to join again. */
  async #consume(partitions: readonly Partition[]): Promise<void> {
    const { context, world, draws } = this.body;
    this.#read = new Map();
    const fetcher = new Fetcher(this.body, this.#view, {
      maxWaitMs: 250,
      maxBytes: 100_000,
      pauseMs: 150,
      sessions: false,
      readCommitted: false,
      onPoll: ({ partition, position, last }) => {
        if (last < position) return;
        context.add({ f: "member-polled", atMs: context.nowMs(), member: this.#member, partition, from: position, to: last + 1 });
        this.#read.set(partition, last + 1);
      },
    });
    this.#fetcher = fetcher;
    const beatEveryMs = this.plan.sessionMs / 3;
    let beatMs = world.clock.nowMs() + beatEveryMs;
    let commitMs = world.clock.nowMs() + draws.around(this.plan.commitEveryMs);
    let upsetMs = world.clock.nowMs() + UPSET_EVERY_MS;
    let begun = partitions.length === 0;
    if (begun) world.own(fetcher.run(), "reading for a group");
    for (;;) {
      if (!begun) {
        begun = await this.#begin(fetcher, partitions);
        if (begun) world.own(fetcher.run(), "reading for a group");
      }
      const nowMs = world.clock.nowMs();
      const next = Math.min(beatMs, commitMs, upsetMs, begun ? Infinity : nowMs + RETRY_MS);
      if (next > nowMs) await world.clock.sleep(next - nowMs);
      const atMs = world.clock.nowMs();
      let stays = true;
      if (atMs >= beatMs) {
        stays = await this.#heartbeat();
        beatMs = world.clock.nowMs() + beatEveryMs;
      }
      if (stays && atMs >= commitMs) {
        stays = await this.#commit();
        commitMs = world.clock.nowMs() + draws.around(this.plan.commitEveryMs);
      }
      if (stays && atMs >= upsetMs) {
        stays = await this.#upset(fetcher);
        upsetMs = world.clock.nowMs() + UPSET_EVERY_MS;
      }
      if (!stays) break;
    }
    if (draws.chance(0.5)) await this.#commit(); // before what it had goes to others, if the coordinator still takes it
    fetcher.stop();
    this.#fetcher = null;
  }

  async #begin(fetcher: Fetcher, partitions: readonly Partition[]): Promise<boolean> {
    const committed = await this.#coordinator.committed(this.#member, partitions);
    if (committed === null) return false;
    for (const partition of partitions) {
      if (fetcher.positions.has(partition)) continue;
      const offset = committed.get(partition) ?? -1;
      const start = offset >= 0 ? offset : await listOffset(this.body, this.#view, partition, "earliest");
      if (start === null) return false;
      fetcher.add(partition, start);
    }
    return true;
  }

  async #heartbeat(): Promise<boolean> {
    const { versions } = this.body;
    const answer = await this.#coordinator.ask(HeartbeatRequest, HeartbeatResponse, versions.heartbeat, { groupId: this.plan.group, generationId: this.#generation, memberId: this.#memberId, groupInstanceId: this.#instance });
    if (!answer.ok) return true;
    return this.#stays(await this.#coordinator.judge(answer.body.errorCode));
  }

  async #commit(): Promise<boolean> {
    const { context, versions } = this.body;
    const read = [...this.#read];
    if (read.length === 0) return true;
    this.#read.clear();
    const commits = read.map(([partition, offset]) => context.invokeCommit({ member: this.#member, generation: this.#generation, partition, offset }));
    for (const commit of commits) this.#open.add(commit);
    const topics = [...new Set(read.map(([{ topicId }]) => topicId))].map((topicId) => {
      const ones = read.filter(([partition]) => partition.topicId === topicId);
      return { name: ones[0]?.[0].topic ?? "", topicId: topicId as Uuid, partitions: ones.map(([partition, offset]) => ({ partitionIndex: partition.index, committedOffset: BigInt(offset), committedMetadata: "" })) }; // it came as one
    });
    const answer = await this.#coordinator.ask(OffsetCommitRequest, OffsetCommitResponse, versions.commit, { groupId: this.plan.group, generationIdOrMemberEpoch: this.#generation, memberId: this.#memberId, groupInstanceId: this.#instance, topics });
    let worst = 0;
    for (const commit of commits) {
      this.#open.delete(commit);
      const code = answer.ok ? answer.body.topics.find((topic) => (versions.commit >= 10 ? topic.topicId === commit.partition.topicId : topic.name === commit.partition.topic))?.partitions.find((one) => one.partitionIndex === commit.partition.index)?.errorCode : undefined;
      const outcome = code === undefined ? (answer.ok || answer.sent ? "info" : "fail") : outcomeOf("commit", code);
      context.tally(outcome);
      context.endCommit(commit, outcome, code === undefined ? (answer.ok ? "no answer for it" : answer.why) : code === 0 ? "" : errorName(code));
      if (outcome !== "ok" && !this.#read.has(commit.partition)) this.#read.set(commit.partition, commit.offset); // tried again next time
      if (code !== undefined && code !== 0) worst = code;
    }
    return this.#stays(await this.#coordinator.judge(worst));
  }

  /** Whether it is still of this generation, as far as it was told. */
  #stays(error: string): boolean {
    if (error === "UNKNOWN_MEMBER_ID" || error === "FENCED_INSTANCE_ID") this.#memberId = "";
    return !(error === "UNKNOWN_MEMBER_ID" || error === "FENCED_INSTANCE_ID" || error === "ILLEGAL_GENERATION" || error === "REBALANCE_IN_PROGRESS");
  }

  async #upset(fetcher: Fetcher): Promise<boolean> {
    const { context, world, draws } = this.body;
    if (!context.mayUpset || !draws.chance(this.plan.churn)) return true;
    const what = draws.pick(["die", "pause", "pause", "leave"] as const);
    if (what === "die") this.body.crash();
    else if (what === "pause") {
      const frozen = [...fetcher.positions.values()];
      for (const one of frozen) one.restUntilMs = Infinity;
      await world.clock.sleep(this.plan.sessionMs * draws.between(0.5, 2));
      for (const one of frozen) one.restUntilMs = -Infinity;
      fetcher.wake();
    } else if (this.#instance === null) {
      await this.#coordinator.ask(LeaveGroupRequest, LeaveGroupResponse, this.body.versions.leave, this.body.versions.leave >= 3 ? { groupId: this.plan.group, members: [{ memberId: this.#memberId }] } : { groupId: this.plan.group, memberId: this.#memberId });
      this.#memberId = "";
      this.#read.clear();
      await world.clock.sleep(draws.between(500, 8_000));
      return false;
    }
    return true;
  }
}

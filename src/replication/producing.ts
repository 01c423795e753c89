/** The write path: refusals, validation, append, and the wait that an acknowledgement needs. behaviours.md §3, design §7. */
import type { ErrorName } from "../protocol/errors.js";
import { isHeavy, validateProduce, type ProduceRules, type Validated } from "../records/validate.js";
import { validateAnywhere } from "../records/validate-job.js";
import type { World } from "../world/world.js";
import type { Replica } from "./replica.js";
import type { PartitionRef, ProduceItem, ProduceOptions, ProduceOutcome, Replicas } from "./replicas.js";
import type { WaitingRoom } from "./waiting.js";

/** The least wait for an answer: the leader's own write takes time here, and a request whose timeout is none or negative (Kafka takes it) has it too. */
const WRITE_MIN_MS = 100;

export interface Finder {
  /** The replica here, or why there is none. */
  find(ref: PartitionRef): { readonly ok: true; readonly replica: Replica } | { readonly ok: false; readonly error: ErrorName; readonly currentLeader: { readonly id: number; readonly epoch: number } | null };
}

/** Internal topics take writes from coordinators and from Kafka's own admin tool only. */
const INTERNAL: ReadonlySet<string> = new Set(["__consumer_offsets", "__transaction_state", "__share_group_state"]);
const ADMIN_CLIENT = "__admin_client";

/** For a first look that needs no replica: with it everything large is heavy. */
const ANY_COMPRESSION = { compression: "gzip" } as const;

type Pending = { readonly outcome: ProduceOutcome; readonly wait: { readonly replica: Replica; readonly epoch: number; readonly end: number } | null };

export class Producing {
  constructor(readonly world: World, readonly finder: Finder, readonly waiting: WaitingRoom) {}

  produce(items: readonly ProduceItem[], options: ProduceOptions): ReturnType<Replicas["produce"]> {
    const heavy = options.origin === "client" && items.some((item) => this.#isHeavy(item));
    if (!heavy) {
      const pending = items.map((item) => this.#append(item, options, null));
      return { admitted: null, done: this.#await(pending, options), written: () => pending.every(isWritten) };
    }
    let appended: readonly Pending[] | null = null;
    const admitted = this.#validateAll(items, options).then((all) => (appended = items.map((item, i) => this.#append(item, options, all[i] ?? null))));
    return { admitted: admitted.then(() => undefined), done: admitted.then((pending) => this.#await(pending, options)), written: () => appended?.every(isWritten) ?? false };
  }

  #isHeavy({ ref, records }: ProduceItem): boolean {
    if (records === null || !isHeavy(records, ANY_COMPRESSION)) return false;
    const found = this.finder.find(ref);
    return found.ok && isHeavy(records, found.replica.rules);
  }

  /** Large compressed batches are checked in other threads before any of the request is appended; what is light is checked as it is appended. */
  #validateAll(items: readonly ProduceItem[], options: ProduceOptions): Promise<readonly (Validated | null)[]> {
    return Promise.all(
      items.map(async (item) => {
        const found = this.finder.find(item.ref);
        if (item.records === null || !found.ok || !isHeavy(item.records, found.replica.rules)) return null;
        return validateAnywhere(this.world, item.records, this.#rules(found.replica, options));
      }),
    );
  }

  #rules(replica: Replica, options: ProduceOptions): ProduceRules {
    const { rules } = replica;
    return {
      maxMessageBytes: rules.log.maxMessageBytes,
      compacted: rules.compacted,
      logAppendTime: rules.logAppendTime,
      timestampBeforeMaxMs: rules.timestampBeforeMaxMs,
      timestampAfterMaxMs: rules.timestampAfterMaxMs,
      nowMs: this.world.clock.wallMs(),
      compression: rules.compression,
      produceVersion: options.version,
      transactional: options.transactionalId !== null,
    };
  }

  #append(item: ProduceItem, options: ProduceOptions, checked: Validated | null): Pending {
    const found = this.finder.find(item.ref);
    if (!found.ok) return refused(found.error, null, [], found.currentLeader);
    const { replica } = found;
    const { role } = replica;
    if (role.name !== "leader") return refused("NOT_LEADER_OR_FOLLOWER", null, [], null);
    if (options.origin === "client" && INTERNAL.has(replica.topic) && options.clientId !== ADMIN_CLIENT) return refused("INVALID_TOPIC_EXCEPTION", `${replica.topic} is written by coordinators only`);
    if (options.acks === -1 && role.view.isr.length < role.view.minIsr) return refused("NOT_ENOUGH_REPLICAS", `${role.view.isr.length} replicas are in sync, min.insync.replicas is ${role.view.minIsr}`);
    if (item.records === null) return refused("INVALID_RECORD", "no records");

    const validated = checked ?? (options.origin === "client" ? validateProduce(item.records, this.#rules(replica, options)) : null);
    if (validated !== null && !validated.ok) return refused(validated.error, validated.message, validated.recordErrors);
    if (validated !== null && validated.header.transactional) return refused("INVALID_RECORD", "transactions are not built yet");
    const batch = validated === null ? item.records : validated.batch;
    const result = replica.log.appendAsLeader(batch, { epoch: role.view.epoch as Replica["log"]["lastEpoch"], nowMs: this.world.clock.wallMs(), origin: options.origin });
    if (!result.ok) return refused(result.error, result.message);
    if (replica.rules.durable) replica.log.requestSync();
    replica.onMove();
    const outcome: ProduceOutcome = {
      error: "NONE",
      message: null,
      recordErrors: [],
      baseOffset: result.base,
      appendTimeMs: replica.rules.logAppendTime ? result.appendTimeMs : -1,
      logStart: replica.log.start,
      currentLeader: null,
    };
    return { outcome, wait: { replica, epoch: role.view.epoch, end: result.last + 1 } };
  }

  /** Resolves when every batch is as safe as `acks` asks, or the time is over. */
  #await(pending: readonly Pending[], options: ProduceOptions): Promise<readonly ProduceOutcome[]> {
    const outcomes = pending.map((one) => one.outcome);
    const open = new Set(pending.keys());
    const settle = (i: number): boolean => {
      const one = pending[i];
      if (one === undefined || one.wait === null) return true;
      const verdict = standing(one.wait, options.acks);
      if (verdict === "waits") return false;
      if (verdict !== "NONE") outcomes[i] = failed(verdict);
      return true;
    };
    const look = () => {
      for (const i of open) if (settle(i)) open.delete(i);
      return open.size === 0;
    };
    if (look()) return Promise.resolve(outcomes);
    return new Promise((resolve) => {
      const keys = [...new Set([...open].map((i) => pending[i]?.wait?.replica.key ?? ""))];
      const check = () => {
        if (!look()) return false;
        resolve(outcomes);
        return true;
      };
      const expire = () => {
        for (const i of open) outcomes[i] = failed("REQUEST_TIMED_OUT");
        resolve(outcomes);
      };
      this.waiting.add({ check, expire }, keys, Math.max(WRITE_MIN_MS, options.timeoutMs));
    });
  }
}

/** Refused before it reached the log, or written: the log holds no view of it. */
function isWritten({ wait }: Pending): boolean {
  return wait === null || wait.replica.log.writtenEnd >= wait.end;
}

/** Has the batch that ends at `end` reached what `acks` asks for? */
function standing(wait: { readonly replica: Replica; readonly epoch: number; readonly end: number }, acks: number): "waits" | ErrorName {
  const { replica } = wait;
  if (replica.role.name !== "leader" || replica.role.view.epoch !== wait.epoch) return acks === -1 ? "NOT_LEADER_OR_FOLLOWER" : "NONE";
  if (acks !== -1) return replica.log.writtenEnd >= wait.end ? "NONE" : "waits";
  const { view } = replica.role;
  if (view.highWatermark < wait.end) return "waits";
  return view.isr.length < view.minIsr ? "NOT_ENOUGH_REPLICAS_AFTER_APPEND" : "NONE";
}

function failed(error: ErrorName): ProduceOutcome {
  return { error, message: null, recordErrors: [], baseOffset: -1, appendTimeMs: -1, logStart: -1, currentLeader: null };
}

function refused(error: ErrorName, message: string | null, recordErrors: ProduceOutcome["recordErrors"] = [], currentLeader: ProduceOutcome["currentLeader"] = null): Pending {
  return { outcome: { ...failed(error), message, recordErrors, currentLeader }, wait: null };
}


/** What all clients of a run share. */
import type { Entry, Write, Writer, Commit, AdminOp, Partition, Outcome } from "../oracle/history.js";
import type { Oracle } from "../oracle/oracle.js";
import type { Run } from "../run.js";
import type { Seeded } from "../seeded.js";
import type { SimWorld } from "../world.js";
import type { Versions } from "./versions.js";

export interface Counts {
  readonly requests: { ok: number; failed: number; unknown: number };
  readonly acknowledged: { none: number; leader: number; all: number };
}

export class Context {
  readonly counts: Counts = { requests: { ok: 0, failed: 0, unknown: 0 }, acknowledged: { none: 0, leader: 0, all: 0 } };
  /** Nothing new is begun. */
  stopping = false;
  #writers = 0;

  constructor(readonly run: Run, readonly oracle: Oracle) {}

  nowMs(): number {
    return this.run.sim.nowMs;
  }

  /** Clients do by themselves what upsets others only as long as faults are dealt. */
  get mayUpset(): boolean {
    return !this.stopping && this.nowMs() < this.run.plan.phases.faultsMs;
  }

  add(entry: Entry): void {
    this.oracle.add(entry);
  }

  tally(outcome: Exclude<Outcome, "open">): void {
    if (outcome === "ok") this.counts.requests.ok++;
    else if (outcome === "fail") this.counts.requests.failed++;
    else this.counts.requests.unknown++;
  }

  writer(client: string, options: { readonly idempotent: boolean; readonly perBatch: number }): Writer {
    return { number: ++this.#writers, client, ...options, writes: [] };
  }

  // ------------------------------------------------------------------------------------------------------------ operations

  invokeWrite(writer: Writer, partition: Partition, options: { readonly count: number; readonly acks: 0 | 1 | -1; readonly before: Write | null }): Write {
    const atMs = this.nowMs();
    const write: Write = { writer, index: writer.writes.length, partition, ...options, invokedMs: atMs, attempts: 0, unknowns: 0, epoch: -1, sentMs: atMs, outcome: "open", endedMs: atMs, why: "", offset: -1, places: [] };
    writer.writes.push(write);
    this.add({ f: "write", type: "invoke", atMs, write });
    return write;
  }

  endWrite(write: Write, outcome: Exclude<Outcome, "open">, why: string, offset = -1): void {
    if (write.outcome !== "open") return;
    write.outcome = outcome;
    write.endedMs = this.nowMs();
    write.why = why;
    write.offset = offset;
    const { acknowledged } = this.counts;
    if (write.acks === 0) {
      if (write.attempts > 0) acknowledged.none += write.count;
    } else if (outcome === "ok") {
      if (write.acks === 1) acknowledged.leader += write.count;
      else acknowledged.all += write.count;
    }
    this.add({ f: "write", type: outcome, atMs: write.endedMs, write });
  }

  invokeCommit(fields: Pick<Commit, "member" | "generation" | "partition" | "offset">): Commit {
    const atMs = this.nowMs();
    const commit: Commit = { ...fields, invokedMs: atMs, outcome: "open", endedMs: atMs, why: "" };
    this.add({ f: "commit", type: "invoke", atMs, commit });
    return commit;
  }

  endCommit(commit: Commit, outcome: Exclude<Outcome, "open">, why: string): void {
    if (commit.outcome !== "open") return;
    commit.outcome = outcome;
    commit.endedMs = this.nowMs();
    commit.why = why;
    this.add({ f: "commit", type: outcome, atMs: commit.endedMs, commit });
  }

  invokeAdmin(client: string, work: AdminOp["work"]): AdminOp {
    const atMs = this.nowMs();
    const op: AdminOp = { client, work, invokedMs: atMs, outcome: "open", endedMs: atMs, why: "" };
    this.add({ f: "admin", type: "invoke", atMs, op });
    return op;
  }

  endAdmin(op: AdminOp, outcome: Exclude<Outcome, "open">, why: string): void {
    if (op.outcome !== "open") return;
    op.outcome = outcome;
    op.endedMs = this.nowMs();
    op.why = why;
    this.tally(outcome);
    this.add({ f: "admin", type: outcome, atMs: op.endedMs, op });
  }
}

/** One incarnation of one client: what it runs on. */
export interface Body {
  readonly context: Context;
  readonly world: SimWorld;
  /** Client and incarnation, for histories. */
  readonly name: string;
  /** The client's own name. */
  readonly client: string;
  readonly draws: Seeded;
  readonly versions: Versions;
  /** Ends the process as by kill -9; a new one follows. */
  crash(): void;
}

/** What a client does with it. */
export interface Actor {
  run(): Promise<void>;
  /** The process is gone; what was under way stays unknown. */
  died(): void;
  /** Nothing that the oracle waits for is under way. */
  readonly isQuiet: boolean;
  inspect(): object;
}

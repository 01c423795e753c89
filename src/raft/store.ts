/**
 * What the quorum keeps on disk. Writes of the core are gathered by the driver and made durable in groups, one group at a time; snapshots are files of
 * their own. A failed sync rejects, and its owner halts the World.
 *
 *     <directory>/meta.properties                 whose disk this is (identity.ts)
 *     <directory>/log/<first index>.log           segments            log-files.ts, log-recovery.ts
 *                     <index>-<term>.snapshot     two newest          snapshot-files.ts
 *                     vote                        term and vote, one checksummed record
 *                     durable                     how far the log was known to be durable (marker.ts)
 *                     repairing                   there while the log may lack what it acknowledged
 */
import { assert, unreachable } from "../base/assert.js";
import { makeDirectoryDurably, unlinkDurably, writeFileAtomically } from "../world/atomic-file.js";
import type { World } from "../world/world.js";
import { Entries } from "./core/entries.js";
import type { Effect } from "./core/messages.js";
import type { Restored } from "./core/state.js";
import { LogFiles } from "./log-files.js";
import { recoverLog, type RecoveredLog } from "./log-recovery.js";
import { Marker } from "./marker.js";
import { SnapshotFiles } from "./snapshot-files.js";
import { sealed, unsealed } from "./store-format.js";
import { NOBODY, ORIGIN, type HardState, type LogPoint, type Snapshot, type Term } from "./types.js";

export type Write = Extract<Effect, { do: "save" | "append" | "truncate" | "reset" | "compact" }>;

/** The record of term and vote is damaged or gone: under this name the disk must never vote again. */
export class VoteLost extends Error {
  override readonly name = "VoteLost";
}

export interface StoreOptions {
  readonly folder: string;
  readonly segmentBytes: number;
  /** The disk belongs to a cluster, so it must hold a vote. */
  readonly used: boolean;
}

export class RaftStore {
  #hard: HardState;
  #repairing: boolean;

  private constructor(
    readonly world: World,
    readonly folder: string,
    readonly snapshots: SnapshotFiles,
    private readonly log: LogFiles,
    private readonly marker: Marker,
    hard: HardState,
    repairing: boolean,
  ) {
    this.#hard = hard;
    this.#repairing = repairing;
  }

  /** @throws VoteLost; @returns what is held, all of it durable */
  static async open(world: World, options: StoreOptions): Promise<{ readonly store: RaftStore; readonly restored: Restored }> {
    const { folder } = options;
    const { disk, logger } = world;
    await makeDirectoryDurably(disk, folder);
    const hard = await readVote(world, folder, options.used);
    let damaged = await disk.exists(`${folder}/repairing`);
    const note = async (damage: string): Promise<void> => {
      logger.error({ folder, damage }, "the quorum's log is damaged: this node keeps out of elections until it has fetched from the others what it may have lost");
      damaged = true;
      if (!(await disk.exists(`${folder}/repairing`))) await writeFileAtomically(disk, `${folder}/repairing`, Buffer.from(damage, "utf8"));
    };

    const snapshots = new SnapshotFiles(world, folder);
    const { whole, broken } = await snapshots.recover();
    const [snapshot = null, previousSnapshot = null] = whole;
    const marker = await Marker.open(world, `${folder}/durable`);
    const read = await recoverLog(world, folder, marker.index, note);
    const fit = fitToSnapshot(read, snapshot);
    const end = fit.entries.at(-1)?.index ?? fit.base.index;
    // A snapshot that was broken held everything up to its index; so must what is left.
    const lost = broken.find((one) => one.index > end);
    if (lost !== undefined) await note(`the snapshot of entry ${lost.index} is damaged, and the log ends at ${end}`);
    if (marker.index > end) await note(`entry ${marker.index} was durable, and the log ends at ${end}`);
    if (fit.unreachable) await note(`the log begins at entry ${read.base.index + 1} and no snapshot holds what came before`);
    if ((fit.entries.at(-1)?.term ?? fit.base.term) > hard.term) throw new VoteLost(`${folder}: the record of term and vote is older than the log`);

    if (fit.unreachable) {
      for (const segment of read.segments.splice(0).reverse()) {
        segment.file.close();
        await disk.rename(segment.path, `${segment.path}.damaged`); // kept for people to look at
        await disk.syncDirectory(folder);
      }
    }
    const log = new LogFiles(world, folder, options.segmentBytes, read.segments, endOf(read), read.chain);
    if (!fit.kept) await log.reset(fit.base);
    const entries = new Entries(fit.base, { index: snapshot?.index ?? 0, members: snapshot?.members ?? NOBODY });
    for (const entry of fit.entries) entries.append(entry);
    const store = new RaftStore(world, folder, snapshots, log, marker, hard, damaged);
    return { store, restored: { hard, log: entries, snapshot, previousSnapshot: (previousSnapshot?.index ?? 0) < (snapshot?.index ?? 0) ? previousSnapshot : null, damaged } };
  }

  /** Carries these writes out, in order, and makes them durable. Never called again before it has resolved. */
  async write(writes: readonly Write[]): Promise<void> {
    // Term and vote first: no entry is durable before its term is.
    const saved = writes.findLast((write) => write.do === "save");
    if (saved !== undefined) await this.#save(saved.state);
    for (const write of writes) await this.#carryOut(write);
    await this.log.sync();
    this.marker.set(this.log.lastIndex);
  }

  async #carryOut(write: Write): Promise<void> {
    switch (write.do) {
      case "save":
        return;
      case "append":
        return this.log.append(write.entries);
      case "truncate":
        await this.marker.lower(write.from - 1);
        return this.log.truncate(write.from, write.term);
      case "reset":
        await this.marker.lower(0);
        return this.log.reset(write.to);
      case "compact":
        return this.log.compact(write.to.index);
      default:
        unreachable(write);
    }
  }

  async #save(state: HardState): Promise<void> {
    assert(state.term >= this.#hard.term, "a durable term never falls");
    if (state.term === this.#hard.term) assert(this.#hard.votedFor === null || this.#hard.votedFor === state.votedFor, "one vote a term");
    this.#hard = state;
    await writeVote(this.world, this.folder, state);
  }

  /** The log is whole again. */
  async repaired(): Promise<void> {
    if (!this.#repairing) return;
    this.#repairing = false;
    await this.marker.sync(); // it may have told of more than there is now
    await unlinkDurably(this.world.disk, `${this.folder}/repairing`);
  }

  close(): void {
    this.log.close();
    this.marker.close();
    this.snapshots.close();
  }
}

/** The very first record, before the disk is said to belong to a cluster: from then on a missing one is a lost one. */
export async function writeFirstVote(world: World, folder: string, state: HardState): Promise<void> {
  await makeDirectoryDurably(world.disk, folder);
  if (!(await world.disk.exists(`${folder}/vote`))) await writeVote(world, folder, state);
}

/** Puts the whole folder aside, for people, and leaves none. */
export async function setFolderAside(world: World, folder: string): Promise<string> {
  const { disk } = world;
  for (let n = 1; ; n++) {
    const aside = `${folder}.damaged-${n}`;
    if ((await disk.list(aside)).length > 0 || (await disk.exists(aside))) continue;
    await disk.rename(folder, aside);
    await disk.syncDirectory(folder.slice(0, folder.lastIndexOf("/")));
    return aside;
  }
}

function endOf(log: RecoveredLog): LogPoint {
  const last = log.entries.at(-1);
  return last === undefined ? log.base : { index: last.index, term: last.term };
}

interface Fitted {
  readonly base: LogPoint;
  readonly entries: RecoveredLog["entries"];
  /** The files stay. */
  readonly kept: boolean;
  /** Nothing holds what came before the log. */
  readonly unreachable: boolean;
}

/** A log that the newest snapshot does not join to is of before its installation, which was cut short: the snapshot stands for it. */
function fitToSnapshot(log: RecoveredLog, snapshot: Snapshot | null): Fitted {
  const end = endOf(log);
  if (snapshot === null && log.base.index > 0) return { base: ORIGIN, entries: [], kept: false, unreachable: true };
  if (snapshot === null) return { base: log.base, entries: log.entries, kept: true, unreachable: false };
  const at: Term | null = snapshot.index === log.base.index ? log.base.term : (log.entries[snapshot.index - log.base.index - 1]?.term ?? null);
  if (log.base.index <= snapshot.index && snapshot.index <= end.index && at === snapshot.term) return { base: log.base, entries: log.entries, kept: true, unreachable: false };
  return { base: { index: snapshot.index, term: snapshot.term }, entries: [], kept: false, unreachable: log.base.index > snapshot.index };
}

async function readVote(world: World, folder: string, used: boolean): Promise<HardState> {
  const bytes = await world.disk.readFile(`${folder}/vote`);
  if (bytes === null) {
    if (used) throw new VoteLost(`${folder}: the record of term and vote is gone`);
    return { term: 0, votedFor: null };
  }
  const body = unsealed(bytes);
  if (body === null) throw new VoteLost(`${folder}: the record of term and vote is damaged`);
  const read = JSON.parse(body.toString("utf8")) as { readonly term: unknown; readonly votedFor: unknown }; // sealed, so it is what we wrote
  return { term: Number(read.term), votedFor: read.votedFor === null ? null : String(read.votedFor) };
}

async function writeVote(world: World, folder: string, state: HardState): Promise<void> {
  await writeFileAtomically(world.disk, `${folder}/vote`, sealed(Buffer.from(JSON.stringify({ term: state.term, votedFor: state.votedFor }), "utf8")));
}


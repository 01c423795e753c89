/**
 * One `log.dirs` entry on a disk: opens and keeps partition logs, their shared pools, the sync scheduler and the checkpoints.
 *
 *   meta.properties · .lock · .kafka_cleanshutdown · recovery-point-, log-start-, replication-offset-checkpoint · <topic>-<n>/
 *
 * The recovery point of a log is the durable end that a checkpoint knows: recovery scans from there, and missing offsets below it are a loss.
 */
import { assert } from "../base/assert.js";
import { uuid, uuidToBytes, type NodeId, type Uuid } from "../base/ids.js";
import { writeFileAtomically } from "../world/atomic-file.js";
import type { Timer } from "../world/clock.js";
import type { DiskLock } from "../world/disk.js";
import type { World } from "../world/world.js";
import { BufferPool } from "../base/buffer-pool.js";
import { HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS, decodeCheckpoint, encodeCheckpoint } from "./checkpoints.js";
import { PART_MAX_BYTES } from "./part.js";
import { Coalesced } from "./coalesced.js";
import { LogDirectoryRefused, parentOf, settleMeta, spreadSyncFailure, takeCleanShutdown } from "./directory-start.js";
import { DiskLog } from "./disk-log.js";
import { FilePool } from "./file-pool.js";
import { IndexFiles } from "./index-files.js";
import { writeMetaProperties, type MetaProperties } from "./meta-properties.js";
import { CLEAN_SHUTDOWN, PARTITION_METADATA, SYNC_FAILED, asideName, decodePartitionMetadata, encodePartitionMetadata, folderName, isDeleted, isStray, parseFolderName } from "./names.js";
import type { LogDirectory, LogSettings, PartitionLog } from "./partition-log.js";
import { recoverLog } from "./recovery.js";
import { HeaderWalk } from "./scan.js";
import type { CheckpointedLog, LogServices } from "./services.js";
import { readSmallFile } from "./small-file.js";
import { FileSyncScheduler, type SyncScheduler } from "./sync-scheduler.js";
import { Turns } from "./turns.js";

const LOCK = ".lock";
const BOOT_ID = "boot-id";

export interface LogDirectoryOptions {
  readonly path: string;
  readonly nodeId: NodeId;
  /** Null while this node does not know its cluster yet: see adoptCluster. */
  readonly clusterId: string | null;
  readonly openFilesMax?: number; // of .log files
  readonly checkpointMs?: number; // log.flush.offset.checkpoint.interval.ms
  readonly parallelSyncs?: number;
  readonly parallelOpens?: number;
  readonly indexCacheMaxBytes?: number;
  readonly readBuffersMaxBytes?: number;
  readonly syncs?: SyncScheduler; // a shared journal could stand here
}

/** @throws LogDirectoryRefused when somebody else has it, or when it belongs to another cluster or node */
export async function openLogDirectory(world: World, options: LogDirectoryOptions): Promise<DiskLogDirectory> {
  const { disk } = world;
  const { path } = options;
  if (!(await disk.exists(path))) {
    await disk.makeDirectory(path);
    await disk.syncDirectory(parentOf(path));
  }
  const lock = await disk.lock(`${path}/${LOCK}`);
  if (lock === null) throw new LogDirectoryRefused(`${path} is in use by another process`);
  try {
    const meta = await settleMeta(world, options);
    const clean = await takeCleanShutdown(world, path);
    const bootId = await disk.bootId();
    const before = await disk.readFile(`${path}/${BOOT_ID}`);
    const sameBoot = before !== null && bootId !== "unknown" && Buffer.from(before).toString("utf8") === bootId;
    await spreadSyncFailure(world, path);
    if (!sameBoot) await writeFileAtomically(disk, `${path}/${BOOT_ID}`, Buffer.from(bootId));
    const recoveryPoints = decodeCheckpoint(await disk.readFile(`${path}/${RECOVERY_POINTS}`));
    const starts = decodeCheckpoint(await disk.readFile(`${path}/${LOG_STARTS}`));
    if (recoveryPoints === null) world.logger.warn({ path, file: RECOVERY_POINTS }, "a damaged checkpoint is ignored: logs are scanned from their first batch");
    if (starts === null) world.logger.warn({ path, file: LOG_STARTS }, "a damaged checkpoint is ignored: logs start at their first batch");
    return new DiskLogDirectory(world, options, {
      lock,
      meta,
      clean: clean !== null && recoveryPoints !== null,
      previousBrokerEpoch: clean ?? -1n,
      sameBoot,
      recoveryPoints: recoveryPoints ?? new Map(),
      starts: starts ?? new Map(),
    });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface DirectoryState {
  readonly lock: DiskLock;
  readonly meta: MetaProperties;
  readonly clean: boolean;
  readonly previousBrokerEpoch: bigint;
  readonly sameBoot: boolean;
  readonly recoveryPoints: Map<string, number>;
  readonly starts: Map<string, number>;
}

export class DiskLogDirectory implements LogDirectory {
  readonly path: string;
  readonly directoryId: Uuid;
  readonly cleanShutdown: boolean;
  readonly previousBrokerEpoch: bigint;
  readonly #world: World;
  readonly #options: LogDirectoryOptions;
  readonly #lock: DiskLock;
  readonly #sameBoot: boolean;
  readonly #recoveryPoints: Map<string, number>;
  readonly #starts: Map<string, number>;
  readonly #services: LogServices;
  readonly #files: FilePool;
  readonly #logs = new Map<string, DiskLog>();
  readonly #changed = new Set<CheckpointedLog>();
  readonly #removals = new Map<() => Promise<void>, Timer>();
  readonly #saveRecoveryPoints: Coalesced;
  readonly #saveStarts: Coalesced;
  readonly #syncRoot: Coalesced;
  readonly #opens: Turns;
  #meta: MetaProperties;
  #checkpointTimer: Timer | null = null;
  #checkpointing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(world: World, options: LogDirectoryOptions, state: DirectoryState) {
    const { disk } = world;
    this.#world = world;
    this.#options = options;
    this.path = options.path;
    this.#lock = state.lock;
    this.#meta = state.meta;
    this.directoryId = state.meta.directoryId;
    this.cleanShutdown = state.clean;
    this.previousBrokerEpoch = state.previousBrokerEpoch;
    this.#sameBoot = state.sameBoot;
    this.#recoveryPoints = state.recoveryPoints;
    this.#starts = state.starts;
    this.#saveRecoveryPoints = new Coalesced(() => writeFileAtomically(disk, `${this.path}/${RECOVERY_POINTS}`, encodeCheckpoint(this.#recoveryPoints)));
    this.#saveStarts = new Coalesced(() => writeFileAtomically(disk, `${this.path}/${LOG_STARTS}`, encodeCheckpoint(this.#starts)));
    this.#syncRoot = new Coalesced(() => disk.syncDirectory(this.path));
    this.#opens = new Turns(options.parallelOpens ?? 16);
    this.#files = new FilePool(disk, { openFilesMax: options.openFilesMax ?? 2048 });
    const walk = new HeaderWalk();
    this.#services = {
      world,
      disk,
      files: this.#files,
      buffers: new BufferPool({ keepMaxBytes: options.readBuffersMaxBytes ?? 16 * 1024 * 1024, largestBytes: PART_MAX_BYTES }),
      walk,
      indexes: new IndexFiles(disk, walk, { cacheMaxBytes: options.indexCacheMaxBytes ?? 16 * 1024 * 1024 }),
      syncs: options.syncs ?? new FileSyncScheduler({ parallel: options.parallelSyncs ?? 8, own: (promise, what) => world.own(promise, what) }),
      recoveryPoint: (key) => this.#recoveryPoints.get(key) ?? 0,
      recordRecoveryPoint: (key, point) => void this.#recoveryPoints.set(key, point),
      lowerRecoveryPoint: (key, to) => this.#lowerRecoveryPoint(key, to),
      saveStart: (key, start) => this.#saveStart(key, start),
      changed: (log) => this.#noteChange(log),
      removeLater: (remove, delayMs) => this.#removeLater(remove, delayMs),
      syncFailed: (file, cause) => this.#syncFailed(file, cause),
    };
  }

  get clusterId(): string | null {
    return this.#meta.clusterId;
  }

  /** Writes down which cluster this directory belongs to, once that is known. */
  async adoptCluster(clusterId: string): Promise<void> {
    if (this.#meta.clusterId === clusterId) return;
    if (this.#meta.clusterId !== null) throw new LogDirectoryRefused(`${this.path} belongs to cluster ${this.#meta.clusterId}, not to ${clusterId}`);
    this.#meta = { ...this.#meta, clusterId };
    await writeMetaProperties(this.#world.disk, this.path, this.#meta);
  }

  async openLog(which: { readonly topic: string; readonly partition: number; readonly topicId: Uuid; readonly settings: LogSettings; readonly durable: boolean }): Promise<PartitionLog> {
    assert(!this.#closed, "the directory is open");
    const key = folderName(which.topic, which.partition);
    const before = this.#logs.get(key);
    assert(before === undefined || before.isClosed, `${key} is open already`);
    return this.#opens.run(async () => {
      const folder = `${this.path}/${key}`;
      const isNew = await this.#settleFolder(key, folder, which.topicId);
      const recovered = await recoverLog(this.#services, {
        folder,
        fresh: isNew,
        recoveryPoint: this.#recoveryPoints.get(key) ?? null, // known of a folder that is gone: that is a loss
        start: this.#starts.get(key) ?? null,
        clean: this.cleanShutdown || isNew || before !== undefined,
        pageCacheCounts: isNew || which.durable || this.#sameBoot,
        settings: which.settings,
        nowMs: this.#world.clock.wallMs(),
      });
      if (isNew) await this.#syncRoot.run();
      const log = new DiskLog(this.#services, { ...which, folder }, recovered);
      this.#logs.set(key, log);
      if (!recovered.report.clean || recovered.report.cutBytes > 0) this.#noteChange(log);
      if (recovered.report.cutBytes > 0 || (recovered.report.lostBelowDurable && !isNew)) {
        this.#world.logger.warn({ log: key, end: recovered.end, ...recovered.report }, "a log was repaired");
      }
      return log;
    });
  }

  /** Makes the folder where there is none for this topic id. Its name and its files are durable once recovery and the root's sync are through. */
  async #settleFolder(key: string, folder: string, topicId: Uuid): Promise<boolean> {
    const { disk } = this.#world;
    const found = readSmallFile(disk, `${folder}/${PARTITION_METADATA}`);
    const id = found === null ? null : decodePartitionMetadata(found);
    if (id === topicId) return false;
    if (await disk.exists(folder)) {
      const entries = await disk.list(folder);
      if (id === null && !entries.some((entry) => entry.name.includes(".log") && entry.bytes > 0)) {
        await disk.removeTree(folder); // its creation was cut short by a crash
      } else {
        this.#world.logger.warn({ log: key, found: id, wanted: topicId }, "a folder of another topic id was set aside");
        await this.#moveAside(key, "stray");
      }
    }
    await disk.makeDirectory(folder);
    const metadata = disk.open(`${folder}/${PARTITION_METADATA}`, { create: true });
    try {
      metadata.writeAt(0, [encodePartitionMetadata(topicId)]);
      await metadata.sync();
    } finally {
      metadata.close();
    }
    return true;
  }

  async deleteLog(log: PartitionLog): Promise<void> {
    const own = this.#logs.get(folderName(log.topic, log.partition));
    assert(own === log, "the log is of this directory");
    await own.abandon();
    this.#logs.delete(own.key);
    this.#changed.delete(own);
    const aside = await this.#moveAside(own.key, "delete");
    this.#removeLater(() => this.#world.disk.removeTree(`${this.path}/${aside}`), own.fileDeleteDelayMs);
  }

  async setAside(topic: string, partition: number): Promise<void> {
    const key = folderName(topic, partition);
    const open = this.#logs.get(key);
    if (open !== undefined) {
      await open.abandon();
      this.#logs.delete(key);
      this.#changed.delete(open);
    }
    if (await this.#world.disk.exists(`${this.path}/${key}`)) await this.#moveAside(key, "stray");
  }

  async #moveAside(key: string, suffix: "delete" | "stray"): Promise<string> {
    const unique = Buffer.from(uuidToBytes(this.#world.random.uuid())).toString("hex");
    const aside = asideName(key, unique, suffix);
    await this.#world.disk.rename(`${this.path}/${key}`, `${this.path}/${aside}`);
    await this.#syncRoot.run();
    this.#recoveryPoints.delete(key);
    this.#starts.delete(key);
    await Promise.all([this.#saveRecoveryPoints.run(), this.#saveStarts.run()]);
    return aside;
  }

  async found(): Promise<readonly { readonly topic: string; readonly partition: number; readonly topicId: Uuid | null }[]> {
    const { disk, clock } = this.#world;
    const found: { topic: string; partition: number; topicId: Uuid | null }[] = [];
    for (const entry of await disk.list(this.path)) {
      if (entry.kind !== "directory") continue;
      if (isDeleted(entry.name)) {
        await disk.removeTree(`${this.path}/${entry.name}`);
        continue;
      }
      const name = parseFolderName(entry.name);
      if (name === null || name.topic === "__cluster_metadata") continue;
      const bytes = readSmallFile(disk, `${this.path}/${entry.name}/${PARTITION_METADATA}`);
      const id = bytes === null ? null : decodePartitionMetadata(bytes);
      found.push({ ...name, topicId: id === null ? null : uuid(id) });
      if (found.length % 64 === 0) await clock.yield();
    }
    return found;
  }

  async readHighWatermarks(): Promise<ReadonlyMap<string, number>> {
    return decodeCheckpoint(await this.#world.disk.readFile(`${this.path}/${HIGH_WATERMARKS}`)) ?? new Map<string, number>();
  }

  async writeHighWatermarks(marks: ReadonlyMap<string, number>): Promise<void> {
    await writeFileAtomically(this.#world.disk, `${this.path}/${HIGH_WATERMARKS}`, encodeCheckpoint(marks));
  }

  async usage(): ReturnType<LogDirectory["usage"]> {
    const { disk } = this.#world;
    const strays: { name: string; bytes: number }[] = [];
    for (const { name } of (await disk.list(this.path)).filter((entry) => isStray(entry.name))) {
      const files = await disk.list(`${this.path}/${name}`);
      strays.push({ name, bytes: files.reduce((sum, file) => sum + (file.kind === "file" ? file.bytes : 0), 0) });
    }
    return { freeBytes: await disk.freeBytes(this.path), strays };
  }

  /** For tests and metrics. */
  inspect(): { readonly logs: number; readonly openFiles: number; readonly syncsInFlight: number; readonly waitingRemovals: number } {
    return { logs: this.#logs.size, openFiles: this.#files.openFiles, syncsInFlight: this.#services.syncs.inFlight, waitingRemovals: this.#removals.size };
  }

  async close(brokerEpoch: bigint): Promise<void> {
    assert([...this.#logs.values()].every((log) => log.isClosed), "all logs are closed before their directory");
    this.#closed = true;
    this.#checkpointTimer?.cancel();
    this.#checkpointTimer = null;
    await this.#checkpointing;
    for (const [remove, timer] of [...this.#removals]) {
      timer.cancel();
      await remove();
    }
    this.#removals.clear();
    await this.#saveRecoveryPoints.run();
    await writeFileAtomically(this.#world.disk, `${this.path}/${CLEAN_SHUTDOWN}`, Buffer.from(JSON.stringify({ version: 0, brokerEpoch: String(brokerEpoch) }).replace(/"(-?\d+)"/, "$1")));
    await this.#lock.release();
  }

  // ---- what logs use

  async #lowerRecoveryPoint(key: string, to: number): Promise<void> {
    const known = this.#recoveryPoints.get(key);
    if (known === undefined || known <= to) return;
    this.#recoveryPoints.set(key, to);
    await this.#saveRecoveryPoints.run();
  }

  async #saveStart(key: string, start: number): Promise<void> {
    this.#starts.set(key, start);
    await this.#saveStarts.run();
  }

  #noteChange(log: CheckpointedLog): void {
    this.#changed.add(log);
    if (this.#checkpointTimer !== null || this.#closed) return;
    this.#checkpointTimer = this.#world.clock.after(this.#options.checkpointMs ?? 5000, () => {
      this.#checkpointTimer = null;
      this.#checkpointing = this.checkpoint();
      this.#world.own(this.#checkpointing, "the checkpoint of recovery points");
    });
  }

  /** Saves what changed and writes the recovery points. Called by a timer after changes; by tests at will. */
  async checkpoint(): Promise<void> {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const log of changed) {
      await log.saveForCheckpoint();
      await this.#world.clock.yield();
    }
    await this.#saveRecoveryPoints.run();
  }

  #removeLater(remove: () => Promise<void>, delayMs: number): void {
    const timer = this.#world.clock.after(delayMs, () => {
      this.#removals.delete(remove);
      this.#world.own(remove(), "removing files");
    });
    this.#removals.set(remove, timer);
  }

  /** Nobody tries a failed fdatasync again: the kernel may have dropped the pages. The marker tells the next start (design §5, S2). */
  #syncFailed(file: string, cause: unknown): void {
    try {
      const marker = this.#world.disk.open(`${this.path}/${SYNC_FAILED}`, { create: true });
      marker.writeAt(0, [Buffer.from(`${file}\n`)]);
      marker.close();
    } catch {
      // The disk is failing: what can be left is left.
    }
    this.#world.halt(`fdatasync failed on ${file}`, cause);
  }
}

/** What a log uses of the directory it lives in. */
import type { World } from "../world/world.js";
import type { RecoveryTools } from "./recovery.js";
import type { SyncScheduler } from "./sync-scheduler.js";

export interface LogServices extends RecoveryTools {
  readonly world: World;
  readonly syncs: SyncScheduler;
  /** What the last checkpoint said, or the next will say; 0 where it does not know the log. */
  recoveryPoint(key: string): number;
  /** What the next checkpoint says of a log. */
  recordRecoveryPoint(key: string, point: number): void;
  /** Has the checkpoint say at most `to` of this log, durably: before something that it knows is cut on purpose. */
  lowerRecoveryPoint(key: string, to: number): Promise<void>;
  /** Remembers a raised start, durably. */
  saveStart(key: string, start: number): Promise<void>;
  /** This log has something for the next checkpoint. */
  changed(log: CheckpointedLog): void;
  /** Removes files after a delay, or when the directory closes. */
  removeLater(remove: () => Promise<void>, delayMs: number): void;
  /** An fdatasync failed: leaves a marker and halts the world. */
  syncFailed(path: string, cause: unknown): void;
}

export interface CheckpointedLog {
  readonly key: string;
  /** Makes durable what a checkpoint relies on, then records the offset that it may say. */
  saveForCheckpoint(): Promise<void>;
}

/**
 * The files of one log that are derived from its segments: producer snapshots, epoch checkpoint, index of aborted transactions. Kept here are
 * which snapshots exist and which may go.
 */
import { writeFileAtomically } from "../world/atomic-file.js";
import type { Epochs } from "./epochs.js";
import { EPOCH_CHECKPOINT, segmentName } from "./names.js";
import { encodeBatches, encodeSnapshot } from "./producer-snapshot.js";
import type { Producers } from "./producers.js";
import type { Segment } from "./segment.js";
import type { LogServices } from "./services.js";
import { writeSmallFile } from "./small-file.js";
import { encodeAborted, type AbortedTransaction } from "./transactions.js";

/** Snapshots between segment bases; the newest may lie above the recovery point still, so the one before it stays. */
const BETWEEN_MAX = 2;

export interface DerivedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Producer state as it is now, for the offset `at`. */
export function snapshotFiles(at: number, producers: Producers): readonly DerivedFile[] {
  return [
    { name: segmentName(at, "producers"), bytes: encodeBatches(producers) },
    { name: segmentName(at, "snapshot"), bytes: encodeSnapshot(producers) },
  ];
}

export class LogFiles {
  readonly #services: LogServices;
  readonly folder: string;
  #snapshots: number[];

  constructor(services: LogServices, folder: string, snapshots: readonly number[]) {
    this.#services = services;
    this.folder = folder;
    this.#snapshots = [...snapshots];
  }

  get snapshots(): readonly number[] {
    return this.#snapshots;
  }

  hasSnapshot(at: number): boolean {
    return this.#snapshots.includes(at);
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** To the page cache. */
  writeSnapshot(at: number, files: readonly DerivedFile[], segments: readonly Segment[]): void {
    for (const file of files) writeSmallFile(this.#services.disk, this.path(file.name), file.bytes);
    if (!this.#snapshots.includes(at)) this.#snapshots.push(at);
    this.#snapshots.sort((a, b) => a - b);
    const between = this.#snapshots.filter((one) => one !== at && !segments.some((segment) => segment.base === one));
    this.#services.world.own(this.#remove(between.slice(0, Math.max(0, between.length - BETWEEN_MAX + 1))), "removing old producer snapshots");
  }

  async removeSnapshots(which: (at: number) => boolean): Promise<void> {
    await this.#remove(this.#snapshots.filter(which));
  }

  /** Durable when it resolves. */
  async saveEpochs(state: { readonly epochs: Epochs; epochsDirty: boolean }): Promise<void> {
    if (!state.epochsDirty) return;
    state.epochsDirty = false;
    await writeFileAtomically(this.#services.disk, this.path(EPOCH_CHECKPOINT), state.epochs.encode());
  }

  writeAborted(segment: Segment, aborted: readonly AbortedTransaction[]): void {
    const own = aborted.filter((entry) => entry.lastOffset >= segment.base && entry.lastOffset < segment.next);
    if (own.length > 0) writeSmallFile(this.#services.disk, this.path(segmentName(segment.base, "txnindex")), encodeAborted(own));
  }

  async sync(name: string): Promise<void> {
    const file = this.#services.disk.open(this.path(name));
    try {
      await file.sync();
    } finally {
      file.close();
    }
  }

  async removeSegment(base: number): Promise<void> {
    for (const suffix of ["log", "index", "timeindex", "txnindex"]) await this.#services.disk.unlink(this.path(segmentName(base, suffix)));
  }

  async #remove(snapshots: readonly number[]): Promise<void> {
    this.#snapshots = this.#snapshots.filter((at) => !snapshots.includes(at));
    for (const at of snapshots) {
      await this.#services.disk.unlink(this.path(segmentName(at, "snapshot")));
      await this.#services.disk.unlink(this.path(segmentName(at, "producers")));
    }
  }
}

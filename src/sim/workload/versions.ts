/** Which versions a client speaks: of one age of client each, so that old and new ones meet in a run. behaviours.md §16. */
import type { Seeded } from "../seeded.js";

export interface Versions {
  readonly produce: number;
  readonly fetch: number;
  readonly listOffsets: number;
  /** From 10 on, so that topic ids are told. */
  readonly metadata: number;
  readonly findCoordinator: number;
  readonly join: number;
  readonly sync: number;
  readonly heartbeat: number;
  readonly leave: number;
  readonly commit: number;
  readonly offsetFetch: number;
  readonly initProducerId: number;
}

const NEW: Versions = { produce: 13, fetch: 18, listOffsets: 11, metadata: 13, findCoordinator: 6, join: 9, sync: 5, heartbeat: 4, leave: 5, commit: 10, offsetFetch: 10, initProducerId: 5 };
const RECENT: Versions = { produce: 10, fetch: 16, listOffsets: 7, metadata: 12, findCoordinator: 4, join: 7, sync: 5, heartbeat: 4, leave: 4, commit: 8, offsetFetch: 8, initProducerId: 4 };
const OLD: Versions = { produce: 7, fetch: 11, listOffsets: 5, metadata: 10, findCoordinator: 2, join: 5, sync: 3, heartbeat: 3, leave: 3, commit: 7, offsetFetch: 5, initProducerId: 1 };

export function drawVersions(draws: Seeded): Versions {
  return draws.pick([NEW, RECENT, OLD]);
}

export const NEWEST = NEW;

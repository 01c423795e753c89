/** What can be wrong with a machine's disk, as plain data. */
export interface DiskFaults {
  /** "fail-once": the next one fails and its pages are forgotten while later ones say ok. "lie": says ok and keeps nothing. */
  readonly syncs: "ok" | "fail-once" | "fail" | "lie";
  readonly writes: "ok" | "fail";
  readonly reads: "ok" | "fail";
  /** No byte more fits. */
  readonly full: boolean;
  /** What is awaited waits until this is lifted. */
  readonly stalled: boolean;
  /** Latencies are so many times as long. */
  readonly slowness: number;
  /** Each synchronous read and write occupies its thread for so long. */
  readonly callMs: number;
}

export const NO_DISK_FAULTS: DiskFaults = { syncs: "ok", writes: "ok", reads: "ok", full: false, stalled: false, slowness: 1, callMs: 0 };

export type DiskBite = "sync-failed" | "sync-lied" | "write-failed" | "read-failed" | "disk-full" | "disk-stalled" | "disk-slow" | "call-slow" | "page-lost" | "name-lost" | "bit-flipped" | "disk-wiped";

/** Every kind of fault by the name that plans use. */
import * as disks from "./disk-faults.js";
import type { FaultKind } from "./fault-kind.js";
import * as links from "./link-faults.js";
import * as nodes from "./node-faults.js";

export const FAULT_KINDS: ReadonlyMap<string, FaultKind> = new Map<string, FaultKind>([
  ["kill", nodes.kill],
  ["kill-at-call", nodes.killAtCall],
  ["power-loss", nodes.powerLoss],
  ["freeze", nodes.freeze],
  ["busy", nodes.busy],
  ["clock-jump", nodes.clockJump],
  ["clock-drift", nodes.clockDrift],
  ["controlled-stop", nodes.controlledStop],
  ["rolling-restart", nodes.rollingRestart],
  ["disk-slow", disks.diskSlow],
  ["disk-calls-slow", disks.diskCallsSlow],
  ["disk-stalled", disks.diskStalled],
  ["disk-full", disks.diskFull],
  ["writes-fail", disks.writesFail],
  ["sync-fails", disks.syncFails],
  ["one-sync-fails", disks.oneSyncFails],
  ["reads-fail", disks.readsFail],
  ["bit-flip", disks.bitFlip],
  ["disk-wiped", disks.diskWiped],
  ["isolate", links.isolate],
  ["halves", links.halves],
  ["bridge", links.bridge],
  ["ring", links.ring],
  ["one-way", links.oneWay],
  ["flapping", links.flapping],
  ["link-slow", links.linkSlow],
  ["resets", links.resets],
  ["half-open", links.halfOpen],
  ["refused-dials", links.refusedDials],
  ["lying-disk", disks.lyingDisk],
]);

/** Kinds that a swarm draws from: all but the negative control. */
export const SWARM_KINDS: readonly string[] = [...FAULT_KINDS.keys()].filter((name) => name !== "lying-disk");

/** Draws a plan from a seed, purely: which faults there are and how hard, what the nodes' knobs are, which topics and clients. Each seed is a swarm of its own. */
import type { DiskOptions } from "./machine-disk.js";
import type { MachineOptions } from "./machine.js";
import { FAULT_KINDS, SWARM_KINDS } from "./faults/kinds.js";
import { lasting } from "./faults/node-faults.js";
import type { ClientPlan, FaultPlan, Plan, TopicPlan } from "./plan.js";
import { drawSettings, drawTopicConfigs } from "./knobs.js";
import { Seeded } from "./seeded.js";

export interface DrawOptions {
  readonly nodes?: number;
  /** "swarm": each seed draws which; "none"; or these kinds, all of them. */
  readonly faults?: "swarm" | "none" | readonly string[];
  /** Of the first phase; drawn from 60 to 90 s if left out. */
  readonly faultsMs?: number;
  /** Production's own intervals and limits instead of drawn ones. */
  readonly plainSettings?: boolean;
}

const FIRST_FAULT_MS = 4_000; // mostly: until the cluster is founded
const CORE_MS = 45_000;
const HEALED_MS = 60_000;

export function drawPlan(seed: number | string, options: DrawOptions = {}): Plan {
  const seeded = Seeded.from(seed).fork("plan");
  const nodes = options.nodes ?? seeded.fork("nodes").pick([3, 3, 5]);
  const ids = Array.from({ length: nodes }, (_, i) => i + 1);
  const faultsMs = options.faultsMs ?? 60_000 + seeded.fork("length").below(30) * 1_000;
  const faulty = options.faults !== "none";
  const topics = drawTopics(seeded.fork("topics"), nodes);
  return {
    version: 1,
    seed: String(seed),
    nodes,
    phases: { faultsMs, coreMs: faulty && nodes >= 3 ? CORE_MS : 0, healedMs: HEALED_MS },
    core: drawCore(seeded.fork("core"), ids),
    settings: options.plainSettings === true ? BRISK : drawSettings(seeded.fork("settings")),
    topics,
    clients: drawClients(seeded.fork("clients"), topics),
    faults: options.faults === "none" ? [] : drawFaults(seeded.fork("faults"), ids, faultsMs, options.faults ?? "swarm"),
  };
}

/** What would only cost time in a run without drawn knobs. */
const BRISK: Plan["settings"] = { "offsets.topic.num.partitions": "4", "group.initial.rebalance.delay.ms": "0" };

/** All but one node, or with five sometimes just a majority. */
function drawCore(seeded: Seeded, ids: readonly number[]): readonly number[] {
  if (ids.length < 3) return ids;
  const outside = ids.length >= 5 && seeded.chance(0.3) ? Math.floor((ids.length - 1) / 2) : 1;
  return seeded.shuffled(ids).slice(outside).sort((a, b) => a - b);
}

function drawTopics(seeded: Seeded, nodes: number): readonly TopicPlan[] {
  return Array.from({ length: 1 + seeded.below(3) }, (_, i) => ({
    name: `t${i + 1}`,
    partitions: 1 + seeded.below(i === 0 ? 6 : 3),
    replicas: Math.min(3, nodes),
    configs: drawTopicConfigs(seeded.fork(i), i),
  }));
}

function drawClients(seeded: Seeded, topics: readonly TopicPlan[]): readonly ClientPlan[] {
  const clients: ClientPlan[] = [];
  topics.forEach((topic, t) => {
    const producers = 1 + seeded.below(3);
    for (let i = 0; i < producers; i++) {
      const draws = seeded.fork(`producer ${t} ${i}`);
      const acks = i === 0 ? -1 : draws.pick([-1, -1, 1, 1, 0] as const);
      const idempotent = acks === -1 && draws.chance(0.7);
      clients.push({
        kind: "producer",
        name: `p${t + 1}-${i + 1}`,
        topic: topic.name,
        acks,
        idempotent,
        codec: draws.pick(["none", "none", "gzip", "snappy", "lz4"]),
        recordsPerBatch: draws.pick([1, 1, 3, 10, 40]),
        recordBytes: draws.pick([20, 100, 100, 600, 3_000]),
        everyMs: Math.round(lasting(draws, 40, 600)),
        inFlight: draws.pick([1, 2, 5]),
        requestTimeoutMs: draws.pick([1_500, 5_000, 30_000]),
      });
    }
    const draws = seeded.fork(`reader ${t}`);
    clients.push({ kind: "reader", name: `r${t + 1}`, topic: topic.name, maxWaitMs: draws.pick([10, 100, 500]), isolation: draws.pick(["read-uncommitted", "read-committed"]) });
  });
  const groups = 1 + seeded.below(2);
  for (let i = 0; i < groups; i++) {
    const draws = seeded.fork(`group ${i}`);
    const static_ = draws.chance(0.3);
    clients.push({
      kind: "group",
      name: `g${i + 1}`,
      group: `group-${i + 1}`,
      topics: draws.shuffled(topics.map((topic) => topic.name)).slice(0, 1 + draws.below(topics.length)).sort(),
      members: 1 + draws.below(4),
      static: static_,
      sessionMs: draws.pick([6_000, 6_000, 10_000]),
      commitEveryMs: draws.pick([200, 500, 2_000]),
      churn: draws.pick([0, 0.02, 0.1]),
    });
  }
  if (seeded.chance(0.7)) clients.push({ kind: "admin", name: "a1", everyMs: 500 + seeded.below(4_000) });
  return clients;
}

function drawFaults(seeded: Seeded, ids: readonly number[], faultsMs: number, wanted: "swarm" | readonly string[]): readonly FaultPlan[] {
  const kinds = wanted === "swarm" ? drawKinds(seeded.fork("kinds")) : wanted;
  if (kinds.length === 0) return [];
  const hardness = seeded.fork("hardness").fraction();
  const everyMs = lasting(seeded.fork("pace"), 700, 7_000); // between beginnings, usually
  const draws = seeded.fork("times");
  const faults: FaultPlan[] = [];
  let atMs = draws.chance(0.1) ? 0 : FIRST_FAULT_MS;
  for (let i = 0; i < FAULTS_MAX; i++) {
    atMs = Math.round(atMs + draws.around(everyMs, faultsMs / 4));
    if (atMs >= faultsMs - 500) break;
    const kind = i < kinds.length * 2 ? (kinds[i % kinds.length] ?? draws.pick(kinds)) : draws.pick(kinds);
    const drawn = FAULT_KINDS.get(kind)?.draw(seeded.fork(`${i} ${kind}`), { nodes: ids, hardness });
    if (drawn === undefined) throw new Error(`there is no kind of fault called ${kind}; there are ${[...FAULT_KINDS.keys()].join(", ")}`);
    faults.push({ kind, atMs, ...drawn });
    if (draws.chance(0.25)) atMs = Math.max(0, atMs - everyMs / 2); // a burst
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

const FAULTS_MAX = 2_000;

/** A few kinds, or many; never quite all. */
function drawKinds(seeded: Seeded): readonly string[] {
  const share = seeded.between(0.1, 0.6);
  const kinds = SWARM_KINDS.filter(() => seeded.chance(share));
  return seeded.shuffled(kinds.length > 0 ? kinds : [seeded.pick(SWARM_KINDS)]);
}

/** Machines of one run differ: their disks' speed and habits, their clocks, how much a connection holds before it is full. */
export function machineOptions(plan: Plan, id: number): MachineOptions {
  const seeded = Seeded.from(plan.seed).fork(`machine options ${id}`);
  const disk: DiskOptions = {};
  const small = Seeded.from(plan.seed).fork("small buffers").chance(0.3);
  return {
    disk,
    wallAheadMs: seeded.chance(0.3) ? Math.round(seeded.between(-300, 300)) : 0,
    rate: seeded.chance(0.3) ? 1 + seeded.between(-0.0005, 0.0005) : 1,
    knobs: small ? { connectionMarks: { highBytes: 4_096, lowBytes: 1_024 }, rpcMarks: { highBytes: 4_096, lowBytes: 1_024 } } : {},
  };
}

import { describe, expect, test } from "vitest";
import { TIMING } from "../../src/raft/core/messages.js";
import { keyOf, type MemberKey } from "../../src/raft/types.js";
import { Cluster, drawer } from "./cluster.js";

interface Options {
  readonly voters: number;
  readonly learners?: number;
  readonly steps?: number;
  readonly tracing?: boolean;
  /** One disk at a time is wiped, and its node votes again before the next one is. */
  readonly wipes?: boolean;
}

/** One run: draws of messages, syncs, timers, crashes, cuts, damage, proposals, snapshots and changes, then healing. */
export function run(seed: number, { voters, learners = 0, steps = 900, tracing = false, wipes = false }: Options): Cluster {
  const draw = drawer(seed);
  const ids = Array.from({ length: voters }, (_, i) => i + 1);
  const extra = Array.from({ length: learners }, (_, i) => voters + i + 1);
  const cluster = new Cluster(draw, ids, { ...TIMING, batchMaxBytes: 100, inflightMax: 3, chunkBytes: 200, returnAfterMs: 300 }, extra);
  cluster.tracing = tracing;
  const keys = [...cluster.nodes.keys()];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)] as T;
  const faults = draw() < 0.15 ? 0 : draw();
  const slowDisk = 0.05 + draw() * 0.3;
  let proposed = 0;
  for (let i = 0; i < steps; i++) {
    const busy = cluster.busy();
    const dice = draw();
    if (dice < 0.5 && busy.length > 0) cluster.deliver(pick(busy));
    else if (dice < 0.5 + slowDisk) cluster.finishSync(pick(keys));
    else if (dice < 0.83) cluster.tick();
    else if (dice < 0.91) cluster.propose(`p${proposed++}`, draw() < 0.8 ? cluster.leader() : pick(keys));
    else if (dice < 0.925) cluster.compact(pick(keys));
    else if (dice < 0.935) cluster.finishInstall(pick(keys));
    else if (dice < 0.94 && cluster.alive().length > 0) cluster.read(pick(cluster.alive()));
    else if (draw() < faults) fault(cluster, keys, pick, draw);
    if (wipes) {
      if (draw() < 0.01) wipe(cluster, keys, pick);
      cluster.considerMembers();
    }
    if (i % 15 === 0) cluster.checkDurable();
  }
  return cluster;
}

/** A voter loses its disk: one at a time, and no other is damaged, until it votes again. */
function wipe(cluster: Cluster, keys: MemberKey[], pick: <T>(list: readonly T[]) => T): void {
  const key = pick(keys);
  if (!cluster.allReturned() || keys.some((one) => cluster.node(one).damaged) || cluster.committed.size === 0) return;
  keys[keys.indexOf(key)] = cluster.wipe(key, cluster.nodes.size);
}

function fault(cluster: Cluster, keys: readonly MemberKey[], pick: <T>(list: readonly T[]) => T, draw: () => number): void {
  const [a, b] = [pick(keys), pick(keys)];
  const dice = draw();
  const down = cluster.node(a).raft === null;
  if (dice < 0.2 && !down) cluster.crash(a, draw() < 0.7);
  else if (dice < 0.5 && down) {
    // At most one disk at a time is damaged, and it is whole again before the next one is.
    const others = cluster.allReturned() && keys.filter((key) => key !== a).every((key) => !cluster.node(key).damaged);
    if (draw() < 0.3 && others && keys.length > 1) cluster.damage(a, 1 + Math.floor(draw() * 4));
    cluster.start(a);
  } else if (dice < 0.6 && a !== b) cluster.reconnect(a, b);
  else if (dice < 0.67 && cluster.busy(cluster.old).length > 0) cluster.deliver(pick(cluster.busy(cluster.old)), cluster.old);
  else if (dice < 0.74) cluster.cut.add(`${a}>${b}`);
  else if (dice < 0.82) cluster.cut.clear();
  else if (dice < 0.85 && !down) cluster.event(a, { kind: "disk", stalled: draw() < 0.3 });
  else if (dice < 0.9) {
    const leader = cluster.leader();
    if (leader !== null) cluster.event(leader, { kind: "transfer", to: draw() < 0.5 ? null : b });
  } else changeMembers(cluster, pick);
}

function changeMembers(cluster: Cluster, pick: <T>(list: readonly T[]) => T): void {
  const leader = cluster.leader();
  const raft = leader === null ? null : cluster.node(leader).raft;
  if (raft === null || raft === undefined || cluster.nodes.size <= 3 || [...cluster.nodes.values()].some((one) => one.gone)) return;
  const { voters, learners } = raft.log.members;
  // Never fewer than three: of two, one damaged disk is half, and nobody may be elected.
  const who = pick([...cluster.nodes.values()]).member;
  const isVoter = voters.some((one) => keyOf(one) === keyOf(who));
  if (isVoter && voters.length > 3) cluster.change({ voters: voters.filter((one) => keyOf(one) !== keyOf(who)), learners: [...learners, who] });
  else if (!isVoter) cluster.change({ voters: [...voters, who], learners: learners.filter((one) => keyOf(one) !== keyOf(who)) });
}

export function healAndCompare(cluster: Cluster, seed: number): void {
  for (const key of cluster.alive()) cluster.event(key, { kind: "disk", stalled: false });
  cluster.heal(150);
  expect(cluster.propose("last"), `seed ${seed}: a healed quorum has a leader`).toBe(true);
  cluster.heal(15);
  cluster.checkDurable();
  const states = cluster.states();
  expect(new Set(states).size, `seed ${seed}: all members end alike`).toBe(1);
  expect(states[0]?.endsWith("last"), `seed ${seed}: a healed quorum commits`).toBe(true);
}

const KINDS: readonly Options[] = [{ voters: 1 }, { voters: 3 }, { voters: 5 }, { voters: 3, learners: 2 }, { voters: 3, wipes: true }, { voters: 5, wipes: true }];

describe("a quorum of pure cores", { timeout: 60_000 }, () => {
  test.each(KINDS)("keeps its promises under any faults: %o", (options) => {
    let committed = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const cluster = run(seed * 7 + options.voters, options);
      healAndCompare(cluster, seed);
      committed += cluster.committed.size;
    }
    expect(committed, "the runs did something").toBeGreaterThan(1000);
  });

  test("a seed run twice gives one trace", () => {
    const trace = () => run(42, { voters: 5, tracing: true }).trace;
    expect(trace().length).toBeGreaterThan(1000);
    expect(trace()).toEqual(trace());
  });
});


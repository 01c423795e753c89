/** Where replicas go: spread over racks first, then over brokers, leaders in turn. Pure but for the draw of where to begin. */
import type { NodeId } from "../../base/ids.js";

export interface Placeable {
  readonly id: NodeId;
  readonly rack: string | null;
}

/**
 * @param brokers those that may hold replicas now; at least `replicas` of them
 * @returns for each partition its replicas, the preferred leader first
 */
export function place(brokers: readonly Placeable[], want: { readonly partitions: number; readonly replicas: number; readonly firstPartition: number }, below: (end: number) => number): NodeId[][] {
  const ring = interleaved(brokers);
  const start = below(ring.length);
  const shift = below(Math.max(1, ring.length - 1));
  return Array.from({ length: want.partitions }, (_, i) => {
    const index = want.firstPartition + i;
    const lap = Math.floor(index / ring.length);
    const chosen: Placeable[] = [];
    const first = (start + index) % ring.length;
    for (let step = 0; chosen.length < want.replicas && step < ring.length; step++) {
      // Followers begin elsewhere in each lap, so that one broker's partitions do not all share the same followers.
      const at = step === 0 || ring.length === 1 ? first : (first + 1 + ((step - 1 + shift + lap) % (ring.length - 1))) % ring.length;
      const candidate = ring[at] as Placeable;
      const racks = new Set(chosen.map((one) => one.rack));
      const left = ring.filter((one) => !chosen.includes(one) && !racks.has(one.rack));
      if (candidate.rack !== null && racks.has(candidate.rack) && left.length > 0) continue;
      if (!chosen.includes(candidate)) chosen.push(candidate);
    }
    for (const one of ring) if (chosen.length < want.replicas && !chosen.includes(one)) chosen.push(one);
    return chosen.map((one) => one.id);
  });
}

/** Brokers so ordered that neighbours are in different racks where that can be. */
function interleaved(brokers: readonly Placeable[]): readonly Placeable[] {
  const byRack = new Map<string, Placeable[]>();
  for (const broker of [...brokers].sort((a, b) => a.id - b.id)) {
    const rack = broker.rack ?? "";
    byRack.set(rack, [...(byRack.get(rack) ?? []), broker]);
  }
  const racks = [...byRack.values()].sort((a, b) => b.length - a.length);
  const out: Placeable[] = [];
  for (let i = 0; out.length < brokers.length; i++) for (const rack of racks) if (rack[i] !== undefined) out.push(rack[i] as Placeable);
  return out;
}

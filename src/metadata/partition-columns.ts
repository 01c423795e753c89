/**
 * The partitions of one topic as columns: a row of int32 per partition, rows in blocks of 64. A change copies its block and the list of
 * blocks, never the topic, so that images share the rest. ISR and ELR are bit sets over the row's replicas; at replication factor
 * 3 a row takes 52 bytes where an object of arrays takes some hundred.
 *
 *     row: replica count | flags ── leader ── leader epoch ── partition epoch ── isr ── elr ── last known elr ── replicas × w ── directories × w
 */
import { assert } from "../base/assert.js";
import { epoch, nodeId, type NodeId, type Uuid } from "../base/ids.js";
import type { PartitionImage } from "./image.js";

const BLOCK_ROWS = 64;
const FIXED = 7;

/** int32s in a row that has room for `width` replicas. */
export function rowLength(width: number): number {
  return FIXED + 2 * width;
}

const COUNT = 0;
const LEADER = 1;
const LEADER_EPOCH = 2;
const PARTITION_EPOCH = 3;
const ISR = 4;
const ELR = 5;
const LAST_KNOWN = 6;
const RECOVERING = 1 << 8;
const COUNT_MASK = 0xff;

/** A bit set of int32 holds this many replicas. */
export const REPLICAS_MAX = 31;

/** Directory ids by a small number, the same in every row of an image. Grows only; an image never sees a later entry. */
export class DirectoryTable {
  readonly ids: readonly Uuid[];
  readonly #numbers: ReadonlyMap<Uuid, number>;

  constructor(ids: readonly Uuid[]) {
    this.ids = ids;
    this.#numbers = new Map(ids.map((id, i) => [id, i]));
  }

  with(ids: readonly Uuid[]): DirectoryTable {
    const fresh = [...new Set(ids)].filter((id) => !this.#numbers.has(id));
    return fresh.length === 0 ? this : new DirectoryTable([...this.ids, ...fresh]);
  }

  number(id: Uuid): number {
    const found = this.#numbers.get(id);
    assert(found !== undefined, "a row's directories are entered in the table before the row");
    return found;
  }

  id(number: number): Uuid {
    const found = this.ids[number];
    assert(found !== undefined, "a row names directories of its own image's table");
    return found;
  }
}

export type PartitionState = Omit<PartitionImage, "topicId" | "index">;

export class PartitionColumns {
  readonly count: number;
  /** Replicas a row has room for. */
  readonly width: number;
  readonly #blocks: readonly Int32Array[];

  private constructor(count: number, width: number, blocks: readonly Int32Array[]) {
    this.count = count;
    this.width = width;
    this.#blocks = blocks;
  }

  static readonly empty: PartitionColumns = new PartitionColumns(0, 0, []);

  /** @param rows as `rows()` gave them, in the byte order of this machine's int32 */
  static fromRows(count: number, width: number, rows: Int32Array): PartitionColumns {
    const stride = FIXED + 2 * width;
    assert(rows.length === count * stride, "rows fill their columns");
    const blocks: Int32Array[] = [];
    for (let first = 0; first < count; first += BLOCK_ROWS) blocks.push(rows.slice(first * stride, Math.min(count, first + BLOCK_ROWS) * stride));
    return new PartitionColumns(count, width, blocks);
  }

  /** A copy of rows `first` to before `end`. */
  rows(first: number, end: number): Int32Array {
    const stride = this.#stride;
    const out = new Int32Array((end - first) * stride);
    for (let row = first; row < end; ) {
      const at = row % BLOCK_ROWS;
      const rows = Math.min(BLOCK_ROWS - at, end - row);
      out.set(this.#block(row).subarray(at * stride, (at + rows) * stride), (row - first) * stride);
      row += rows;
    }
    return out;
  }

  get #stride(): number {
    return FIXED + 2 * this.width;
  }

  #block(row: number): Int32Array {
    const block = this.#blocks[Math.floor(row / BLOCK_ROWS)];
    assert(block !== undefined, `row ${row} is below ${this.count}`);
    return block;
  }

  get(topicId: Uuid, index: number, directories: DirectoryTable): PartitionImage {
    const block = this.#block(index);
    const at = (index % BLOCK_ROWS) * this.#stride;
    const int = (column: number): number => block[at + column] as number; // every row is whole
    const count = int(COUNT) & COUNT_MASK;
    const replicas: NodeId[] = [];
    const dirs: Uuid[] = [];
    for (let i = 0; i < count; i++) {
      replicas.push(int(FIXED + i) as NodeId); // was checked when it was written
      dirs.push(directories.id(int(FIXED + this.width + i)));
    }
    const leader = int(LEADER);
    return {
      topicId,
      index,
      replicas,
      directories: dirs,
      isr: members(replicas, int(ISR)),
      elr: members(replicas, int(ELR)),
      lastKnownElr: members(replicas, int(LAST_KNOWN)),
      leader: leader < 0 ? null : nodeId(leader),
      leaderEpoch: epoch(int(LEADER_EPOCH)),
      partitionEpoch: int(PARTITION_EPOCH),
      recovering: (int(COUNT) & RECOVERING) !== 0,
    };
  }

  /** Indexes of partitions from `first` on that `wanted` picks by these facts alone, at most `limit`, ascending. No object is made per row. */
  scan(broker: NodeId | null, wanted: (row: RowFacts) => boolean, limit: number, first = 0): number[] {
    const found: number[] = [];
    const stride = this.#stride;
    const facts = { leader: -1, holds: false, inIsr: false, inElr: false, isrBits: 0, elrBits: 0, preferred: -1 };
    for (let index = first; index < this.count; ) {
      const block = this.#block(index);
      for (let at = (index % BLOCK_ROWS) * stride; at < block.length; at += stride, index++) {
        const count = (block[at] as number) & COUNT_MASK;
        facts.leader = block[at + LEADER] as number;
        facts.isrBits = block[at + ISR] as number;
        facts.elrBits = block[at + ELR] as number;
        facts.preferred = block[at + FIXED] as number;
        facts.holds = facts.inIsr = facts.inElr = false;
        if (broker !== null) {
          for (let i = 0; i < count; i++) {
            if (block[at + FIXED + i] !== broker) continue;
            facts.holds = true;
            facts.inIsr = (facts.isrBits & (1 << i)) !== 0;
            facts.inElr = (facts.elrBits & (1 << i)) !== 0;
            break;
          }
        }
        if (!wanted(facts)) continue;
        found.push(index);
        if (found.length >= limit) return found;
      }
    }
    return found;
  }

  /** Adds rows at the end. */
  append(states: readonly PartitionState[], directories: DirectoryTable): PartitionColumns {
    const width = states.reduce((widest, state) => Math.max(widest, state.replicas.length), this.width);
    assert(width <= REPLICAS_MAX, `a partition has at most ${REPLICAS_MAX} replicas`);
    const count = this.count + states.length;
    const base = width === this.width ? this : this.#widened(width);
    const blocks = base.#blocks.slice();
    const stride = FIXED + 2 * width;
    const open = base.count % BLOCK_ROWS;
    const tail = open === 0 ? undefined : blocks.pop();
    let row = base.count - open;
    while (row < count) {
      const rows = Math.min(BLOCK_ROWS, count - row);
      const block = new Int32Array(rows * stride);
      let at = 0;
      if (tail !== undefined && row < base.count) {
        block.set(tail);
        at = open;
      }
      for (; at < rows; at++) {
        const state = states[row + at - base.count];
        assert(state !== undefined, "each new row has its state");
        writeRow(block, at * stride, width, state, directories);
      }
      blocks.push(block);
      row += rows;
    }
    return new PartitionColumns(count, width, blocks);
  }

  /** Overwrites what may change of rows, where they lie. Each touched block is copied once. Asserts M3 of reliability.md. */
  change(changes: readonly RowChange[], directories: DirectoryTable): PartitionColumns {
    const blocks = this.#blocks.slice();
    const fresh = new Set<number>();
    const stride = this.#stride;
    for (const change of changes) {
      const { index, leader } = change;
      assert(Number.isInteger(index) && index >= 0 && index < this.count, `partition ${index} exists`);
      const number = Math.floor(index / BLOCK_ROWS);
      if (!fresh.has(number)) {
        fresh.add(number);
        blocks[number] = this.#block(index).slice();
      }
      const block = blocks[number];
      assert(block !== undefined, "the block was just copied");
      const at = (index % BLOCK_ROWS) * stride;
      const oldLeader = block[at + LEADER] as number; // every row is whole
      const oldEpoch = block[at + LEADER_EPOCH] as number;
      const count = (block[at + COUNT] as number) & COUNT_MASK;
      assert(change.partitionEpoch === (block[at + PARTITION_EPOCH] as number) + 1, "the partition epoch rises by one with every change");
      assert(change.leaderEpoch >= oldEpoch, "leader epochs never fall");
      assert((leader ?? -1) === oldLeader || change.leaderEpoch > oldEpoch, "the leader epoch rises with every change of leader");
      block[at + COUNT] = count | (change.recovering ? RECOVERING : 0);
      block[at + LEADER] = leader ?? -1;
      block[at + LEADER_EPOCH] = change.leaderEpoch;
      block[at + PARTITION_EPOCH] = change.partitionEpoch;
      block[at + ISR] = bitsInRow(block, at + FIXED, count, change.isr);
      block[at + ELR] = bitsInRow(block, at + FIXED, count, change.elr);
      block[at + LAST_KNOWN] = bitsInRow(block, at + FIXED, count, change.lastKnownElr);
      if (change.directories === null) continue;
      assert(change.directories.length === count, "a partition names a directory per replica");
      for (let i = 0; i < count; i++) block[at + FIXED + this.width + i] = directories.number(change.directories[i] as Uuid);
    }
    return new PartitionColumns(this.count, this.width, blocks);
  }

  #widened(width: number): PartitionColumns {
    const from = this.#stride;
    const to = FIXED + 2 * width;
    const rows = this.rows(0, this.count);
    const out = new Int32Array(this.count * to);
    for (let row = 0; row < this.count; row++) {
      const old = rows.subarray(row * from, (row + 1) * from);
      out.set(old.subarray(0, FIXED + this.width), row * to);
      out.set(old.subarray(FIXED + this.width), row * to + FIXED + width);
    }
    return PartitionColumns.fromRows(this.count, width, out);
  }

  /** True if row `index` has the same bytes in both, given equal directory tables. */
  sameRow(other: PartitionColumns, index: number): boolean {
    if (this.width !== other.width) return false;
    const mine = this.#block(index);
    const theirs = other.#block(index);
    if (mine === theirs) return true;
    const stride = this.#stride;
    const at = (index % BLOCK_ROWS) * stride;
    for (let i = 0; i < stride; i++) if (mine[at + i] !== theirs[at + i]) return false;
    return true;
  }
}

/** What of a partition may change while its replicas stay. */
export type RowChange = Omit<PartitionState, "replicas" | "directories"> & { readonly index: number; readonly directories: readonly Uuid[] | null };

export interface RowFacts {
  readonly leader: number; // -1: none
  readonly preferred: number;
  /** Of the broker asked about. */
  readonly holds: boolean;
  readonly inIsr: boolean;
  readonly inElr: boolean;
  readonly isrBits: number;
  readonly elrBits: number;
}

function members(replicas: readonly NodeId[], bits: number): NodeId[] {
  const out: NodeId[] = [];
  for (let i = 0; i < replicas.length; i++) if ((bits & (1 << i)) !== 0) out.push(replicas[i] as NodeId); // i is below the length
  return out;
}

/** The same for replicas that lie in a row. */
function bitsInRow(block: Int32Array, first: number, count: number, chosen: readonly NodeId[]): number {
  let bits = 0;
  for (const id of chosen) {
    let at = 0;
    while (at < count && block[first + at] !== id) at++;
    assert(at < count, `broker ${id} is a replica of the partition`);
    bits |= 1 << at;
  }
  return bits;
}

function bitsOf(replicas: readonly NodeId[], chosen: readonly NodeId[]): number {
  let bits = 0;
  for (const id of chosen) {
    const at = replicas.indexOf(id);
    assert(at >= 0, `broker ${id} is a replica of the partition`);
    bits |= 1 << at;
  }
  return bits;
}

function writeRow(block: Int32Array, at: number, width: number, state: PartitionState, directories: DirectoryTable): void {
  assert(state.directories.length === state.replicas.length, "a partition names a directory per replica");
  block[at + COUNT] = state.replicas.length | (state.recovering ? RECOVERING : 0);
  block[at + LEADER] = state.leader ?? -1;
  block[at + LEADER_EPOCH] = state.leaderEpoch;
  block[at + PARTITION_EPOCH] = state.partitionEpoch;
  block[at + ISR] = bitsOf(state.replicas, state.isr);
  block[at + ELR] = bitsOf(state.replicas, state.elr);
  block[at + LAST_KNOWN] = bitsOf(state.replicas, state.lastKnownElr);
  for (let i = 0; i < state.replicas.length; i++) {
    block[at + FIXED + i] = state.replicas[i] as number; // i is below both lengths
    block[at + FIXED + width + i] = directories.number(state.directories[i] as Uuid);
  }
}

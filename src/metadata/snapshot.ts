/**
 * An image as blocks of bytes, each at most about 256 KiB, and back. Partition rows travel as their columns, so loading is copying: no object is
 * made per partition, and a loader takes one block a turn. Equal images give equal bytes, which is how nodes compare theirs (M1).
 *
 *     header (cluster, brokers, directories, producer ids) ── settings… ── topics with rows…
 */
import { Packr } from "msgpackr";
import { assert } from "../base/assert.js";
import { uuid, type Uuid } from "../base/ids.js";
import { ClusterImage, TopicState, type BrokerState } from "./cluster-image.js";
import type { Position } from "./image.js";
import { DirectoryTable, PartitionColumns, rowLength } from "./partition-columns.js";

export const SNAPSHOT_BLOCK_BYTES = 256 << 10;
const SNAPSHOT_VERSION = 1;
/** Rows of a topic that would not fit into one block are cut into pieces. */
const ROWS_MAX_BYTES = SNAPSHOT_BLOCK_BYTES - (8 << 10);
/** What an entry of a block takes besides its rows and name. */
const ENTRY_BYTES = 64;

const packr = new Packr({ useRecords: false, variableMapSize: true, copyBuffers: true });

type Block =
  | {
      readonly kind: "header";
      readonly version: number;
      readonly position: bigint;
      readonly clusterId: string;
      readonly featureLevel: number;
      readonly brokers: readonly BrokerState[];
      readonly directories: readonly Uuid[];
      readonly nextProducerId: bigint;
      readonly uncleanElections: number;
    }
  | { readonly kind: "settings"; readonly entries: readonly (readonly [string, readonly (readonly [string, string])[]])[] }
  /** [id, name, width, first row, rows in all, rows as little-endian int32] */
  | { readonly kind: "topics"; readonly entries: readonly (readonly [string, string, number, number, number, Uint8Array])[] };

/** Blocks are made one at a time as they are asked for; the image does not change under them. */
export function* snapshotBlocks(image: ClusterImage): IterableIterator<Uint8Array> {
  yield pack({
    kind: "header",
    version: SNAPSHOT_VERSION,
    position: image.position,
    clusterId: image.clusterId,
    featureLevel: image.featureLevel,
    brokers: image.brokers(),
    directories: image.directories.ids,
    nextProducerId: image.nextProducerId,
    uncleanElections: image.uncleanElections,
  });

  let settings: (readonly [string, readonly (readonly [string, string])[]])[] = [];
  let bytes = 0;
  for (const [key, values] of image.configs.entries()) {
    const pairs = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
    settings.push([key, pairs]);
    bytes += ENTRY_BYTES + 3 * key.length + pairs.reduce((sum, [name, value]) => sum + 3 * (name.length + value.length) + 8, 0);
    if (bytes < SNAPSHOT_BLOCK_BYTES / 2) continue;
    yield pack({ kind: "settings", entries: settings });
    settings = [];
    bytes = 0;
  }
  if (settings.length > 0) yield pack({ kind: "settings", entries: settings });

  let topics: (readonly [string, string, number, number, number, Uint8Array])[] = [];
  bytes = 0;
  for (const topic of image.topics()) {
    const { columns } = topic;
    const rowBytes = 4 * rowLength(columns.width);
    const step = Math.max(1, Math.floor(ROWS_MAX_BYTES / rowBytes));
    for (let first = 0; first === 0 || first < columns.count; first += step) {
      const end = Math.min(columns.count, first + step);
      const size = ENTRY_BYTES + 3 * topic.name.length + (end - first) * rowBytes;
      if (bytes + size > SNAPSHOT_BLOCK_BYTES && topics.length > 0) {
        yield pack({ kind: "topics", entries: topics });
        topics = [];
        bytes = 0;
      }
      const rows = columns.rows(first, end);
      topics.push([topic.id, topic.name, columns.width, first, columns.count, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)]);
      bytes += size;
    }
  }
  if (topics.length > 0) yield pack({ kind: "topics", entries: topics });
}

function pack(block: Block): Uint8Array {
  return packr.pack(block);
}

/** Takes blocks in order, each in a turn of its own, then gives the image. */
export class SnapshotLoader {
  #image: ClusterImage | null = null;
  #position: Position = 0n;
  #directories = new DirectoryTable([]);
  #partial: { readonly topicId: Uuid; readonly name: string; readonly width: number; readonly count: number; readonly parts: Int32Array[]; rows: number } | null = null;

  add(bytes: Uint8Array): void {
    const block = packr.unpack(bytes) as Block; // written by snapshotBlocks under the version that the header carries
    if (block.kind === "header") return this.#header(block);
    assert(this.#image !== null, "a snapshot begins with its header");
    if (block.kind === "settings") {
      let configs = this.#image.configs;
      for (const [key, pairs] of block.entries) configs = configs.with(key, new Map(pairs));
      this.#image = this.#image.with({ configs });
      return;
    }
    assert(block.kind === "topics", "a snapshot has no other blocks");
    for (const entry of block.entries) this.#topic(entry);
  }

  finish(): ClusterImage {
    assert(this.#image !== null, "a snapshot begins with its header");
    assert(this.#partial === null, "a snapshot holds all rows of its last topic");
    return this.#image.with({ position: this.#position });
  }

  #header(block: Extract<Block, { kind: "header" }>): void {
    assert(this.#image === null, "a snapshot has one header");
    assert(block.version === SNAPSHOT_VERSION, `a metadata snapshot of version ${block.version} needs a newer build`);
    this.#directories = new DirectoryTable(block.directories);
    this.#position = block.position;
    this.#image = ClusterImage.empty.with({
      clusterId: block.clusterId,
      featureLevel: block.featureLevel,
      brokerList: block.brokers,
      directories: this.#directories,
      nextProducerId: block.nextProducerId,
      uncleanElections: block.uncleanElections,
    });
  }

  #topic([id, name, width, first, count, bytes]: readonly [string, string, number, number, number, Uint8Array]): void {
    assert(this.#image !== null, "a snapshot begins with its header");
    const rows = new Int32Array(bytes.byteLength / 4);
    new Uint8Array(rows.buffer).set(bytes); // may be unaligned
    const partial = this.#partial ?? { topicId: uuid(id), name, width, count, parts: [], rows: 0 };
    assert(partial.topicId === id && partial.rows === first && partial.width === width, "rows of a topic follow each other");
    partial.parts.push(rows);
    partial.rows += count === 0 ? 0 : rows.length / rowLength(width);
    this.#partial = partial;
    if (partial.rows < count) return;
    const all = partial.parts.length === 1 ? rows : concatenated(partial.parts);
    const columns = count === 0 ? PartitionColumns.empty : PartitionColumns.fromRows(count, width, all);
    this.#image = this.#image.withTopic(new TopicState(partial.topicId, name, columns, this.#directories));
    this.#partial = null;
  }
}

function concatenated(parts: readonly Int32Array[]): Int32Array {
  const out = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

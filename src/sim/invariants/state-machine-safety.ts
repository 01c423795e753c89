import type { ClusterImage } from "../../metadata/cluster-image.js";
import { snapshotBlocks } from "../../metadata/snapshot.js";
import type { MetadataImage } from "../../metadata/image.js";
import { crc32cParts } from "../../base/crc32c.js";
import type { RaftNode, SnapshotPoint } from "../evidence/raft-node.js";
import { type Invariant } from "./invariant.js";

const END = 0xffffffff;
const HEAD_BYTES = 28;
/** Every so many scans what nodes have applied is compared. */
const EVERY = 2;

/**
 * The metadata at a position is the same everywhere, and it is what the committed entries make: in the feed, in each node's snapshots, and in what
 * controllers and brokers have applied.
 */
export const stateMachineSafety: Invariant = {
  name: "state-machine-safety",
  source: "design §11 state machine safety; reliability.md R6, M1; Raft figure 3",
  watch(run, { raft, metadata, controllers }) {
    const violate = (text: string) => run.violate("state-machine-safety", text);
    const sums = new Map<number, number>();
    const sumAt = (position: number): number | null => {
      const known = sums.get(position);
      if (known !== undefined) return known;
      const image = position === 0 ? undefined : metadata.at(position);
      if (image === undefined) return null;
      const sum = sumOf(image);
      sums.set(position, sum);
      return sum;
    };
    metadata.onBroken.on(({ position, text }) => violate(`committed entry ${position} cannot be applied: ${text}`));
    controllers.onFed.on(({ by, position, bytes }) => {
      const committed = metadata.payloadAt(position);
      if (bytes !== null && committed !== undefined && !Buffer.from(committed.buffer, committed.byteOffset, committed.length).equals(bytes)) violate(`node ${by} feeds a batch at ${position} that is not the committed one`);
    });
    let scans = 0;
    /** Of entries that nobody was told to be committed yet. */
    let early: { readonly node: RaftNode; readonly point: SnapshotPoint }[] = [];
    const judge = ({ node, point }: (typeof early)[number]) => {
      if (run.excuses.isDamaged(node.id)) return;
      if (point.index > raft.committedEnd) return void early.push({ node, point });
      let position = point.index;
      while (position > 0 && raft.committed[position]?.kind !== 1) position--;
      const sum = sumAt(position);
      if (sum === null) return;
      const blocks = blocksOf(point.content.peekDurable());
      if (blocks === null) return; // damaged: who loads it must find out
      if (crc32cParts(blocks) !== sum) violate(`the snapshot of entry ${point.index} on node ${node.id} is not what the committed entries make`);
    };
    raft.onSnapshot.on(judge);
    /** Who has told of which image: the position is looked at once. */
    const looked = new Map<string, number>();
    const positions = new Map<string, { readonly of: object; readonly position: number }>();
    const look = (who: string, process: object, image: MetadataImage) => {
      const position = Number(image.position);
      const before = positions.get(who);
      if (before?.of === process && position < before.position) violate(`the metadata of ${who} goes back from ${before.position} to ${position}`);
      positions.set(who, { of: process, position });
      if (looked.get(who) === position) return;
      looked.set(who, position);
      const sum = sumAt(position);
      if (sum !== null && sumOf(image as ClusterImage) !== sum) violate(`the metadata of ${who} at ${position} is not what the committed entries make`); // there is one making of images
    };
    return {
      scan() {
        const due = early;
        early = [];
        due.forEach(judge);
        if (scans++ % EVERY !== 0) return;
        for (const node of run.cluster.nodes) {
          const { isUp, current } = node;
          if (!isUp || current === null) continue;
          if (current.controller !== null) look(`controller ${node.id}`, current, current.controller.inspect().image);
          if (current.broker !== null) look(`broker ${node.id}`, current, current.broker.inspect().image);
        }
      },
    };
  },
};

function sumOf(image: ClusterImage): number {
  return crc32cParts([...snapshotBlocks(image)]);
}

/** The state machine's blocks of a snapshot file; null if it is not whole. */
function blocksOf(bytes: Buffer): readonly Uint8Array[] | null {
  if (bytes.length < HEAD_BYTES) return null;
  let at = HEAD_BYTES + bytes.readUInt32BE(24) + 4;
  const blocks: Uint8Array[] = [];
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (length === END) return blocks;
    if (at + 8 + length > bytes.length) return null;
    blocks.push(bytes.subarray(at + 4, at + 4 + length));
    at += 8 + length;
  }
  return null;
}

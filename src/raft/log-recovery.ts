/**
 * Reads the log back. A torn tail, which nobody was promised anything about, is cut. Damage is a bad record with a later one behind it, in this file or
 * a next one, or below what the marker says was durable: it is set aside for people to look at, and the member is told that it may lack what it acknowledged.
 * A crash at any point of this leaves a disk from which it ends the same way.
 */
import { writeFileAtomically } from "../world/atomic-file.js";
import type { World } from "../world/world.js";
import type { SegmentFile } from "./log-files.js";
import { decodeRecord, decodeSegmentHead, laterRecordFrom, SEGMENT_HEAD_BYTES, type SegmentHead } from "./store-format.js";
import { ORIGIN, type Entry, type Index, type LogPoint } from "./types.js";

export interface RecoveredLog {
  readonly base: LogPoint;
  readonly entries: Entry[];
  readonly segments: SegmentFile[];
  readonly chain: number;
  /** What is wrong, for people; null when nothing is. */
  readonly damage: string | null;
}

interface Reading {
  base: LogPoint;
  last: LogPoint;
  chain: number;
  readonly entries: Entry[];
  readonly segments: SegmentFile[];
}

/** @param marked an index that is known to have been durable */
export async function recoverLog(world: World, folder: string, marked: Index, note: (damage: string) => Promise<void>): Promise<RecoveredLog> {
  const names = (await world.disk.list(folder)).filter((entry) => entry.kind === "file" && /^\d{20}\.log$/.test(entry.name)).map((entry) => entry.name);
  const log: Reading = { base: ORIGIN, last: ORIGIN, chain: 0, entries: [], segments: [] };
  let damage: string | null = null;
  for (const [i, name] of names.entries()) {
    const path = `${folder}/${name}`;
    const read = await world.disk.readFile(path);
    if (read === null) continue;
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    const lastFile = i === names.length - 1;
    const head = decodeSegmentHead(bytes);
    if (head === null && lastFile && log.last.index >= marked && !laterRecordFrom(bytes, 0, log.last.index)) {
      world.logger.warn({ file: path, bytes: bytes.length }, "a log file that was being begun is removed");
      await world.disk.unlink(path);
      break;
    }
    if (head === null || !follows(log, head, Number(name.slice(0, 20)))) {
      damage = `${path} does not go on from entry ${log.last.index}`;
      await note(damage);
      await setAside(world, folder, names.slice(i));
      break;
    }
    const end = readRecords(world, path, bytes, head, log);
    if (end < bytes.length) {
      const torn = lastFile && log.last.index >= marked && !laterRecordFrom(bytes, end, log.last.index);
      if (torn) world.logger.warn({ file: path, position: end, bytes: bytes.length - end, last: log.last.index }, "torn tail of the quorum's log cut");
      else {
        damage = `${path} is damaged at byte ${end}, after entry ${log.last.index}`;
        await note(damage);
        await setAside(world, folder, names.slice(i + 1));
        await writeFileAtomically(world.disk, `${path}.damaged`, bytes);
      }
      log.segments.at(-1)?.file.truncate(end);
      if (!torn) break;
    }
    await world.clock.yield();
  }
  for (const segment of log.segments) await segment.file.sync(); // nothing is voted or led on before what was kept is durable
  await world.disk.syncDirectory(folder);
  return { base: log.base, entries: log.entries, segments: log.segments, chain: log.chain, damage };
}

function follows(log: Reading, head: SegmentHead, named: Index): boolean {
  if (head.first !== named || head.first < 1) return false;
  if (log.segments.length > 0) return head.first === log.last.index + 1 && head.chain === log.chain && head.previousTerm === log.last.term;
  log.base = log.last = { index: head.first - 1, term: head.previousTerm };
  log.chain = head.chain;
  return true;
}

/** @returns where the whole records end */
function readRecords(world: World, path: string, bytes: Buffer, head: SegmentHead, log: Reading): number {
  const segment: SegmentFile = { first: head.first, path, file: world.disk.open(path), positions: [], end: SEGMENT_HEAD_BYTES };
  log.segments.push(segment);
  for (;;) {
    const record = decodeRecord(bytes, segment.end);
    if (record === null || record.previous !== log.chain || record.entry.index !== log.last.index + 1 || record.entry.term < log.last.term) return segment.end;
    segment.positions.push(segment.end);
    segment.end = record.end;
    log.entries.push(record.entry);
    log.last = { index: record.entry.index, term: record.entry.term };
    log.chain = record.chain;
  }
}

/** From the last one back, so that a crash leaves a beginning without a gap. Nothing is thrown away. */
async function setAside(world: World, folder: string, names: readonly string[]): Promise<void> {
  for (const name of [...names].reverse()) {
    await world.disk.rename(`${folder}/${name}`, `${folder}/${name}.damaged`);
    await world.disk.syncDirectory(folder);
  }
}

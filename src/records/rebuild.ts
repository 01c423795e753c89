/**
 * Makes a client's batch again where the topic wants another codec, or where the offsets within it are not 0, 1, 2 … All else of a record is copied as
 * the bytes it came in: what we do not understand survives.
 */
import { CODECS, type BatchHeader, type CodecName } from "./batch.js";
import { assembleBatch, Section, varintBytes } from "./builder.js";
import { compress } from "./codecs.js";
import { RecordCursor } from "./record.js";

export interface Rebuild {
  readonly codec: CodecName;
  /** Whether the offsets can stay. */
  readonly gapless: boolean;
  /** Without regard to the codec, whose bits are set here. */
  readonly attributes: number;
  readonly maxTimestamp: number;
}

/** @param section the plain records, well formed */
export function rebuild(section: Uint8Array, header: BatchHeader, wanted: Rebuild): Uint8Array {
  const records = wanted.gapless ? section : renumber(section, header.recordCount);
  return assembleBatch(compress(wanted.codec, records), {
    baseOffset: 0,
    leaderEpoch: -1,
    attributes: (wanted.attributes & ~7) | CODECS.indexOf(wanted.codec),
    lastOffsetDelta: header.recordCount - 1,
    baseTimestamp: header.baseTimestamp,
    maxTimestamp: wanted.maxTimestamp,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
    recordCount: header.recordCount,
  });
}

function renumber(section: Uint8Array, count: number): Uint8Array {
  const out = new Section(section.length + 16);
  const cursor = new RecordCursor(section, count);
  while (cursor.next()) {
    const rest = section.subarray(cursor.restAt, cursor.recordEnd);
    const head = 1 + varintBytes(cursor.timestampDelta);
    out.varint(head + varintBytes(cursor.index) + rest.length);
    out.byte(section[cursor.bodyAt] ?? 0);
    out.varint(cursor.timestampDelta);
    out.varint(cursor.index);
    out.raw(rest);
  }
  return out.view();
}

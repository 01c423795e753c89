/**
 * What a message of the quorum says, read from its bytes without the code under judgement (proto/raft.proto). Heartbeats are most of them, so
 * nothing is made but one flat object.
 */
export interface RaftWord {
  readonly kind: "hello" | "pre-vote" | "pre-vote-answer" | "vote" | "vote-answer" | "append" | "append-answer" | "snapshot" | "snapshot-answer" | "timeout-now";
  readonly term: number;
  /** Fields 2, 3, 4, 5 of the body where they are numbers or flags; 0 where they are left out. */
  readonly two: number;
  readonly three: number;
  readonly four: number;
  readonly five: number;
  /** Of an append. */
  readonly entries: readonly { readonly index: number; readonly term: number; readonly kind: number; readonly payload: Uint8Array }[];
}

const KINDS: readonly RaftWord["kind"][] = ["hello", "pre-vote", "pre-vote-answer", "vote", "vote-answer", "append", "append-answer", "snapshot", "snapshot-answer", "timeout-now"];
const NO_ENTRIES: RaftWord["entries"] = [];

/** Null: not ours, or empty. */
export function readRaftWord(bytes: Uint8Array): RaftWord | null {
  const reading = { bytes, at: 0 };
  const tag = varint(reading);
  const kind = KINDS[(tag >>> 3) - 1];
  if (kind === undefined || (tag & 7) !== 2) return null;
  const end = varint(reading) + reading.at;
  const numbers = [0, 0, 0, 0, 0, 0];
  let entries: RaftWord["entries"] = NO_ENTRIES;
  while (reading.at < end && end <= bytes.length) {
    const field = varint(reading);
    const number = field >>> 3;
    if ((field & 7) === 0) {
      const value = varint(reading);
      if (number <= 5) numbers[number] = value;
    } else if ((field & 7) === 2) {
      const size = varint(reading);
      if (kind === "append" && number === 4) entries = [...entries, readEntry(bytes, reading.at, reading.at + size)];
      reading.at += size;
    } else return null;
  }
  const [, term = 0, two = 0, three = 0, four = 0, five = 0] = numbers;
  return { kind, term, two, three, four, five, entries };
}

function readEntry(bytes: Uint8Array, from: number, end: number): RaftWord["entries"][number] {
  const reading = { bytes, at: from };
  const numbers = [0, 0, 0, 0];
  let payload = bytes.subarray(end, end);
  while (reading.at < end) {
    const field = varint(reading);
    if ((field & 7) === 0) numbers[field >>> 3] = varint(reading);
    else {
      const size = varint(reading);
      payload = bytes.subarray(reading.at, reading.at + size);
      reading.at += size;
    }
  }
  const [, index = 0, term = 0, kind = 0] = numbers;
  return { index, term, kind, payload };
}

/** Exact up to 2^53. */
function varint(reading: { readonly bytes: Uint8Array; at: number }): number {
  const { bytes } = reading;
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = bytes[reading.at++] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
}

/** The kind of a call between a broker and a controller, from the envelope alone (proto/controller.proto); "" where it has none. */
export function callKind(bytes: Uint8Array): string {
  const reading = { bytes, at: 0 };
  while (reading.at < bytes.length) {
    const field = varint(reading);
    if ((field & 7) === 0) varint(reading);
    else {
      const size = varint(reading);
      if (field >>> 3 === 2 && size === 9 && bytes[reading.at] === 0x68) return "heartbeat"; // nearly all of them
      if (field >>> 3 === 2) return Buffer.from(bytes.buffer, bytes.byteOffset + reading.at, size).toString("latin1");
      reading.at += size;
    }
  }
  return "";
}

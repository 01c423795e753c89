/**
 * Messages as protobuf, by tables that a test holds equal to proto/raft.proto, so that nothing is read from disk or generated at run time. What arrives is
 * checked for what the core takes for granted; it may come from anybody who can reach the port.
 */
import { Reader, Writer } from "protobufjs/minimal";
import { nodeId, uuid, type NodeId, type Uuid } from "../base/ids.js";
import type { Message } from "./core/messages.js";
import { type Entry, type EntryKind, PAYLOAD_MAX_BYTES } from "./types.js";

export const METHOD = "kontiki.raft.v1.Raft/Exchange";

export interface Hello {
  /** Empty while the node belongs to none. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly directoryId: Uuid;
  readonly starts: number;
  readonly expected: string;
}

export type Envelope = { readonly hello: Hello } | { readonly message: Message };

export class WireError extends Error {
  override readonly name = "WireError";
}

type Scalar = "uint64" | "uint32" | "bool" | "string" | "bytes";
type Field = readonly [number: number, name: string, type: Scalar | "Entry[]"];

const TERM: Field = [1, "term", "uint64"];
const ANSWER: readonly Field[] = [TERM, [2, "granted", "bool"]];
const ENTRY: readonly Field[] = [[1, "index", "uint64"], [2, "term", "uint64"], [3, "kind", "uint32"], [4, "payload", "bytes"]];

/** Field of the envelope, name in the proto file, fields. */
export const BODIES = {
  hello: [1, "Hello", [[1, "clusterId", "string"], [2, "nodeId", "uint32"], [3, "directoryId", "string"], [4, "starts", "uint64"], [5, "expected", "string"]]],
  "pre-vote": [2, "PreVote", [TERM, [2, "lastIndex", "uint64"], [3, "lastTerm", "uint64"]]],
  "pre-vote-answer": [3, "Answer", ANSWER],
  vote: [4, "Vote", [TERM, [2, "lastIndex", "uint64"], [3, "lastTerm", "uint64"], [4, "transfer", "bool"]]],
  "vote-answer": [5, "Answer", ANSWER],
  append: [6, "Append", [TERM, [2, "previousIndex", "uint64"], [3, "previousTerm", "uint64"], [4, "entries", "Entry[]"], [5, "commit", "uint64"], [6, "round", "uint64"]]],
  "append-answer": [7, "AppendAnswer", [TERM, [2, "ok", "bool"], [3, "previous", "uint64"], [4, "match", "uint64"], [5, "hintIndex", "uint64"], [6, "hintTerm", "uint64"], [7, "round", "uint64"]]],
  snapshot: [8, "Chunk", [TERM, [2, "index", "uint64"], [3, "indexTerm", "uint64"], [4, "position", "uint64"], [5, "total", "uint64"], [6, "chunk", "bytes"], [7, "round", "uint64"]]],
  "snapshot-answer": [9, "ChunkAnswer", [TERM, [2, "index", "uint64"], [3, "next", "uint64"], [4, "done", "bool"], [5, "round", "uint64"]]],
  "timeout-now": [10, "TimeoutNow", [TERM]],
} as const satisfies { readonly [kind: string]: readonly [number, string, readonly Field[]] };

type Kind = keyof typeof BODIES;
type Plain = { readonly [name: string]: unknown };

const KINDS: readonly EntryKind[] = ["noop", "data", "members"];
/** Larger than any message that we send: an append holds one entry, or a batch that is smaller. */
export const MESSAGE_MAX_BYTES = PAYLOAD_MAX_BYTES + (1 << 20);
const ENTRIES_MAX = 100_000;

// ---------------------------------------------------------------------------------------------------------------- out

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const [kind, plain]: readonly [Kind, Plain] = "hello" in envelope ? ["hello", { ...envelope.hello }] : [envelope.message.kind, plainOf(envelope.message)];
  const [field, , fields] = BODIES[kind];
  const writer = Writer.create();
  writer.uint32((field << 3) | 2).fork();
  write(writer, fields, plain);
  return writer.ldelim().finish();
}

function plainOf(message: Message): Plain {
  switch (message.kind) {
    case "pre-vote":
    case "vote":
      return { ...message, lastIndex: message.last.index, lastTerm: message.last.term };
    case "append":
      return { ...message, previousIndex: message.previous.index, previousTerm: message.previous.term };
    case "append-answer":
      return { ...message, hintIndex: message.hint.index, hintTerm: message.hint.term };
    case "snapshot":
      return { ...message, index: message.point.index, indexTerm: message.point.term };
    default:
      return { ...message };
  }
}

function write(writer: Writer, fields: readonly Field[], plain: Plain): void {
  for (const [number, name, type] of fields) {
    const value = plain[name];
    if (type === "Entry[]") {
      for (const entry of value as readonly Entry[]) {
        writer.uint32((number << 3) | 2).fork();
        write(writer, ENTRY, { ...entry, kind: KINDS.indexOf(entry.kind) });
        writer.ldelim();
      }
    } else if (type === "bytes") {
      if ((value as Uint8Array).length > 0) writer.uint32((number << 3) | 2).bytes(value as Uint8Array);
    } else if (type === "string") {
      if (value !== "") writer.uint32((number << 3) | 2).string(String(value));
    } else if (type === "bool") {
      if (value === true) writer.uint32(number << 3).bool(true);
    } else if (value !== 0) {
      writer.uint32(number << 3);
      if (type === "uint64") writer.uint64(Number(value));
      else writer.uint32(Number(value));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------- in

/** @throws WireError for bytes that are no envelope of ours */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length > MESSAGE_MAX_BYTES) throw new WireError(`a raft message of ${bytes.length} bytes`);
  try {
    const reader = Reader.create(bytes);
    const tag = reader.uint32();
    const kind = (Object.keys(BODIES) as Kind[]).find((one) => BODIES[one][0] === tag >>> 3);
    if (kind === undefined || (tag & 7) !== 2) throw new WireError(`an envelope without a body that we know: ${tag >>> 3}`);
    const length = reader.uint32();
    if (length !== reader.len - reader.pos) throw new WireError("an envelope holds one body");
    const plain = read(reader, BODIES[kind][2], reader.len);
    return kind === "hello" ? { hello: helloOf(plain) } : { message: messageOf(kind, plain) };
  } catch (error) {
    if (error instanceof WireError) throw error;
    throw new WireError("a raft message cannot be read", { cause: error });
  }
}

function read(reader: Reader, fields: readonly Field[], end: number): Plain {
  const plain: { [name: string]: unknown } = {};
  for (const [, name, type] of fields) plain[name] = type === "Entry[]" ? [] : type === "bytes" ? new Uint8Array(0) : type === "string" ? "" : type === "bool" ? false : 0;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = fields.find(([number]) => number === tag >>> 3);
    if (field === undefined) {
      reader.skipType(tag & 7);
      continue;
    }
    const [, name, type] = field;
    if ((tag & 7) !== (type === "uint64" || type === "uint32" || type === "bool" ? 0 : 2)) throw new WireError(`${name} has another type`);
    if (type === "uint64") plain[name] = count(reader.uint64() as unknown as LongOrNumber, name);
    else if (type === "uint32") plain[name] = reader.uint32();
    else if (type === "bool") plain[name] = reader.bool();
    else if (type === "string") plain[name] = reader.string();
    else if (type === "bytes") plain[name] = reader.bytes();
    else {
      const length = reader.uint32();
      const list = plain[name] as Plain[];
      if (length > end - reader.pos || list.length >= ENTRIES_MAX) throw new WireError("more entries than fit");
      list.push(read(reader, ENTRY, reader.pos + length));
    }
  }
  if (reader.pos !== end) throw new WireError("a field that ends outside its message");
  return plain;
}

/** protobufjs gives a Long where that package is loaded, and names a type that only it declares. */
type LongOrNumber = number | { toNumber(): number };

function count(value: LongOrNumber, name: string): number {
  const n = typeof value === "number" ? value : value.toNumber();
  if (!Number.isSafeInteger(n) || n < 0) throw new WireError(`${name} is no count`);
  return n;
}

function helloOf(plain: Plain): Hello {
  const { clusterId, expected } = plain;
  const directoryId = String(plain["directoryId"]);
  const id = Number(plain["nodeId"]);
  if (!/^[A-Za-z0-9_-]{22}$/.test(directoryId) || id > 0x7fffffff) throw new WireError("a hello without a name");
  if (String(clusterId).length > 64 || String(expected).length > 4096) throw new WireError("a hello that is too long");
  return { clusterId: String(clusterId), nodeId: nodeId(id), directoryId: uuid(directoryId), starts: Number(plain["starts"]), expected: String(expected) };
}

function messageOf(kind: Exclude<Kind, "hello">, plain: Plain): Message {
  const number = (name: string) => Number(plain[name]);
  const flag = (name: string) => plain[name] === true;
  const term = number("term");
  switch (kind) {
    case "pre-vote":
      return { kind, term, last: { index: number("lastIndex"), term: number("lastTerm") } };
    case "vote":
      return { kind, term, last: { index: number("lastIndex"), term: number("lastTerm") }, transfer: flag("transfer") };
    case "pre-vote-answer":
    case "vote-answer":
      return { kind, term, granted: flag("granted") };
    case "append": {
      const previous = { index: number("previousIndex"), term: number("previousTerm") };
      const entries = (plain["entries"] as readonly Plain[]).map((entry, i) => entryOf(entry, previous.index + 1 + i));
      const terms = [previous.term, ...entries.map((entry) => entry.term), term];
      if (terms.some((one, i) => i > 0 && one < (terms[i - 1] ?? 0))) throw new WireError("entries whose terms fall");
      return { kind, term, previous, entries, commit: number("commit"), round: number("round") };
    }
    case "append-answer":
      return { kind, term, ok: flag("ok"), previous: number("previous"), match: number("match"), hint: { index: number("hintIndex"), term: number("hintTerm") }, round: number("round") };
    case "snapshot":
      return {
        kind, term, point: { index: number("index"), term: number("indexTerm") }, position: number("position"), total: number("total"),
        chunk: viewOf(plain["chunk"] as Uint8Array), round: number("round"),
      };
    case "snapshot-answer":
      return { kind, term, index: number("index"), next: number("next"), done: flag("done"), round: number("round") };
    case "timeout-now":
      return { kind, term };
  }
}

/** The same bytes, never a Buffer. */
function viewOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function entryOf(plain: Plain, index: number): Entry {
  const kind = KINDS[Number(plain["kind"])];
  const payload = plain["payload"] as Uint8Array;
  if (kind === undefined) throw new WireError("an entry of an unknown kind");
  if (Number(plain["index"]) !== index) throw new WireError("entries that do not follow each other");
  if (payload.length > PAYLOAD_MAX_BYTES) throw new WireError("an entry that is too large");
  return { index, term: Number(plain["term"]), kind, payload: new Uint8Array(payload) }; // kept long after the message
}

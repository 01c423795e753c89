/** Frames and headers: `int32 size`, then a header, then the body. record-format.md §1. */
import type { BufferPool } from "../base/buffer-pool.js";
import type { Encoded, Message } from "./schema.js";
import { ProtocolError, Reader } from "./reader.js";
import { APIS } from "./apis.js";
import { Writer } from "./writer.js";

export { ProtocolError } from "./reader.js";

const API_VERSIONS = 18;
/** A frame's buffer grows with what has come, so that a claim of 100 MiB costs nothing by itself. */
const GROW_FIRST_BYTES = 64 * 1024;
/** Smaller frames are not worth the bookkeeping. */
const POOLED_MIN_BYTES = 16 * 1024;

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Size of the header: the body begins there. */
  readonly bytes: number;
}

const flexibleSince: ReadonlyMap<number, number> = new Map(APIS.map(({ request }) => [request.key, request.declaration.flexibleSince ?? Infinity]));

/** Request header 2 and response header 1 belong to flexible versions; ApiVersions answers with header 0 always (KIP-511). */
export function isFlexible(apiKey: number, version: number): boolean {
  return version >= (flexibleSince.get(apiKey) ?? Infinity);
}

/** @param frame  without its length. @throws ProtocolError */
export function decodeRequestHeader(frame: Uint8Array): RequestHeader {
  const reader = new Reader(frame);
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const length = reader.int16();
  const clientId = length < 0 ? null : reader.text(length);
  // Versions above those that we know count as flexible: an ApiVersions request of any of them is answered if it has header 2 (KIP-511).
  if (isFlexible(apiKey, apiVersion)) skipTags(reader);
  return { apiKey, apiVersion, correlationId, clientId, bytes: reader.position };
}

/** Header tags mean nothing yet. Kafka takes a count of 2^32 - 1 for none; here it is a count that cannot be true. */
export function skipTags(reader: Reader): void {
  const count = reader.uvarint();
  reader.judgeCount(count, 2, true);
  for (let i = 0; i < count; i++) {
    reader.uvarint();
    reader.take(reader.uvarint());
  }
}

/** Length, header and body of an answer, ready to be written. */
export function encodeResponseFrame(apiKey: number, version: number, correlationId: number, body: Encoded): readonly Uint8Array[] {
  const tags = isFlexible(apiKey, version) && apiKey !== API_VERSIONS;
  const head = Buffer.allocUnsafe(tags ? 9 : 8);
  head.writeInt32BE(head.length - 4 + body.bytes, 0);
  head.writeInt32BE(correlationId, 4);
  if (tags) head[8] = 0;
  return [head, ...body.parts];
}

/** Length, header and body of a question: the client's side. @throws UnsupportedError for what this version cannot carry */
export function encodeRequestFrame<T, In>(message: Message<T, In>, version: number, options: { readonly correlationId: number; readonly clientId: string | null }, value: In): readonly Uint8Array[] {
  const writer = new Writer();
  writer.int16(message.key);
  writer.int16(version);
  writer.int32(options.correlationId);
  if (options.clientId === null) writer.int16(-1);
  else writer.string(options.clientId); // short also in header 2
  if (message.isFlexible(version)) writer.uvarint(0);
  message.write(writer, value, version);
  const encoded = writer.finish();
  const head = Buffer.allocUnsafe(4);
  head.writeInt32BE(encoded.bytes, 0);
  return [head, ...encoded.parts];
}

/** @param frame  without its length. @throws ProtocolError */
export function decodeResponse<T, In>(message: Message<T, In>, version: number, frame: Uint8Array): { readonly correlationId: number; readonly body: T } {
  const reader = new Reader(frame, Infinity); // we chose whom to ask, and a big cluster has big answers
  const correlationId = reader.int32();
  if (message.isFlexible(version) && message.key !== API_VERSIONS) skipTags(reader);
  return { correlationId, body: message.read(reader, version) };
}

/**
 * Cuts a byte stream into frames. Every frame is a buffer of its own that nobody changes afterwards; with a pool, whoever is done with a frame
 * may hand it to `recycle`, and one that is never handed back is collected like any other.
 * The length is judged before any memory is taken, and memory is made as bytes come: never more than four times what is there, from 64 KiB on.
 */
export class FrameSplitter {
  readonly #head = Buffer.alloc(4);
  #headBytes = 0;
  #body: Buffer | null = null;
  #size = 0;
  #filled = 0;

  constructor(readonly maxBytes: number, readonly pool: BufferPool | null = null) {}

  /**
   * Takes a chunk and yields the frames that are complete now, without their length; to be run to its end before the next chunk.
   * @throws ProtocolError for a length that is refused, after the frames before it were yielded
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body === null) {
        const count = Math.min(4 - this.#headBytes, chunk.length - at);
        this.#head.set(chunk.subarray(at, at + count), this.#headBytes);
        this.#headBytes += count;
        at += count;
        if (this.#headBytes < 4) return;
        this.#begin(this.#head.readInt32BE(0), chunk.length - at);
      }
      const count = Math.min(this.#size - this.#filled, chunk.length - at);
      this.#add(chunk.subarray(at, at + count));
      at += count;
      const frame = this.#finished();
      if (frame !== null) yield frame;
    }
  }

  /** The frame's bytes are not looked at any more, by anybody. */
  recycle(frame: Uint8Array): void {
    if (this.pool?.lent(frame) === true) this.pool.give(frame);
  }

  #begin(size: number, known: number): void {
    if (size <= 0 || size > this.maxBytes) throw new ProtocolError(`a frame of ${size} bytes; from 1 to ${this.maxBytes} are allowed, see socket.request.max.bytes`);
    this.#size = size;
    this.#body = this.#poolFor(size)?.takeKept(size) ?? this.#make(Math.min(size, Math.max(GROW_FIRST_BYTES, known)));
    this.#filled = 0;
  }

  #add(bytes: Uint8Array): void {
    if (this.#body === null) return;
    const needed = this.#filled + bytes.length;
    if (needed > this.#body.length) {
      const next = this.#make(Math.min(this.#size, Math.max(needed, this.#body.length * 4)));
      this.#body.copy(next, 0, 0, this.#filled);
      this.recycle(this.#body);
      this.#body = next;
    }
    this.#body.set(bytes, this.#filled);
    this.#filled = needed;
  }

  #make(bytes: number): Buffer {
    return this.#poolFor(bytes)?.take(bytes) ?? Buffer.allocUnsafeSlow(bytes);
  }

  #poolFor(bytes: number): BufferPool | null {
    return this.pool !== null && bytes >= POOLED_MIN_BYTES && this.pool.takes(bytes) ? this.pool : null;
  }

  #finished(): Uint8Array | null {
    const body = this.#body;
    if (body === null || this.#filled < this.#size) return null;
    this.#body = null;
    this.#headBytes = 0;
    return body.length === this.#size ? body : body.subarray(0, this.#size);
  }
}

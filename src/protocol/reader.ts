/** Reads Kafka's primitive types. What cannot be read is a ProtocolError; nothing is allocated ahead of the bytes that are there. */
import { uuidFromBytes, type Uuid } from "../base/ids.js";

/** Bytes that are not what the protocol says, or a value that it cannot say: the connection in question is closed. */
export class ProtocolError extends Error {
  override readonly name: string = "ProtocolError";
}

/**
 * Elements of all arrays in one request, numbers apart. An element of two bytes becomes an object of a hundred, so that without a limit a frame of
 * the allowed 100 MiB would become gigabytes; no real request comes near it.
 */
export const ELEMENTS_MAX = 1 << 20;
/** Kafka's strings are that short in every version, though the compact form has room for more. */
const STRING_MAX_BYTES = 0x7fff;

export class Reader {
  readonly #bytes: Buffer;
  /** For what is slow or awkward to put together from bytes; made on first use. */
  #numbers: DataView | null = null;
  #elementsLeft: number;
  position = 0;

  /** @param elementsMax see ELEMENTS_MAX */
  constructor(bytes: Uint8Array, elementsMax = ELEMENTS_MAX) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#elementsLeft = elementsMax;
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  /** Moves on by `count` bytes and returns where they begin. */
  take(count: number): number {
    const at = this.position;
    if (count < 0 || count > this.#bytes.length - at) throw new ProtocolError(`${count} bytes wanted at ${at}, ${this.remaining} are left`);
    this.position = at + count;
    return at;
  }

  int8(): number {
    return (this.#byte() << 24) >> 24;
  }

  int16(): number {
    return (this.uint16() << 16) >> 16;
  }

  uint16(): number {
    const bytes = this.#bytes;
    const at = this.take(2);
    return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
  }

  int32(): number {
    const bytes = this.#bytes;
    const at = this.take(4);
    return (byteAt(bytes, at) << 24) | (byteAt(bytes, at + 1) << 16) | (byteAt(bytes, at + 2) << 8) | byteAt(bytes, at + 3);
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  int64(): bigint {
    return this.#view().getBigInt64(this.take(8));
  }

  float64(): number {
    return this.#view().getFloat64(this.take(8));
  }

  uuid(): Uuid {
    const at = this.take(16);
    return uuidFromBytes(this.#bytes.subarray(at, at + 16));
  }

  view(count: number): Uint8Array {
    const at = this.take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** UTF-8 of any length; malformed sequences become U+FFFD, as in Kafka. */
  text(count: number): string {
    const at = this.take(count);
    return count === 0 ? "" : this.#bytes.toString("utf8", at, at + count);
  }

  /** A string of the protocol, whose length was read already. */
  string(count: number): string {
    if (count > STRING_MAX_BYTES) throw new ProtocolError(`a string of ${count} bytes; the protocol's limit is ${STRING_MAX_BYTES}`);
    return this.text(count);
  }

  /**
   * Judges the count of an array before anything is allocated for it.
   * @param least  bytes that each element takes at the least
   * @param heavy  whether an element becomes more than a number
   */
  judgeCount(count: number, least: number, heavy: boolean): void {
    if (count * least > this.remaining) throw new ProtocolError(`${count} elements cannot fit into ${this.remaining} bytes`);
    if (!heavy) return;
    this.#elementsLeft -= count;
    if (this.#elementsLeft < 0) throw new ProtocolError("more elements than any real message has");
  }

  /** 32 bits in at most five bytes. Longer forms than needed are taken and what exceeds 32 bits falls off, as in Kafka. */
  uvarint(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new ProtocolError("a varint is longer than five bytes");
  }

  varint(): number {
    const n = this.uvarint();
    return (n >>> 1) ^ -(n & 1);
  }

  /** 64 bits in at most ten bytes, under the same rules. */
  varlong(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const n = BigInt.asUintN(64, value);
        return BigInt.asIntN(64, (n >> 1n) ^ -(n & 1n));
      }
    }
    throw new ProtocolError("a varlong is longer than ten bytes");
  }

  #byte(): number {
    return byteAt(this.#bytes, this.take(1));
  }

  #view(): DataView {
    return (this.#numbers ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length));
  }
}

/** A byte that is known to be there. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number; // take() has judged the bounds
}

/** Reads Kafka's primitive types. What cannot be read is a ProtocolError; nothing is allocated ahead of the bytes that are there. */
import { uuidFromBytes, type Uuid } from "../base/ids.js";

/** Bytes that are not what the protocol says: the connection they came on is closed. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

export class Reader {
  readonly #bytes: Buffer;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
    return this.#bytes.readInt8(this.take(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.take(2));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.take(4));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.take(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.take(8));
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.take(8));
  }

  uuid(): Uuid {
    const at = this.take(16);
    return uuidFromBytes(this.#bytes.subarray(at, at + 16));
  }

  view(count: number): Uint8Array {
    const at = this.take(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(count: number): string {
    const at = this.take(count);
    return this.#bytes.toString("utf8", at, at + count);
  }

  /** 32 bits in at most five bytes; overlong forms within five are taken, as Kafka does. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.take(1)] ?? 0;
      if (shift === 28 && (byte & 0xf0) !== 0) throw new ProtocolError("a varint holds more than 32 bits");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new ProtocolError("a varint is longer than five bytes");
  }

  varint(): number {
    const n = this.uvarint();
    return (n >>> 1) ^ -(n & 1);
  }

  varlong(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.take(1)] ?? 0;
      if (shift === 63n && byte > 1) throw new ProtocolError("a varlong holds more than 64 bits");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw new ProtocolError("a varlong is longer than ten bytes");
  }
}

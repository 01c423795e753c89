/** Writes Kafka's primitive types into a list of parts: small fields share a buffer, large byte fields are passed on as they are. */
import { uuidToBytes, type Uuid } from "../base/ids.js";

/** From this size on bytes are passed by reference. */
const BY_REFERENCE_BYTES = 1024;
const FIRST_BYTES = 256;

export interface Encoded {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

export class Writer {
  readonly #parts: Uint8Array[] = [];
  #buffer: Buffer;
  #start = 0; // of what is not yet in #parts
  #at = 0;
  #closed = 0; // bytes in #parts

  constructor(sizeHint = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafe(sizeHint);
  }

  get bytes(): number {
    return this.#closed + this.#at - this.#start;
  }

  #room(count: number): number {
    const at = this.#at;
    if (at + count > this.#buffer.length) {
      const pending = this.#buffer.subarray(this.#start, at);
      const next = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, pending.length + count));
      pending.copy(next, 0);
      this.#buffer = next;
      this.#start = 0;
      this.#at = pending.length + count;
      return pending.length;
    }
    this.#at = at + count;
    return at;
  }

  int8(n: number): void {
    const at = this.#room(1);
    this.#buffer.writeInt8(n, at);
  }

  int16(n: number): void {
    const at = this.#room(2);
    this.#buffer.writeInt16BE(n, at);
  }

  uint16(n: number): void {
    const at = this.#room(2);
    this.#buffer.writeUInt16BE(n, at);
  }

  int32(n: number): void {
    const at = this.#room(4);
    this.#buffer.writeInt32BE(n, at);
  }

  uint32(n: number): void {
    const at = this.#room(4);
    this.#buffer.writeUInt32BE(n, at);
  }

  int64(n: bigint): void {
    const at = this.#room(8);
    this.#buffer.writeBigInt64BE(n, at);
  }

  float64(n: number): void {
    const at = this.#room(8);
    this.#buffer.writeDoubleBE(n, at);
  }

  uuid(id: Uuid): void {
    this.raw(uuidToBytes(id));
  }

  uvarint(n: number): void {
    let rest = n;
    while (rest >= 0x80) {
      this.#byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  varint(n: number): void {
    this.uvarint(((n << 1) ^ (n >> 31)) >>> 0);
  }

  varlong(n: bigint): void {
    let rest = BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
    while (rest >= 0x80n) {
      this.#byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
  }

  #byte(n: number): void {
    const at = this.#room(1);
    this.#buffer[at] = n;
  }

  /** Bytes without a length. */
  raw(bytes: Uint8Array): void {
    if (bytes.length >= BY_REFERENCE_BYTES) {
      this.#cut();
      this.#parts.push(bytes);
      this.#closed += bytes.length;
      return;
    }
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** UTF-8 without a length. */
  text(text: string, bytes: number): void {
    const at = this.#room(bytes);
    this.#buffer.write(text, at, bytes, "utf8");
  }

  append(encoded: Encoded): void {
    for (const part of encoded.parts) this.raw(part);
  }

  #cut(): void {
    if (this.#at === this.#start) return;
    this.#parts.push(this.#buffer.subarray(this.#start, this.#at));
    this.#closed += this.#at - this.#start;
    this.#start = this.#at;
  }

  finish(): Encoded {
    this.#cut();
    return { parts: this.#parts, bytes: this.#closed };
  }
}

export function joined(encoded: Encoded): Uint8Array {
  return encoded.parts.length === 1 && encoded.parts[0] !== undefined ? encoded.parts[0] : Buffer.concat(encoded.parts, encoded.bytes);
}

/** Writes Kafka's primitive types into a list of parts: small fields share a buffer, large byte fields are passed on as they are. */
import { uuidToBytes, type Uuid } from "../base/ids.js";
import { ProtocolError } from "./reader.js";

/** From this size on bytes are passed by reference. */
const BY_REFERENCE_BYTES = 1024;
const FIRST_BYTES = 256;
/** Texts up to this many characters are written here if they are ASCII; a call into Node costs more than the loop. */
const SHORT_TEXT = 48;
const STRING_MAX_BYTES = 0x7fff;

/** What is asked for cannot be said: a field that this version does not have, a null or a number where it has no room for it. */
export class UnsupportedError extends ProtocolError {
  override readonly name = "UnsupportedError";
}

export interface Encoded {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

export class Writer {
  readonly #parts: Uint8Array[] = [];
  #buffer: Buffer;
  #numbers: DataView | null = null; // on #buffer, made on first use
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
    if (at + count > this.#buffer.length) return this.#grow(count);
    this.#at = at + count;
    return at;
  }

  #grow(count: number): number {
    const pending = this.#buffer.subarray(this.#start, this.#at);
    const next = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, pending.length + count));
    pending.copy(next, 0);
    this.#buffer = next;
    this.#numbers = null;
    this.#start = 0;
    this.#at = pending.length + count;
    return pending.length;
  }

  int8(n: number): void {
    if ((n << 24) >> 24 !== n) throw outside(n, "int8");
    const at = this.#room(1);
    this.#buffer[at] = n;
  }

  int16(n: number): void {
    if ((n << 16) >> 16 !== n) throw outside(n, "int16");
    this.#twoBytes(n);
  }

  uint16(n: number): void {
    if ((n & 0xffff) !== n) throw outside(n, "uint16");
    this.#twoBytes(n);
  }

  int32(n: number): void {
    if ((n | 0) !== n) throw outside(n, "int32");
    this.#fourBytes(n);
  }

  uint32(n: number): void {
    if (n >>> 0 !== n) throw outside(n, "uint32");
    this.#fourBytes(n);
  }

  int64(n: bigint): void {
    if (BigInt.asIntN(64, n) !== n) throw outside(n, "int64");
    const at = this.#room(8);
    this.#view().setBigInt64(at, n);
  }

  float64(n: number): void {
    const at = this.#room(8);
    this.#view().setFloat64(at, n);
  }

  uuid(id: Uuid): void {
    this.raw(uuidToBytes(id));
  }

  uvarint(n: number): void {
    let rest = n;
    while (rest >= 0x80) {
      this.#byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
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

  /** A string with its length as int16. */
  string(text: string): void {
    if (text.length <= SHORT_TEXT) {
      const pending = this.#at - this.#start;
      this.#twoBytes(text.length);
      if (this.#ascii(text)) return;
      this.#at = this.#start + pending; // not ASCII: begins again
    }
    const bytes = stringBytes(text);
    this.#twoBytes(bytes);
    this.text(text, bytes);
  }

  /** A string with its length + 1 as uvarint. */
  compactString(text: string): void {
    if (text.length <= SHORT_TEXT) {
      const pending = this.#at - this.#start;
      this.#byte(text.length + 1);
      if (this.#ascii(text)) return;
      this.#at = this.#start + pending;
    }
    const bytes = stringBytes(text);
    this.uvarint(bytes + 1);
    this.text(text, bytes);
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

  finish(): Encoded {
    this.#cut();
    return { parts: this.#parts, bytes: this.#closed };
  }

  #cut(): void {
    if (this.#at === this.#start) return;
    this.#parts.push(this.#buffer.subarray(this.#start, this.#at));
    this.#closed += this.#at - this.#start;
    this.#start = this.#at;
  }

  #byte(n: number): void {
    const at = this.#room(1);
    this.#buffer[at] = n;
  }

  #twoBytes(n: number): void {
    const at = this.#room(2);
    const buffer = this.#buffer;
    buffer[at] = n >> 8;
    buffer[at + 1] = n;
  }

  #fourBytes(n: number): void {
    const at = this.#room(4);
    const buffer = this.#buffer;
    buffer[at] = n >> 24;
    buffer[at + 1] = n >> 16;
    buffer[at + 2] = n >> 8;
    buffer[at + 3] = n;
  }

  /** Writes a text whose characters are bytes; false, and nothing that counts is written, when they are not. */
  #ascii(text: string): boolean {
    const at = this.#room(text.length);
    const buffer = this.#buffer;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      buffer[at + i] = unit;
    }
    return true;
  }

  #view(): DataView {
    return (this.#numbers ??= new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length));
  }
}

function stringBytes(text: string): number {
  const bytes = Buffer.byteLength(text, "utf8");
  if (bytes > STRING_MAX_BYTES) throw new UnsupportedError(`a string of ${bytes} bytes; the protocol's limit is ${STRING_MAX_BYTES}`);
  return bytes;
}

function outside(n: number | bigint, type: string): UnsupportedError {
  return new UnsupportedError(`${n} is no ${type}`);
}

export function joined(encoded: Encoded): Uint8Array {
  return encoded.parts.length === 1 && encoded.parts[0] !== undefined ? encoded.parts[0] : Buffer.concat(encoded.parts, encoded.bytes);
}

/**
 * The door of `protocol/`: a message is declared once, and its type, its codec for every version and its row in ApiVersions come from that.
 *
 *   export const HeartbeatRequest = request({ key: 12, versions: [0, 4], flexibleSince: 4 }, { groupId: string(), ... });
 *   export type HeartbeatRequest = Infer<typeof HeartbeatRequest>;
 *   HeartbeatRequest.decode(bytes, 4).groupId
 */
import { assert } from "../base/assert.js";
import { compileStruct, type Codec } from "./codec.js";
import type { Fields, Struct, StructIn } from "./field.js";
import { Reader } from "./reader.js";
import { joined, Writer, type Encoded } from "./writer.js";

export { array, between, bool, bytes, defaults, float64, ignorable, int16, int32, int64, int8, nullable, nullableSince, records, since, string, struct, tagged, taggedFrom, uint16, uint32, uuid } from "./field.js";
export { ProtocolError, Reader } from "./reader.js";
export { joined, UnsupportedError, Writer, type Encoded } from "./writer.js";

export interface Declaration {
  readonly key: number; // of the API; -1 for what is no request
  readonly versions: readonly [first: number, last: number];
  readonly flexibleSince: number | null;
}

export class Message<T, In> {
  /** A memo of what the declaration means in each version; it changes nothing that can be seen. */
  readonly #codecs: (Codec | undefined)[] = [];

  constructor(readonly declaration: Declaration, readonly fields: Fields, readonly type: "request" | "response" | "data") {}

  get key(): number {
    return this.declaration.key;
  }

  /** The first version with compact types and tagged fields (KIP-482); null if there is none. */
  get flexibleSince(): number | null {
    return this.declaration.flexibleSince;
  }

  get versions(): readonly [first: number, last: number] {
    return this.declaration.versions;
  }

  speaks(version: number): boolean {
    return version >= this.versions[0] && version <= this.versions[1];
  }

  isFlexible(version: number): boolean {
    const { flexibleSince } = this.declaration;
    return flexibleSince !== null && version >= flexibleSince;
  }

  /** Views into `bytes`, which must not change while they are used. Bytes after the message are ignored. @throws ProtocolError */
  decode(bytes: Uint8Array, version: number): T {
    return this.read(new Reader(bytes), version);
  }

  read(reader: Reader, version: number): T {
    return this.#codec(version).read(reader) as T; // the codec is made from the declaration that T is inferred from
  }

  /**
   * Fields that `value` leaves out take their defaults. Large byte fields are parts by reference: they must not change until the parts are written.
   * @throws UnsupportedError for what this version cannot carry
   */
  encode(value: In, version: number): Encoded {
    const writer = new Writer();
    this.write(writer, value, version);
    return writer.finish();
  }

  write(writer: Writer, value: In, version: number): void {
    this.#codec(version).write(writer, value);
  }

  toBytes(value: In, version: number): Uint8Array {
    return joined(this.encode(value, version));
  }

  #codec(version: number): Codec {
    const made = this.#codecs[version];
    if (made !== undefined) return made;
    assert(this.speaks(version), `${this.type} ${this.key} has no version ${version}`);
    // A handler answers for all versions at once: an old one drops what it has no words for. A question that loses something asks for something else.
    const lossy = this.type === "response";
    return (this.#codecs[version] = compileStruct(this.fields, { number: version, flexible: this.isFlexible(version), lossy }, `${this.type} ${this.key} v${version}`));
  }
}

export type Infer<M> = M extends Message<infer T, infer _> ? T : never;
export type Input<M> = M extends Message<infer _, infer In> ? In : never;

type Declared = { readonly [name: string]: unknown };

export function request<const F extends Declared>(declaration: Declaration, fields: F): Message<Struct<F>, StructIn<F>> {
  return new Message(declaration, fields as unknown as Fields, "request"); // see struct(): every member is a Field
}

export function response<const F extends Declared>(declaration: Declaration, fields: F): Message<Struct<F>, StructIn<F>> {
  return new Message(declaration, fields as unknown as Fields, "response");
}

/** What travels or rests inside other bytes: records of internal topics, the consumers' own protocol. */
export function data<const F extends Declared>(declaration: Omit<Declaration, "key">, fields: F): Message<Struct<F>, StructIn<F>> {
  return new Message({ ...declaration, key: -1 }, fields as unknown as Fields, "data");
}

/**
 * A map from text to values, in order of its keys, that behaves as a value: `with` and `without` give a new map that shares all but one
 * chunk with the old one. Two levels of chunks are enough: with 100,000 keys a change copies some hundred pointers.
 */
import { assert } from "../base/assert.js";

const CHUNK_MAX = 128;

interface Chunk<Value> {
  readonly keys: readonly string[];
  readonly values: readonly Value[];
}

export class SortedMap<Value> {
  readonly #chunks: readonly Chunk<Value>[];
  readonly size: number;

  private constructor(chunks: readonly Chunk<Value>[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  static empty<Value>(): SortedMap<Value> {
    return new SortedMap<Value>([], 0);
  }

  get(key: string): Value | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const at = firstNotBelow(chunk.keys, key);
    return chunk.keys[at] === key ? chunk.values[at] : undefined;
  }

  with(key: string, value: Value): SortedMap<Value> {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return new SortedMap([{ keys: [key], values: [value] }], 1);

    const at = firstNotBelow(chunk.keys, key);
    const found = chunk.keys[at] === key;
    const values = chunk.values.slice();
    if (found) {
      values[at] = value;
      return new SortedMap(replaced(this.#chunks, index, [{ keys: chunk.keys, values }]), this.size);
    }
    const keys = chunk.keys.slice();
    keys.splice(at, 0, key);
    values.splice(at, 0, value);
    // Keys that only grow leave full chunks behind them: split at the end then, in the middle otherwise.
    const half = at === CHUNK_MAX ? CHUNK_MAX : keys.length >> 1;
    const halves = keys.length <= CHUNK_MAX ? [{ keys, values }] : [
      { keys: keys.slice(0, half), values: values.slice(0, half) },
      { keys: keys.slice(half), values: values.slice(half) },
    ];
    return new SortedMap(replaced(this.#chunks, index, halves), this.size + 1);
  }

  without(key: string): SortedMap<Value> {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return this;
    const at = firstNotBelow(chunk.keys, key);
    if (chunk.keys[at] !== key) return this;
    const keys = chunk.keys.slice();
    const values = chunk.values.slice();
    keys.splice(at, 1);
    values.splice(at, 1);
    return new SortedMap(replaced(this.#chunks, index, keys.length === 0 ? [] : [{ keys, values }]), this.size - 1);
  }

  /** In order of keys. */
  *entries(): IterableIterator<readonly [string, Value]> {
    for (const chunk of this.#chunks) {
      for (let i = 0; i < chunk.keys.length; i++) yield [chunk.keys[i] as string, chunk.values[i] as Value]; // i is within both columns
    }
  }

  *values(): IterableIterator<Value> {
    for (const chunk of this.#chunks) yield* chunk.values;
  }

  /** Values from that key on, in order. */
  *from(key: string): IterableIterator<Value> {
    for (let index = this.#chunkOf(key); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] as Chunk<Value>; // index is below the length
      for (let at = firstNotBelow(chunk.keys, key); at < chunk.keys.length; at++) yield chunk.values[at] as Value;
    }
  }

  /** Values whose key begins with `prefix`, in order. */
  *startingWith(prefix: string): IterableIterator<Value> {
    for (let index = this.#chunkOf(prefix); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] as Chunk<Value>; // index is below the length
      for (let at = firstNotBelow(chunk.keys, prefix); at < chunk.keys.length; at++) {
        if (!(chunk.keys[at] as string).startsWith(prefix)) return;
        yield chunk.values[at] as Value;
      }
    }
  }

  /** The chunk that holds the key or would take it: the last whose first key is not above it. 0 for an empty map. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const first = this.#chunks[middle]?.keys[0];
      assert(first !== undefined, "no chunk is empty");
      if (first <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function firstNotBelow(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1; // middle is below the length
    else high = middle;
  }
  return low;
}

function replaced<Item>(items: readonly Item[], index: number, by: readonly Item[]): Item[] {
  const copy = items.slice();
  copy.splice(index, 1, ...by);
  return copy;
}

/**
 * Draws from a seed. A generator is known by its path of names below the seed, and a fork depends on that path alone: what one part of the
 * simulation draws never shifts what another will draw, so a plan stays what it was when something else is taken away from it.
 *
 * xoshiro128** (Blackman and Vigna), its state filled from the path by FNV-1a and the murmur3 finalizer. Integers only, so that every machine agrees.
 */
import { assert } from "../base/assert.js";

export class Seeded {
  readonly path: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  private constructor(path: string) {
    this.path = path;
    const state = stateOf(path);
    this.#a = state();
    this.#b = state();
    this.#c = state();
    this.#d = state() | 1; // never all zero
    for (let i = 0; i < 8; i++) this.next();
  }

  static from(seed: number | string): Seeded {
    return new Seeded(String(seed));
  }

  /** Its own stream of draws, the same whatever has been drawn here or elsewhere. */
  fork(name: string | number): Seeded {
    return new Seeded(`${this.path}/${name}`);
  }

  /** 32 bits, unsigned. */
  next(): number {
    const times5 = Math.imul(this.#b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A whole number from 0 to below `end`, 1 <= end <= 2^32, without bias worth the name (2^-21 at most). */
  below(end: number): number {
    assert(Number.isInteger(end) && end >= 1 && end <= 2 ** 32, `a draw is below a whole number from 1 to 2^32, not ${end}`);
    return end <= 2 ** 11 ? Math.floor((this.next() / 2 ** 32) * end) : Math.floor(this.fraction() * end);
  }

  /** From 0 inclusive to 1 exclusive, 53 bits. */
  fraction(): number {
    return ((this.next() >>> 5) * 2 ** 26 + (this.next() >>> 6)) / 2 ** 53;
  }

  /** From `least` to below `most`, evenly. */
  between(least: number, most: number): number {
    return least + (this.next() / 2 ** 32) * (most - least);
  }

  /** Heavy-tailed around `usual`: half of the draws below it, one in a hundred near seven times it, at most `most`. Latencies look like that. */
  around(usual: number, most: number = usual * 20): number {
    const f = this.next() / 2 ** 32;
    return Math.min(most, usual * (0.4 + 0.6 * f + (0.3 * f * f) / (1.02 - f)));
  }

  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    assert(choices.length > 0, "there is something to pick from");
    return choices[this.below(choices.length)] as T; // below its length
  }

  shuffled<T>(items: readonly T[]): T[] {
    const mixed = [...items];
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T]; // both within
    }
    return mixed;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i += 4) {
      const drawn = this.next();
      for (let j = i; j < i + 4 && j < count; j++) bytes[j] = drawn >>> (8 * (j - i));
    }
    return bytes;
  }
}

function stateOf(path: string): () => number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  let at = hash >>> 0;
  return () => {
    at = (at + 0x9e3779b9) >>> 0;
    let x = at ^ hash;
    for (let i = 0; i < path.length; i++) x = Math.imul(x ^ path.charCodeAt(i), 0x85ebca6b) ^ (x >>> 15);
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return x ^ (x >>> 16);
  };
}

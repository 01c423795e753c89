/**
 * What happened in a run, as one running hash: two runs are the same run exactly when their hashes agree. Text is for people and changes nothing.
 * Each note is a kind, a thread or machine, the virtual time and two numbers; FNV-1a over 32-bit words, twice with different primes.
 */
const RING = 400;

export type TraceKind = "event" | "deliver" | "connect" | "end" | "disk" | "fault" | "halt" | "start" | "log";
const CODES: { readonly [kind in TraceKind]: number } = { event: 1, deliver: 2, connect: 3, end: 4, disk: 5, fault: 6, halt: 7, start: 8, log: 9 };

export interface TraceLine {
  readonly atMs: number;
  readonly kind: TraceKind;
  readonly where: string;
  readonly text: string;
}

export class Trace {
  /** Notes so far. */
  count = 0;
  #high = 0x811c9dc5 | 0;
  #low = 0x1b873593 | 0;
  readonly #time = new Float64Array(1);
  readonly #words = new Uint32Array(this.#time.buffer);
  /** Per place, the newest lines; null: no text. */
  readonly #lines: Map<string, TraceLine[]> | null;

  constructor(options: { readonly text: boolean }) {
    this.#lines = options.text ? new Map() : null;
  }

  get withText(): boolean {
    return this.#lines !== null;
  }

  note(kind: TraceKind, place: number, atMs: number, a: number, b = 0): void {
    this.count++;
    this.#time[0] = atMs;
    this.#mix(CODES[kind] ^ (place << 8));
    this.#mix((this.#words[0] ?? 0) | 0);
    this.#mix((this.#words[1] ?? 0) | 0);
    this.#mix(a | 0);
    if (b !== 0) this.#mix(b | 0);
  }

  /** A line for people. Callers build the text only if `withText`. */
  say(kind: TraceKind, where: string, atMs: number, text: string): void {
    if (this.#lines === null) return;
    let lines = this.#lines.get(where);
    if (lines === undefined) this.#lines.set(where, (lines = []));
    lines.push({ atMs, kind, where, text });
    if (lines.length > 2 * RING) lines.splice(0, RING);
  }

  /** The newest lines of one place, or of all in order of time. */
  lines(where?: string): readonly TraceLine[] {
    if (this.#lines === null) return [];
    if (where !== undefined) return this.#lines.get(where) ?? [];
    return [...this.#lines.values()].flat().sort((a, b) => a.atMs - b.atMs);
  }

  /** 16 hexadecimal digits. */
  hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }

  #mix(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x01000193);
    this.#high ^= this.#high >>> 15;
    const rotated = (this.#low << 13) | (this.#low >>> 19);
    this.#low = (Math.imul(rotated ^ word, 0xcc9e2d51) + 0x1b873593) | 0;
  }
}

/** A number that stands for some bytes in the trace: their count, and a few of them. */
export function digestOf(bytes: Uint8Array): number {
  let digest = Math.imul(bytes.length ^ 0x811c9dc5, 0x01000193);
  const stride = bytes.length >> 4 || 1;
  for (let i = 0; i < bytes.length; i += stride) digest = Math.imul(digest ^ (bytes[i] ?? 0), 0x01000193);
  return digest;
}

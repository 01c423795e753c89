/**
 * CRC-32C (Castagnoli), as record batches and our own files carry it. A native build is used where its package is installed; the table
 * version gives the same values and needs nothing.
 */

/** The native call costs more than the sum below this size. */
const NATIVE_FROM_BYTES = 128;

type Sum = (bytes: Uint8Array, seed?: number) => number;

const tables: readonly Uint32Array[] = makeTables();
const native: Sum | null = loadNative();

/**
 * @param seed the sum of what came before, to go on from
 * @returns an unsigned 32-bit number
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  if (native !== null && bytes.length >= NATIVE_FROM_BYTES) return native(bytes, seed);
  return crc32cTable(bytes, seed);
}

/** The sum of the parts as if they were joined. */
export function crc32cParts(parts: readonly Uint8Array[], seed = 0): number {
  let sum = seed;
  for (const part of parts) sum = crc32c(part, sum);
  return sum;
}

/** Slicing by eight. */
export function crc32cTable(bytes: Uint8Array, seed = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = ~seed;
  let at = 0;
  const whole = bytes.length - 7;
  // Indexes below stay within the loop's bound and the tables' 256 entries.
  const b = bytes as unknown as { readonly [i: number]: number };
  const at8 = (t: Uint32Array, i: number) => (t as unknown as { readonly [i: number]: number })[i] as number;
  while (at < whole) {
    crc ^= (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16) | ((b[at + 3] as number) << 24);
    crc =
      at8(t7, crc & 255) ^ at8(t6, (crc >>> 8) & 255) ^ at8(t5, (crc >>> 16) & 255) ^ at8(t4, crc >>> 24) ^
      at8(t3, b[at + 4] as number) ^ at8(t2, b[at + 5] as number) ^ at8(t1, b[at + 6] as number) ^ at8(t0, b[at + 7] as number);
    at += 8;
  }
  for (; at < bytes.length; at++) crc = at8(t0, (crc ^ (b[at] as number)) & 255) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTables(): readonly Uint32Array[] {
  const made = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    (made[0] as Uint32Array)[n] = crc >>> 0;
  }
  // Table k holds a byte followed by k zeros; the loop above needs table 0 whole, so the others are made after it.
  const first = made[0] as Uint32Array;
  for (let n = 0; n < 256; n++) {
    let crc = first[n] as number;
    for (let k = 1; k < 8; k++) {
      crc = ((first[crc & 255] as number) ^ (crc >>> 8)) >>> 0;
      (made[k] as Uint32Array)[n] = crc;
    }
  }
  return made;
}

function loadNative(): Sum | null {
  try {
    const loaded = require("@node-rs/crc32") as { readonly crc32c: Sum };
    return loaded.crc32c(Buffer.from("123456789")) === 0xe3069283 ? loaded.crc32c : null;
  } catch {
    return null; // not installed for this platform
  }
}

/** Hashes that clients and brokers must agree on: which partition a key goes to, which one a coordinator's key lives in. */

const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/** MurmurHash2 as Kafka's producers use it. @returns a signed 32-bit number */
export function murmur2(bytes: Uint8Array): number {
  let hash = SEED ^ bytes.length;
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const word = Math.imul(at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24), MIX);
    hash = Math.imul(hash, MIX) ^ Math.imul(word ^ (word >>> 24), MIX);
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | at(bytes, i);
  if (whole < bytes.length) hash = Math.imul(hash ^ tail, MIX);
  hash = Math.imul(hash ^ (hash >>> 13), MIX);
  return hash ^ (hash >>> 15);
}

/** Where the default partitioner of the Java client puts a key. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** Java's String.hashCode: over UTF-16 units, wrapping at 32 bits. @returns a signed 32-bit number */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/** Partition of `__consumer_offsets` for a group, of `__transaction_state` for a transactional id. The smallest number has no absolute value: it counts as 0. */
export function coordinatorPartition(key: string, partitions: number): number {
  const hash = javaHash(key);
  return (hash === -0x80000000 ? 0 : Math.abs(hash)) % partitions;
}

function at(bytes: Uint8Array, index: number): number {
  return bytes[index] as number; // callers stay below the length
}
